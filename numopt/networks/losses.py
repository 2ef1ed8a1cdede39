"""What a model's outputs cost, one example a row, with the derivatives that optimizers ask for.          Lecture 1.

A loss is the negative logarithm of a likelihood: of a Gaussian or of a categorical distribution.  So it can draw
labels as well as judge them, and its Fisher matrix over the outputs z is an expectation over its own labels.
Nothing here is averaged over the examples; whoever holds the examples does that.  A loss of your own is a subclass of
Loss; `python -m numopt.check mine.py:Huber` says whether its derivatives are right.
"""
import numpy as np

from numopt.kernels.dense import softmax_hessian_product
from numopt.networks.layers import call


class Loss:
    """What a loss answers, for outputs z of shape (n, outputs) and targets y as `checked` gives them.

        class Huber(Loss):
            def values(self, z, y):
                return np.where(abs(z - y) < 1, (z - y)**2 / 2, abs(z - y) - 1 / 2).sum(axis=1)

            def gradient(self, z, y):
                return np.clip(z - y, -1, 1)

            def hessian_product(self, z, y, u):
                return np.where(abs(z - y) < 1, u, 0)

    With the first two it can be trained by gradients; with the third there are Hessian and Gauss-Newton products, and
    with the rest, for a likelihood, Fisher products.
    """

    def __repr__(self):
        return call(self)

    def unanswered(self, what, unless):
        raise NotImplementedError(f"{type(self).__name__} {what}; {unless}")

    def values(self, z, y):
        """The loss of each example, n numbers."""
        self.unanswered("has no values", "write its method values(z, y)")

    def gradient(self, z, y):
        """∂/∂z, a row for each example, each of its own loss."""
        self.unanswered("has no gradient", "write its method gradient(z, y)")

    def hessian_product(self, z, y, u):
        """H u for every example, with H = ∂²/∂z² and u shaped like z."""
        self.unanswered("has no second derivatives", "write its method hessian_product(z, y, u)")

    def fisher_product(self, z, u):
        """F u for every example, where F = E[∂ ∂ᵀ] over y drawn from the model."""
        self.unanswered("is not a likelihood", "if it is one, write its method fisher_product(z, u)")

    def fisher_root(self, z):
        """Arrays u_c, shaped like z, with F = Σ_c u_c u_cᵀ for each example."""
        self.unanswered("is not a likelihood", "if it is one, write its method fisher_root(z)")

    def sample(self, z, rng):
        """Labels drawn from the model."""
        self.unanswered("is not a likelihood", "if it is one, write its method sample(z, rng)")

    def checked(self, Y, n, outputs):
        """The targets as an (n, outputs) array, or an error that says what is wrong with them."""
        return numbers(Y, n, outputs)


class SquaredError(Loss):
    """½‖z − y‖²: minus the logarithm of a Gaussian with unit variance, up to a constant."""

    def values(self, z, y):
        """The loss of each example."""
        return (self.gradient(z, y)**2).sum(axis=1) / 2

    def gradient(self, z, y):
        """∂/∂z, a row for each example."""
        return z - y.astype(z.dtype, copy=False)

    def hessian_product(self, z, y, u):
        """H u, where H = ∂²/∂z² = I."""
        return u

    def fisher_product(self, z, u):
        """F u, where F = E[∂ ∂ᵀ] over y drawn from the model: the variance of y, I."""
        return u

    def fisher_root(self, z):
        """Arrays u_c, shaped like z, with F = Σ_c u_c u_cᵀ for each example: here the unit vectors."""
        return [np.broadcast_to(e, z.shape) for e in np.eye(z.shape[1], dtype=z.dtype)]

    def fisher_parts(self, z):
        """d, and arrays a_c and b_c, with F = diag(d) + Σ_c a_c b_cᵀ for each example: here the identity."""
        nothing = np.zeros((0, *z.shape), z.dtype)
        return np.ones_like(z), nothing, nothing

    def sample(self, z, rng):
        """Labels drawn from the model, y ~ N(z, I)."""
        return z + rng.standard_normal(z.shape).astype(z.dtype)


