"""The mean loss of a network over some examples, with all its derivatives.          Lecture 1.

    loss = MiniBatch(network, X, Y)
    loss.value(theta), loss.gradient(theta)
    loss.hessian(theta) @ v         and gauss_newton, fisher, empirical_fisher: each a matrix to multiply with
"""
from functools import partial
from itertools import accumulate, pairwise
from math import sqrt

import numpy as np

from numopt.kernels.dense import dense_fisher_product, dense_fisher_solve
from numopt.kernels.twins import worth_compiling
from numopt.linalg.operators import Symmetric
from numopt.networks.layers import Dense, Dropout, Mode
from numopt.networks.losses import SoftmaxCrossEntropy, SquaredError
from numopt.networks.models import ACTIVATIONS
from numopt.problems.functions import LeastSquares
from numopt.problems.objective import Objective

# The classes of a small dense net.
DENSE = {Dense, Dropout, *ACTIVATIONS.values(), SoftmaxCrossEntropy, SquaredError}

# Everything random has a stream of its own, default_rng([seed, t, number]).
MASKS, LABELS, FACTORS, ORDER = 1, 2, 3, 4


class MiniBatch(Objective):
    """The mean loss of a network over some examples, as a function of theta, with all its derivatives.

    All curvature matrices share the forward pass of the gradient, which is kept for a theta that nobody can write
    into, as every iterate of an optimizer is.
    """

    def __init__(self, network, X, Y, seed=(0,), training=True, statistics=None, checked=False):
        if not checked:
            X = network.checked_inputs(X)
            Y = network.loss.checked(Y, len(X), network.output_size)
        self.network, self.X, self.Y, self.seed = network, X, Y, tuple(seed)
        self.training, self.statistics = training, None if statistics is None else list(statistics)
        self.size, self.n = network.size, len(X)
        self._kept = None

    def __repr__(self):
        return f"<MiniBatch of {self.n} examples, for {self.network.brief()}>"

    def forward(self, theta):
        """The outputs z, what the layers saved, and the statistics of batch normalisations on the way."""
        if self._kept is not None and self._kept[0] is theta:
            return self._kept[1:]
        mode = Mode(self.training, (*self.seed, MASKS), self.statistics)
        theta = self.network.checked_theta(theta)
        z, saved = self.network.forward(theta, self.X.astype(theta.dtype, copy=False), mode)
        self._kept = (theta, z, saved, mode.seen) if is_constant(theta) else None
        return z, saved, mode.seen

    def value(self, theta):
        """The mean loss."""
        z, _, _ = self.forward(theta)
        return self.network.loss.values(z, self.Y).mean().item()

    def gradient(self, theta):
        """The gradient of the mean loss, by backpropagation."""
        z, saved, _ = self.forward(theta)
        return self.backward(theta, saved, self.network.loss.gradient(z, self.Y) / self.n)

    def value_and_gradient(self, theta):
        theta = constant(theta)
        return self.value(theta), self.gradient(theta)

    def backward(self, theta, saved, dz):
        """Jᵀ dz: the vector of derivatives by theta, from those by the outputs."""
        g = np.empty_like(theta)
        self.network.backward(theta, saved, dz, g, inputs=False)
        return g

    def hessian(self, theta):
        """The matrix of second derivatives, exactly (Pearlmutter 1994)."""
        theta = constant(theta)
        z, saved, _ = self.forward(theta)
        dz = self.network.loss.gradient(z, self.Y) / self.n

        def product(v):
            v = np.ravel(v).astype(theta.dtype, copy=False)
            Rz, Rsaved = self.network.jvp(theta, saved, v, None)
            Rdz = self.network.loss.hessian_product(z, self.Y, Rz) / self.n
            Hv = np.empty_like(theta)
            self.network.r_backward(theta, saved, v, Rsaved, dz, Rdz, Hv, inputs=False)
            return Hv

        return symmetric(product, theta)

    def through_outputs(self, theta, product):
        """(1/n) Σ Jᵀ M J, where `product(u)` is M u for every example's outputs: the form of all the matrices below."""
        z, saved, _ = self.forward(theta)

        def whole(v):
            Jv, _ = self.network.jvp(theta, saved, np.ravel(v).astype(theta.dtype, copy=False), None)
            return self.backward(theta, saved, product(Jv) / self.n)

        return symmetric(whole, theta)

    def gauss_newton(self, theta):
        """(1/n) Σ Jᵀ H J, with H the Hessian of the loss by the outputs (Schraudolph 2002)."""
        theta = constant(theta)
        z, _, _ = self.forward(theta)
        G = self.through_outputs(theta, lambda u: self.network.loss.hessian_product(z, self.Y, u))
        return self.compilable(G, theta, lambda: self.network.loss.fisher_parts(z))  # G is F, for both losses

    def fisher(self, theta, samples=None, seed=None):
        """(1/n) Σ E[g gᵀ] over labels that the model draws: exactly, or the mean over so many drawn labels.

        The draw is a function of `seed`, and without one of the batch's own.
        """
        theta = self.with_examples(theta)
        z, _, _ = self.forward(theta)
        if samples is None:
            F = self.through_outputs(theta, lambda u: self.network.loss.fisher_product(z, u))
            return self.compilable(F, theta, lambda: self.network.loss.fisher_parts(z))
        if samples < 1:
            raise ValueError(f"samples is {samples}; it must be at least 1, or None for the exact Fisher matrix")
        rng = np.random.default_rng([*self.seed, LABELS] if seed is None else seed)
        return self.of_gradients(theta, [self.network.loss.gradient(z, self.network.loss.sample(z, rng))
                                         for _ in range(samples)])

    def of_gradients(self, theta, ds):
        """(1/n) Σ Jᵀ d dᵀ J, and the mean of it over these d."""
        F = self.through_outputs(theta, lambda u: sum(d * (d * u).sum(axis=1, keepdims=True) for d in ds) / len(ds))
        return self.compilable(F, theta, lambda: (np.zeros_like(ds[0]), np.array(ds) / len(ds), np.array(ds)))

    def compilable(self, F, theta, parts):
        """F = (1/n) Σ Jᵀ M J with M = diag(d) + Σ a bᵀ for each example, and d, a, b = parts(): with compiled twins, if
        the net is small and dense, and made of exactly these classes: one derived from them may multiply otherwise."""
        dense = len(self.network.inputs) == 1 and {type(self.network.loss), *map(type, self.network.layers)} <= DENSE
        if dense and self.n * self.size < 20_000_000 and worth_compiling(theta, least=500):
            return DenseFisher(F, partial(self.layers_and_parts, theta, parts))
        return F

    def layers_and_parts(self, theta, parts):
        """What dense_fisher_product takes: θ, the inputs and the slopes of the layers, parts(), and the shapes."""
        _, saved, _ = self.forward(theta)
        X, S, shapes = [], [], []
        for layer, kept in zip(self.network.steps, saved):
            if layer.size:
                X.append(kept)
                S.append(np.ones((self.n, layer.outputs), theta.dtype))
                shapes.append((layer.outputs, layer.inputs, layer.bias))
            elif S:
                S[-1] = layer.backward(None, kept, S[-1], None)
        return theta, concatenated(X), concatenated(S), *parts(), np.array(shapes)

    def sampled_fisher(self, theta):
        """The Fisher matrix with one label drawn for each example, another at every step."""
        return self.fisher(theta, samples=1)

    def sampled_gradient(self, theta, seed=None):
        """ĝ, the gradient if the labels were drawn from the model: its mean is 0, and E[n ĝ ĝᵀ] the Fisher matrix."""
        z, saved, _ = self.forward(theta)
        rng = np.random.default_rng([*self.seed, LABELS] if seed is None else seed)
        return self.backward(theta, saved, self.network.loss.gradient(z, self.network.loss.sample(z, rng)) / self.n)

    def empirical_fisher(self, theta):
        """(1/n) Σ g gᵀ with the labels of the data: not F, not even at a minimum (Kunstner et al. 2019)."""
        theta = self.with_examples(theta)
        z, _, _ = self.forward(theta)
        return self.of_gradients(theta, [self.network.loss.gradient(z, self.Y)])

    def with_examples(self, theta):
        """The same θ as a constant, if the examples can be told apart there."""
        theta = constant(theta)
        if self.statistics_of(theta):
            raise NotImplementedError("batch normalisation ties the examples of a batch together, so there is no "
                                      "gradient of one example and no Fisher matrix; use gauss_newton or hessian")
        return theta

    def statistics_of(self, theta):
        """(mean, variance) of each batch normalisation on this batch; empty where there is none."""
        return self.forward(theta)[2]

    def per_example_gradients(self, theta, dz=None):
        """The gradient of each example's own loss, one a row; or Jᵀ dz for each row of `dz`."""
        z, saved, _ = self.forward(theta)
        dz = self.network.loss.gradient(z, self.Y) if dz is None else dz
        _, pairs = self.network.pairs(theta, saved, dz, inputs=False)
        g = np.empty((self.n, self.size), dz.dtype)
        ends = accumulate((layer.size for layer, _, _ in pairs), initial=0)
        with self.network.threads():
            for (layer, x, dy), here in zip(pairs, pairwise(ends)):
                layer.example_gradients(x, dy, g[:, slice(*here)])
        return g

    def jacobian(self, theta):
        """∂z/∂θ of every example, shape (n, outputs, size): for small nets."""
        theta = constant(theta)
        z, _, _ = self.forward(theta)
        return np.stack([self.per_example_gradients(theta, np.broadcast_to(e, z.shape))
                         for e in np.eye(z.shape[1], dtype=z.dtype)], axis=1)

    def least_squares(self):
        """The same loss as ½‖r‖², with residuals r = (z − Y)/√n: what gauss_newton and levenberg_marquardt ask for."""
        if type(self.network.loss) is not SquaredError:
            raise NotImplementedError(f"{type(self.network.loss).__name__} is not a sum of squares; hessian_free and "
                                      f"newton_cg take it, with curvature=\"gauss_newton\"")
        root = sqrt(self.n)
        return LeastSquares(lambda theta: (self.forward(theta)[0] - self.Y).ravel() / root,
                            lambda theta: self.jacobian(theta).reshape(-1, self.size) / root, size=self.size)

    def gauss_newton_diagonal(self, theta):
        """The diagonal of the Gauss-Newton matrix, exactly: a backward pass for every output, for small nets."""
        theta = constant(theta)
        z, _, _ = self.forward(theta)
        return sum((self.per_example_gradients(theta, u)**2).mean(axis=0) for u in self.network.loss.fisher_root(z))

    def kronecker_factors(self, theta, seed=None, labels="sampled", form="expand"):
        """[(A, G)], for each weight matrix: its block of the Fisher matrix is about np.kron(G, A), in row-major order.

        Martens and Grosse (2015), Section 3; Grosse and Martens (2016) for convolutions, in the forms "expand" and
        "reduce".  G is over labels that are "sampled" from the model, "exact" (every label, by its probability), or
        those of the "data", which gives the empirical Fisher.
        """
        z, saved, _ = self.forward(theta)
        if form not in ("expand", "reduce"):
            raise ValueError(f"form is {form!r}; it is expand or reduce")
        factors = []
        for dz in self.derivatives_at(z, seed, labels):
            _, pairs = self.network.pairs(theta, saved, dz, inputs=False)
            factors.append([layer.kronecker_factors(x, dy, self.n, form) for layer, x, dy in pairs])
        return [(layer[0][0], sum(G for _, G in layer)) for layer in zip(*factors)]

    def derivatives_at(self, z, seed, labels):
        """The derivatives by the outputs z at the labels of a Fisher matrix: an array a label of each example."""
        loss, rng = self.network.loss, np.random.default_rng([*self.seed, FACTORS] if seed is None else seed)
        derivatives = {"sampled": lambda: [loss.gradient(z, loss.sample(z, rng))], "exact": lambda: loss.fisher_root(z),
                       "data": lambda: [loss.gradient(z, self.Y)]}
        if labels not in derivatives:
            raise ValueError(f"labels is {labels!r}; it is sampled, exact or data")
        return derivatives[labels]()

    def fisher_rows(self, theta, seed=None, labels="sampled"):
        """Gradients of single examples, one a row, at the labels that kronecker_factors takes with this seed.

        Of these rows the sum of all products g gᵀ, divided by n, is the Fisher matrix; at "exact" labels an example has
        a row for every class.
        """
        dz = self.derivatives_at(self.forward(theta)[0], seed, labels)
        return np.concatenate([self.per_example_gradients(theta, dz_k) for dz_k in dz])

    def fisher_moments(self, theta, U_G, U_A, seed=None, labels="sampled"):
        """(1/n) Σ (U_Gᵀ ∇W U_A)² over the fisher_rows, whose matrices are ∇W, for a U_G and a U_A of each of these."""
        z, saved, _ = self.forward(theta)
        s = np.zeros(self.size, z.dtype)
        for dz in self.derivatives_at(z, seed, labels):
            _, pairs = self.network.pairs(theta, saved, dz, inputs=False)
            with self.network.threads():
                for (layer, x, dy), s_i, L, R in zip(pairs, self.blocks(s), U_G, U_A, strict=True):
                    s_i += layer.example_moments(x, dy, L, R)
        return s / self.n

    def accuracy(self, theta):
        """The share of examples whose largest output is that of their label, or of their largest target."""
        if self.network.output_size == 1:
            raise ValueError("accuracy is about the largest of several outputs; this network has one")
        z, _, _ = self.forward(theta)
        labels = self.Y if self.Y.ndim == 1 else self.Y.argmax(axis=1)
        return (z.argmax(axis=1) == labels).mean().item()

    def blocks(self, vector):
        return self.network.blocks(vector)


