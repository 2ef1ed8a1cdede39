"""A problem changed a little: gradients clipped, noisy or gathered from pieces, a price for large θ.   Lecture 13."""
import copy

import numpy as np

from numopt.linalg.norms import norm, unit
from numopt.linalg.operators import Symmetric
from numopt.linalg.systems import damped
from numopt.problems.functions import whole_number
from numopt.problems.objective import Objective


class Wrapped(Objective):
    """A problem that answers as another one does; its subclasses change some of the answers.

    What they do not mention is about the other problem alone, `accuracy` and `per_example_gradients` for example.
    """

    def __init__(self, problem):
        self.problem, self.size = problem, problem.size

    def __repr__(self):
        own = {name: value for name, value in vars(self).items() if name != "size" and isinstance(value, (int, float))}
        said = ", ".join(f"{name}={value!r}" for name, value in own.items())
        return f"<{type(self).__name__}{f'({said})' * bool(said)} of {self.problem!r}>"

    def around(self, problem):
        """The same change, on another problem."""
        changed = copy.copy(self)
        changed.problem, changed.size = problem, problem.size
        return changed

    def loss(self, t):
        return self.around(self.problem.loss(t))

    @property
    def whole(self):
        return self.around(self.problem.whole)

    @property
    def smooth(self):
        return self.around(self.problem.smooth)

    def proximal(self, theta, lr):
        return self.problem.proximal(theta, lr)

    def value(self, theta):
        return self.problem.value(theta)

    def gradient(self, theta):
        return self.problem.gradient(theta)

    def hessian(self, theta):
        return self.problem.hessian(theta)

    def gauss_newton(self, theta):
        return self.problem.gauss_newton(theta)

    def fisher(self, theta, **how):
        return self.problem.fisher(theta, **how)

    def sampled_fisher(self, theta):
        return self.problem.sampled_fisher(theta)

    def empirical_fisher(self, theta):
        return self.problem.empirical_fisher(theta)

    def sampled_gradient(self, theta, seed=None):
        return self.problem.sampled_gradient(theta, seed)

    def kronecker_factors(self, theta, **how):
        return self.problem.kronecker_factors(theta, **how)

    def blocks(self, vector):
        return self.problem.blocks(vector)

    def __getattr__(self, name):
        if name.startswith("__") or name == "problem":  # while it is being unpickled it has no problem yet
            raise AttributeError(name)
        return getattr(self.problem, name)


class Clipped(Wrapped):
    """Gradients cut down to size: each number to [−element, element], or the whole vector to a length of `norm`.

    Goodfellow, Bengio and Courville (2016), Section 10.11.1; Pascanu et al. (2013), Algorithm 1, for the norm.
    Ravasi's lecture notes print min(∇J, th), which leaves a derivative of −100 as it is.
    """

    def __init__(self, problem, element=None, norm=None):
        super().__init__(problem)
        if (element is None) == (norm is None):
            raise ValueError("Clipped takes one of element= and norm=: the most that a number, or the length, may be")
        self.element, self.norm = element, norm
        if number("element" if norm is None else "norm", element if norm is None else norm) == 0:
            raise ValueError("clipped to 0, there is no gradient left; give Clipped a number above 0")

    def gradient(self, theta):
        g = self.problem.gradient(theta)
        if not np.isfinite(g).all():
            return g  # which ends a run; infinity cut down to size would not
        if self.norm is None:
            return np.clip(g, -self.element, self.element)
        return self.norm * unit(g) if norm(g) > self.norm else g