class SoftmaxCrossEntropy(Loss):
    """−log p_y with p = softmax(z): the negative logarithm of the probability given to the right class.

    Stable for logits of any size: the largest is subtracted before anything is exponentiated.  And exact where p_y is
    nearly 1: neither the loss nor its derivatives are differences of two numbers that are nearly the same.
    """

    def values(self, z, y):
        """The loss of each example: log Σ exp z − z_y."""
        rows, most = np.arange(len(z)), z.argmax(axis=1)
        z = z - z[rows, most, None]
        others = np.exp(z)
        others[rows, most] = 0
        return np.log1p(others.sum(axis=1)) - z[rows, y]

    def gradient(self, z, y):
        """∂/∂z = p − e_y, a row for each example."""
        d = np.exp(np.subtract(z, z.max(axis=1, keepdims=True), order="C"))
        flat, right = d.reshape(-1), np.arange(0, d.size, d.shape[1]) + y
        e_y = flat[right]
        flat[right] = 0
        others = d.sum(axis=1)
        total = others + e_y
        d /= total[:, None]
        flat[right] = -others / total  # p_y − 1
        return d

    def hessian_product(self, z, y, u):
        """H u, where H = ∂²/∂z² = diag(p) − p pᵀ, which does not depend on y."""
        return softmax_hessian_product(z, u)

    def fisher_product(self, z, u):
        """F u, where F = Σ_y p_y (p − e_y)(p − e_y)ᵀ: the same matrix as the Hessian."""
        return self.hessian_product(z, None, u)

    def fisher_root(self, z):
        """Arrays u_c with F = Σ_c u_c u_cᵀ: the gradient if the label were c, times the root of c's probability."""
        labels = np.arange(z.shape[1])
        return np.sqrt(softmax(z)).T[:, :, None] * np.array([self.gradient(z, np.full(len(z), c)) for c in labels])

    def fisher_parts(self, z):
        """d, and arrays a_c and b_c, with F = diag(d) + Σ_c a_c b_cᵀ for each example, here diag(p) − p pᵀ.

        With m the most probable class, and p̄ = p but for p̄_m = 0, it is diag(p̄) − p (p − e_m)ᵀ − p̄ e_mᵀ:
        near p_m = 1 the difference p_m − p_m² would be lost in rounding.
        """
        p, most = softmax(z), (np.arange(len(z)), z.argmax(axis=1))
        others, one = p.copy(), np.zeros_like(p)
        others[most], one[most] = 0, 1
        b = others.copy()
        b[most] = -others.sum(axis=1)  # p_m − 1
        return others, np.array([-p, -others]), np.array([b, one])

    def sample(self, z, rng):
        """Labels drawn from the model, by inverting the distribution function."""
        below = np.cumsum(softmax(z), axis=1)
        drawn = (below < rng.random((len(z), 1)) * below[:, -1:]).sum(axis=1)
        return np.minimum(drawn, z.shape[1] - 1)

    def checked(self, Y, n, outputs):
        """The labels as n integers below `outputs`, or an error that says what is wrong with them."""
        Y = unmasked(Y, "Y")
        if Y.shape != (n,):
            one_hot = Y.shape == (n, outputs) and ((Y == 0) | (Y == 1)).all() and (Y.sum(axis=1) == 1).all()
            hint = {(n, outputs): "; turn one-hot rows into labels with Y.argmax(axis=1)" if one_hot else
                    "; this loss takes one class an example, and no probabilities of all of them (soft labels)",
                    (n, 1): "; use Y[:, 0]"}
            raise ValueError(f"there must be one label an example, shape ({n},); the labels have shape {Y.shape}"
                             + hint.get(Y.shape, ""))
        if Y.dtype.kind not in "iuf":
            raise ValueError(f"labels must be whole numbers from 0 to {outputs - 1}; these are {Y.dtype}")
        wrong = np.flatnonzero(~((Y >= 0) & (Y < outputs) & (Y == np.floor(Y))))
        if wrong.size:
            raise ValueError(f"label {Y[wrong[0]]} of example {wrong[0]} is not among the network's {outputs} classes, "
                             f"the whole numbers from 0 to {outputs - 1}")
        return Y.astype(np.intp, copy=False)


def softmax(z):
    """exp z / Σ exp z, along each row."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def unmasked(values, name):
    """An array of them; what stands behind a mask would be used as if it were seen."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array: leave the masked entries out, or fill them in: {name}.filled()")
    return np.asarray(values)


def numbers(Y, n, outputs):
    """The targets as an (n, outputs) array, or an error that says what is wrong with them."""
    Y = unmasked(Y, "Y")
    if Y.ndim == 1:
        Y = Y[:, None]
    if Y.dtype.kind not in "fiu" or Y.shape != (n, outputs):
        raise ValueError(f"the targets must be numbers of shape ({n}, {outputs}), an output of the network each; "
                         f"they are {Y.dtype} of shape {Y.shape}")
    if not np.isfinite(Y).all():
        raise ValueError("the targets hold NaN or infinity; leave those examples out or fill them in")
    return Y.astype(np.result_type(Y, np.float32), copy=False)
