"""The loss of a network on data: on one mini-batch, on one after the other, and on all of it.          Lecture 1.

    risk = EmpiricalRisk(network, X, Y, batch_size=128, seed=0)
    risk.loss(t)            the mini-batch of step t: a function of (seed, t) and of nothing else
    risk.whole              the mean over all the data
"""
import copy
from functools import cached_property

import numpy as np
from scipy.sparse.linalg import LinearOperator

from numopt.layers import Mode
from numopt.linalg import damped
from numopt.objective import Objective


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
        self.training, self.statistics = training, statistics
        self.size, self.n = network.size, len(X)
        self._kept = None

    def forward(self, theta):
        """The outputs z, what the layers saved, and the statistics of batch normalisations on the way."""
        if self._kept is not None and self._kept[0] is theta:
            return self._kept[1:]
        mode = Mode(self.training, self.seed, self.statistics)
        X = self.X.astype(theta.dtype, copy=False)
        z, saved = self.network.forward(self.network.checked_theta(theta), X, mode)
        self._kept = (theta, z, saved, mode.seen) if not theta.flags.writeable and theta.flags.owndata else None
        return z, saved, mode.seen

    def value(self, theta):
        """The mean loss."""
        z, _, _ = self.forward(theta)
        return self.network.loss.values(z, self.Y).mean().item()

    def gradient(self, theta):
        """The gradient of the mean loss, by backpropagation."""
        z, saved, _ = self.forward(theta)
        return self.backward(theta, saved, self.network.loss.gradient(z, self.Y) / self.n)

    def backward(self, theta, saved, dz):
        """Jᵀ dz: the vector of derivatives by theta, from those by the outputs."""
        g = np.empty_like(theta)
        self.network.backward(theta, saved, dz, g, inputs=False)
        return g

    def hessian(self, theta):
        """The matrix of second derivatives, exactly (Pearlmutter 1994)."""
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
        """(1/n) Σ Jᵀ M J, where `product(u)` is M u for every example's outputs: what the matrices below have in common."""
        z, saved, _ = self.forward(theta)

        def whole(v):
            Jv, _ = self.network.jvp(theta, saved, np.ravel(v).astype(theta.dtype, copy=False), None)
            return self.backward(theta, saved, product(Jv) / self.n)

        return symmetric(whole, theta)

    def gauss_newton(self, theta):
        """(1/n) Σ Jᵀ H J, with H the Hessian of the loss by the outputs (Schraudolph 2002)."""
        z, _, _ = self.forward(theta)
        return self.through_outputs(theta, lambda u: self.network.loss.hessian_product(z, self.Y, u))

    def fisher(self, theta, samples=None, seed=None):
        """(1/n) Σ E[g gᵀ] over labels that the model draws: exactly, or the mean over so many drawn labels.

        The draw is a function of `seed`, and without one of the batch's own.
        """
        self.needs_examples(theta)
        z, _, _ = self.forward(theta)
        if samples is None:
            return self.through_outputs(theta, lambda u: self.network.loss.fisher_product(z, u))
        rng = np.random.default_rng([*self.seed, 1] if seed is None else seed)
        drawn = [self.network.loss.gradient(z, self.network.loss.sample(z, rng)) for _ in range(samples)]
        return self.through_outputs(theta, lambda u: outer_products(drawn, u))

    def sampled_fisher(self, theta):
        """The Fisher matrix with one label drawn for each example, another at every step."""
        return self.fisher(theta, samples=1)

    def empirical_fisher(self, theta):
        """(1/n) Σ g gᵀ with the labels of the data: not the Fisher matrix, not even at a minimum (Kunstner et al. 2019)."""
        self.needs_examples(theta)
        z, _, _ = self.forward(theta)
        d = self.network.loss.gradient(z, self.Y)
        return self.through_outputs(theta, lambda u: outer_products([d], u))

    def needs_examples(self, theta):
        if self.statistics_of(theta):
            raise NotImplementedError("batch normalisation ties the examples of a batch together, so there is no "
                                      "gradient of one example and no Fisher matrix; use gauss_newton or hessian")

    def statistics_of(self, theta):
        """(mean, variance) of each batch normalisation on this batch; empty where there is none."""
        return self.forward(theta)[2]

    def per_example_gradients(self, theta, dz=None):
        """The gradient of each example's own loss, one a row; or Jᵀ dz for each row of `dz`."""
        z, saved, _ = self.forward(theta)
        dz = self.network.loss.gradient(z, self.Y) if dz is None else dz
        _, pairs = self.network.pairs(theta, saved, dz, inputs=False)
        return np.concatenate([layer.example_gradients(x, dy, self.n) for layer, x, dy in pairs], axis=1)

    def jacobian(self, theta):
        """∂z/∂θ of every example, shape (n, outputs, size): for small nets."""
        z, _, _ = self.forward(theta)
        return np.stack([self.per_example_gradients(theta, np.broadcast_to(e, z.shape))
                         for e in np.eye(z.shape[1], dtype=z.dtype)], axis=1)

    def gauss_newton_diagonal(self, theta):
        """The diagonal of the Gauss-Newton matrix, exactly: a backward pass for every output, for small nets."""
        z, _, _ = self.forward(theta)
        return sum((self.per_example_gradients(theta, u)**2).mean(axis=0) for u in self.network.loss.fisher_root(z))

    def kronecker_factors(self, theta, seed=None, labels="sampled", form="expand"):
        """[(A, G)], for each weight matrix: its block of the Fisher matrix is about np.kron(G, A), in row-major order.

        Martens and Grosse (2015), Section 3; Grosse and Martens (2016) for convolutions, in the forms "expand" and
        "reduce".  G is over labels that are "sampled" from the model, "exact" (every label, by its probability), or
        those of the "data", which gives the empirical Fisher.
        """
        z, saved, _ = self.forward(theta)
        loss = self.network.loss
        rng = np.random.default_rng([*self.seed, 2] if seed is None else seed)
        if form not in ("expand", "reduce"):
            raise ValueError(f"form is {form!r}; it is expand or reduce")
        derivatives = {"sampled": lambda: [loss.gradient(z, loss.sample(z, rng))], "exact": lambda: loss.fisher_root(z),
                       "data": lambda: [loss.gradient(z, self.Y)]}
        if labels not in derivatives:
            raise ValueError(f"labels is {labels!r}; it is sampled, exact or data")
        factors = []
        for dz in derivatives[labels]():
            _, pairs = self.network.pairs(theta, saved, dz, inputs=False)
            factors.append([layer.kronecker_factors(x, dy, self.n, form) for layer, x, dy in pairs])
        return [(layer[0][0], sum(G for _, G in layer)) for layer in zip(*factors)]

    def accuracy(self, theta):
        """The share of examples whose largest output is that of their label."""
        z, _, _ = self.forward(theta)
        return (z.argmax(axis=1) == self.Y).mean().item()

    def blocks(self, vector):
        return self.network.blocks(vector)