class Ridge(Wrapped):
    """A problem and ½ strength ‖θ‖²: L2 regularisation, which shrinks θ in proportion (Hoerl and Kennard 1970)."""

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = number("strength", strength)

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

    Where θ_i = 0 its derivative is taken to be 0.  Gradient steps hop over the kink; optimizers.proximal_descent
    meets it, with a gradient step on the `smooth` part, the problem alone, and a pull towards 0 by lr · strength.
    """

    def __init__(self, problem, strength):
        super().__init__(problem)
        self.strength = number("strength", strength)

    def value(self, theta):
        return self.problem.value(theta) + self.strength * np.abs(theta).sum().item()

    def gradient(self, theta):
        return self.problem.gradient(theta) + self.strength * np.sign(theta)

    @property
    def smooth(self):
        return self.problem.smooth

    def proximal(self, theta, lr):
        """argmin over x of lr · strength ‖x‖₁ + ½‖x − θ‖²: soft thresholding; after it that of a Lasso inside."""
        return self.problem.proximal(np.sign(theta) * np.maximum(np.abs(theta) - lr * self.strength, 0), lr)


class Accumulated(Wrapped):
    """Several mini-batches in turn as one: their mean gradient, gathered piece by piece, in the memory of one piece.

    Step t has the mean of the losses of mini-batches (t − 1) · pieces + 1 to t · pieces.  With pieces of one size that
    is a mini-batch of all their examples, unless batch normalisation ties those of a piece together.
    """

    def __init__(self, problem, pieces):
        super().__init__(problem)
        if not isinstance(pieces, (int, np.integer)) or isinstance(pieces, bool) or pieces < 1:
            raise ValueError(f"pieces is {pieces!r}; it must be a whole number of at least 1")
        self.pieces = int(pieces)

    def loss(self, t):
        return Pieces([self.problem.loss(self.pieces * (t - 1) + i) for i in range(1, self.pieces + 1)])

    @property
    def whole(self):
        return self.problem.whole

    @property
    def steps_per_epoch(self):
        """How many steps it takes to see all data: rounded up."""
        return -(-self.problem.steps_per_epoch // self.pieces)


class Pieces(Objective):
    """The mean of several objectives, each asked in its turn."""

    def __init__(self, losses):
        self.losses_of_pieces, self.size = losses, losses[0].size

    def value(self, theta):
        return sum(loss.value(theta) for loss in self.losses_of_pieces) / len(self.losses_of_pieces)

    def gradient(self, theta):
        g = np.array(self.losses_of_pieces[0].gradient(theta))
        for loss in self.losses_of_pieces[1:]:
            g += loss.gradient(theta)
        return g / len(self.losses_of_pieces)

    @property
    def smooth(self):
        return Pieces([loss.smooth for loss in self.losses_of_pieces])

    def proximal(self, theta, lr):
        return self.losses_of_pieces[0].proximal(theta, lr)  # the price is that of each piece

    def curvature(self, name, theta):
        matrices = [getattr(loss, name)(theta) for loss in self.losses_of_pieces]
        return Symmetric(lambda v: sum(matrix @ np.ravel(v) for matrix in matrices) / len(matrices), theta.size,
                         theta.dtype)

    def hessian(self, theta):
        return self.curvature("hessian", theta)

    def gauss_newton(self, theta):
        return self.curvature("gauss_newton", theta)

    def fisher(self, theta):
        return self.curvature("fisher", theta)

    def empirical_fisher(self, theta):
        return self.curvature("empirical_fisher", theta)

    def blocks(self, vector):
        return self.losses_of_pieces[0].blocks(vector)


class Tilted(Wrapped):
    """Another objective and a linear function, f(θ) + sᵀθ: a gradient shifted by s, the same curvature."""

    def __init__(self, problem, s):
        super().__init__(problem)
        self.s = s

    def value(self, theta):
        return self.problem.value(theta) + (self.s @ theta).item()

    def gradient(self, theta):
        g = self.problem.gradient(theta)
        return g + self.s.astype(g.dtype, copy=False)

    def value_and_gradient(self, theta):
        f, g = self.problem.value_and_gradient(theta)
        return f + (self.s @ theta).item(), g + self.s.astype(g.dtype, copy=False)


class Noisy(Tilted):
    """Another problem with noise in its gradient: what is random about mini-batches, in its simplest form.

    The objective of step t is f(θ) + σ ξᵀθ, where ξ ~ N(0, I) is drawn from (seed, t).  Its gradient has the mean
    ∇f and in every coordinate the standard deviation σ.  Asked itself, not for its loss(t), it answers without noise.
    """

    def __init__(self, problem, sigma, seed=0):
        if not isinstance(sigma, (int, float, np.number)) or not 0 <= sigma < np.inf:
            raise ValueError(f"sigma is {sigma!r}; a standard deviation is a number of at least 0")
        if problem.size is None:
            raise ValueError(f"Noisy must know how many numbers theta has: give {type(problem).__name__} its size")
        super().__init__(problem, np.zeros(problem.size))
        self.sigma, self.seed = float(sigma), whole_number(seed, "seed", least=0)

    def loss(self, t):
        xi = np.random.default_rng([self.seed, t]).standard_normal(self.size)
        return Tilted(self.problem.loss(t), self.sigma * xi)


def number(name, value):
    if not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a number of at least 0, and is {value!r}")
    return float(value)