class DenseFisher(Symmetric):
    """F of a small net of dense layers: a solve in one compiled call, and all products after a first if that pays."""

    def __init__(self, F, layers_and_parts):
        super().__init__(None, len(F), F.dtype)
        self.F, self.layers_and_parts, self.products, self.known = F, layers_and_parts, 0, None

    def arguments(self):
        if self.known is None:
            self.known = self.layers_and_parts()
        return self.known

    def _matvec(self, v):
        self.products += 1
        if self.products == 1 or not dense_fisher_product.pays(*self.arguments()):
            return self.F @ np.ravel(v)
        return dense_fisher_product(*self.arguments(), np.ravel(v).astype(self.dtype, copy=False))

    def solve(self, b, damping, steps, tolerance):
        """The solution of (F + damping I) x = b by so many steps of conjugate gradients."""
        return dense_fisher_solve(*self.arguments(), b, damping, steps, tolerance)


def is_constant(theta):
    """Can nobody write into θ, neither directly nor, where it is a view, through the array that it is a view of?"""
    return theta.flags.owndata and not theta.flags.writeable


def constant(theta):
    """θ itself if it is constant, otherwise a copy that is."""
    if isinstance(theta, np.ndarray) and not is_constant(theta):  # what is no array is refused by the network
        theta = theta.copy()
        theta.flags.writeable = False
    return theta


def concatenated(arrays):
    """All their numbers, one after the other."""
    return np.concatenate([array.ravel() for array in arrays])


def symmetric(product, theta):
    return Symmetric(product, theta.size, theta.dtype)