def symmetric(product, theta):
    return LinearOperator((theta.size, theta.size), matvec=product, rmatvec=product, dtype=theta.dtype)


def outer_products(ds, u):
    """The mean of d dᵀ u, for each row."""
    return sum(d * (d * u).sum(axis=1, keepdims=True) for d in ds) / len(ds)


class Whole(Objective):
    """The mean loss over all the data, in the memory of one batch: everything is added up batch by batch.

    Dropout drops nothing here, and a network with batch normalisation needs the `statistics` to use.
    """

    def __init__(self, network, X, Y, batch_size=1024, statistics=None):
        X = network.checked_inputs(X)
        Y = network.loss.checked(Y, len(X), network.output_size)
        self.size, self.n = network.size, len(X)
        self.batches = [MiniBatch(network, X[i:i + batch_size], Y[i:i + batch_size], training=False,
                                  statistics=statistics, checked=True) for i in range(0, len(X), batch_size)]

    def shares(self):
        """(share of the examples, batch) one after the other; none of several keeps what it knows."""
        for batch in self.batches:
            yield batch.n / self.n, batch
            if len(self.batches) > 1:
                batch._kept = None

    def value(self, theta):
        return sum(share * batch.value(theta) for share, batch in self.shares())

    def gradient(self, theta):
        return sum(share * batch.gradient(theta) for share, batch in self.shares())

    def value_and_gradient(self, theta):
        f, g = 0.0, 0.0
        for share, batch in self.shares():
            f, g = f + share * batch.value(theta), g + share * batch.gradient(theta)
        return f, g

    def accuracy(self, theta):
        """The share of examples whose largest output is that of their label."""
        return sum(share * batch.accuracy(theta) for share, batch in self.shares())

    def blocks(self, vector):
        return self.batches[0].blocks(vector)

    def operator(self, kind, theta, **arguments):
        """One of the curvature matrices; its product is the mean of the batches' products."""
        if len(self.batches) == 1:
            return getattr(self.batches[0], kind)(theta, **arguments)
        return symmetric(lambda v: sum(share * (getattr(batch, kind)(theta, **arguments) @ v)
                                       for share, batch in self.shares()), theta)

    def hessian(self, theta):
        return self.operator("hessian", theta)

    def gauss_newton(self, theta):
        return self.operator("gauss_newton", theta)

    def fisher(self, theta, samples=None, seed=None):
        return self.operator("fisher", theta, samples=samples, seed=seed)

    def empirical_fisher(self, theta):
        return self.operator("empirical_fisher", theta)


class EmpiricalRisk:
    """A problem made of a network and data: at step t, the loss on the t-th mini-batch.

    Every epoch goes once through the data, in an order that is a function of (seed, epoch); the last batch of an
    epoch is smaller where batch_size does not divide the number of examples.  So two methods given the same seed see
    the same batches, and a run that goes on from step t sees what it would have seen.
    """

    def __init__(self, network, X, Y, batch_size=None, seed=0):
        self.network, self.X = network, network.checked_inputs(X)
        self.Y = network.loss.checked(Y, len(self.X), network.output_size)
        self.size, self.n = network.size, len(self.X)
        self.batch_size = self.n if batch_size is None else batch_size
        if not isinstance(self.batch_size, (int, np.integer)) or not 1 <= self.batch_size <= self.n:
            raise ValueError(f"batch_size is {batch_size}; with {self.n} examples it must be a whole number "
                             f"from 1 to {self.n}, or None for all of them")
        self.seed = seed
        self.steps_per_epoch = -(-self.n // self.batch_size)
        self._order = None, None

    def loss(self, t):
        """The mini-batch of step t = 1, 2, 3, ..."""
        epoch, i = divmod(t - 1, self.steps_per_epoch)
        chosen = self.order(epoch)[i * self.batch_size:(i + 1) * self.batch_size]
        return MiniBatch(self.network, self.X[chosen], self.Y[chosen], seed=(self.seed, t), checked=True)

    def losses(self, after=0):
        return Objective.losses(self, after)

    def order(self, epoch):
        """The order of the examples in that epoch."""
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.n)
        return self._order[1]

    @cached_property
    def whole(self):
        """The objective over all the data."""
        return Whole(self.network, self.X, self.Y)

    def blocks(self, vector):
        return self.network.blocks(vector)


class Wrapped(Objective):
    """A problem that answers as another one does; its subclasses change some of the answers."""

    def __init__(self, problem):
        self.problem, self.size = problem, problem.size

    def loss(self, t):
        """The same change, on the objective of step t."""
        changed = copy.copy(self)
        changed.problem = self.problem.loss(t)
        return changed

    def value(self, theta):
        return self.problem.value(theta)

    def gradient(self, theta):
        return self.problem.gradient(theta)

    def hessian(self, theta):
        return self.problem.hessian(theta)

    def gauss_newton(self, theta):
        return self.problem.gauss_newton(theta)

    def fisher(self, theta):
        return self.problem.fisher(theta)

    def empirical_fisher(self, theta):
        return self.problem.empirical_fisher(theta)

    def blocks(self, vector):
        return self.problem.blocks(vector)

    def __getattr__(self, name):
        if name.startswith("__") or name == "problem":
            raise AttributeError(name)
        return getattr(self.problem, name)


class Clipped(Wrapped):
    """Gradients cut down to size: each number to [−element, element], or the whole vector to a length of `norm`.

    Goodfellow, Bengio and Courville (2016), Section 10.11.1; Pascanu et al. (2013), Algorithm 1, for the norm.
    Ravasi's lecture prints min(∇J, th), which leaves a derivative of −100 as it is.
    """

    def __init__(self, problem, element=None, norm=None):
        super().__init__(problem)
        if (element is None) == (norm is None):
            raise ValueError("Clipped takes one of element= and norm=: the most that a number, or the length, may be")
        positive(element if norm is None else norm, "element" if norm is None else "norm")
        self.element, self.norm = element, norm

    def gradient(self, theta):
        g = self.problem.gradient(theta)
        if self.norm is None:
            return np.clip(g, -self.element, self.element)
        length = float(np.linalg.norm(g))
        return g * (self.norm / length) if length > self.norm else g


class Ridge(Wrapped):
    """A problem and ½ strength ‖θ‖²: L2 regularisation, which shrinks θ in proportion (Hoerl and Kennard 1970)."""

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = positive(strength, "strength")

    def value(self, theta):
        return self.problem.value(theta) + self.strength * (theta @ theta).item() / 2

    def gradient(self, theta):
        return self.problem.gradient(theta) + self.strength * theta

    def hessian(self, theta):
        return damped(self.problem.hessian(theta), self.strength)

    def gauss_newton(self, theta):
        return damped(self.problem.gauss_newton(theta), self.strength)


class Lasso(Wrapped):
    """A problem and strength ‖θ‖₁: L1 regularisation, which makes small parameters zero (Tibshirani 1996).

    Where θ_i = 0 its derivative is taken to be 0.  Gradient steps hop over the kink; `proximal` is the step that
    meets it: θ after a gradient step of rate lr on the problem alone, pulled towards 0 by lr · strength.
    """

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = positive(strength, "strength")

    def value(self, theta):
        return self.problem.value(theta) + self.strength * np.abs(theta).sum().item()

    def gradient(self, theta):
        return self.problem.gradient(theta) + self.strength * np.sign(theta)

    def proximal(self, theta, lr):
        """argmin over x of lr · strength ‖x‖₁ + ½‖x − θ‖²: soft thresholding."""
        return np.sign(theta) * np.maximum(np.abs(theta) - lr * self.strength, 0)


def positive(value, name):
    if not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be a number above 0, and is {value!r}")
    return float(value)
