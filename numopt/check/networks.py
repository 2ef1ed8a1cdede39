"""Are the derivatives of a network, a layer or a loss right?  Each question has a relative error, and a limit for it.

They are compared with the complex step, f'(x) v = Im f(x + ihv) / h, which is exact to the last digits (Squire and
Trapp 1998) as long as f is analytic.  Functions such as abs, sign or logaddexp are not, or not for complex numbers:
where complex step and differences disagree the differences are taken, with a wider limit, and a note says so.
"""
from math import nan

import numpy as np

from numopt.check.derivatives import random_directions, relative_error
from numopt.networks.layers import Mode
from numopt.networks.losses import SquaredError
from numopt.problems.minibatch import MiniBatch

EXACT, DIFFERENCES, SAMPLED = 1e-9, 1e-5, 0.1
SAMPLES = 4000


class Errors(dict):
    """{question: relative error}; nan where there is no answer.  Above its limit an answer is wrong; notes say why a
    limit is not that of the complex step."""

    def __init__(self):
        self.limits, self.notes = {}, []

    @property
    def right(self):
        return all(not error >= self.limits[question] for question, error in self.items())

    def ask(self, question, compared, limit=EXACT):
        """Compare the two things that `compared(along)` gives, `along` being how derivatives are taken."""
        by = Along()
        try:
            self[question] = relative_error(*compared(by))
        except NotImplementedError:
            self[question] = nan
        self.limits[question] = max(limit, DIFFERENCES if by.differences else 0)
        if by.differences:
            self.notes.append(f"{question}: the function is not analytic, so differences were taken, right to 5 digits")

    def __str__(self):
        lines = [f"{question:<24}{error:>9.1e}   " +
                 ("not answered" if np.isnan(error) else "right" if error < self.limits[question] else "wrong")
                 for question, error in self.items()]
        return "\n".join([*lines, *self.notes])


class Along:
    """The derivative of f at x in the direction v, by complex step, or by differences where that is none."""

    differences = False

    def __call__(self, f, x, v):
        exact = complex_step(f, x, v)
        by_differences = [central(f, x, v, h) for h in (1e-6, 1e-8)]  # a kink lies between the second for hardly any x
        if exact is not None and min(relative_error(exact, other) for other in by_differences) < 1e-4:
            return exact
        if exact is not None and not np.any(exact) and not np.any(np.abs(by_differences[0]) > 1e-9):
            return exact
        self.differences = True
        return by_differences[0]


def complex_step(f, x, v):
    """The imaginary part of f(x + ihv) / h; None where f does not take complex numbers."""
    h = 1e-30
    try:
        with np.errstate(all="ignore"):
            return np.imag(f(x + 1j * h * v)) / h
    except TypeError:
        return None


def central(f, x, v, h):
    """(f(x + hv) − f(x − hv)) / 2h, h being a share of the length of x."""
    h = h * (1 + float(np.linalg.norm(x))) / (float(np.linalg.norm(v)) or 1)
    return (np.asarray(f(x + h * v)) - f(x - h * v)) / (2 * h)


def network_errors(network, n=4, seed=0, directions=2):
    """The errors of all derivatives of a network, on n random examples, at a random θ.

    A matrix M is asked for its products with random v, and wᵀMv compared with directional derivatives, which use only
    the forward pass: of the loss for the gradient, of the gradient for the Hessian, of the outputs and of the losses of
    every label for the others.
    """
    random, loss = np.random.default_rng(seed), network.loss
    X = random.standard_normal((n, *network.inputs))
    theta = network.initial(seed) + 0.1 * random.standard_normal(network.size)
    labels = some_labels(loss, random.standard_normal((n, network.output_size)), random)
    batch = MiniBatch(network, X, labels, seed=(seed, 1))
    V = random_directions(theta, directions, seed)

    def outputs(theta):
        return batch.forward(theta)[0]

    def losses(y):
        return lambda theta: loss.values(batch.forward(theta)[0], y)

    z = outputs(theta)

    def moments(by, left, right=None):
        """wᵀMv for all pairs of directions, M being the mean of Jᵀ H J or of g gᵀ."""
        right = left if right is None else right
        return np.array([[(a * b).sum() / n for b in right] for a in left])

    def gauss_newton(by):
        Jv = [by(outputs, theta, v) for v in V]
        return moments(by, Jv, [by(lambda z: loss.gradient(z, labels), z, u) for u in Jv])

    def products(kind):
        M = getattr(batch, kind)(theta)
        M @ V[0]  # another way may be taken from the second product on
        return np.array([[w @ (M @ v) for v in V] for w in V])

    def fisher(by):
        return expected(loss, z, [by(outputs, theta, v) for v in V], random) / n

    errors = Errors()
    errors.ask("gradient", lambda by: (V @ batch.gradient(theta), [by(batch.value, theta, v) for v in V]))
    errors.ask("hessian", lambda by: (products("hessian"), [[by(batch.gradient, theta, v) @ w for v in V] for w in V]))
    errors.ask("hessian, symmetric", lambda by: (products("hessian"), products("hessian").T))
    errors.ask("gauss_newton", lambda by: (products("gauss_newton"), gauss_newton(by)))
    errors.ask("fisher", lambda by: (products("fisher"), fisher(by)), limit_of_fisher(loss, labels))
    errors.ask("empirical_fisher", lambda by: (products("empirical_fisher"),
                                               moments(by, [by(losses(labels), theta, v) for v in V])))
    errors.ask("per_example_gradients", lambda by: (batch.per_example_gradients(theta) @ V.T,
                                                    np.transpose([by(losses(labels), theta, v) for v in V])))
    return errors


def loss_errors(loss, outputs=3, n=4, seed=0):
    """The errors of a loss's derivatives by the outputs z, at random z and labels."""
    random = np.random.default_rng(seed)
    z, u = 1.5 * random.standard_normal((n, outputs)), random.standard_normal((n, outputs))
    w, y = random.standard_normal((n, outputs)), some_labels(loss, z, random)
    errors = Errors()
    errors.ask("gradient", lambda by: ((loss.gradient(z, y) * u).sum(axis=1), by(lambda z: loss.values(z, y), z, u)))
    errors.ask("hessian_product", lambda by: (loss.hessian_product(z, y, u), by(lambda z: loss.gradient(z, y), z, u)))
    errors.ask("fisher_product", lambda by: ([[(a * loss.fisher_product(z, b)).sum() for b in (u, w)] for a in (u, w)],
                                             expected(loss, z, [u, w], random)), limit_of_fisher(loss, y))
    errors.ask("fisher_root", lambda by: (loss.fisher_product(z, u), sum(
        c * (c * u).sum(axis=1, keepdims=True) for c in loss.fisher_root(z))))
    return errors


def layer_errors(layer, shape=None, n=3, seed=0):
    """The errors of a layer's passes, on examples of that shape; without one, of the first that it takes."""
    random = np.random.default_rng(seed)
    shape = taken_shape(layer) if shape is None else shape
    w, v = random.standard_normal(layer.size), random.standard_normal(layer.size)
    x, Rx = random.standard_normal((n, *shape)), random.standard_normal((n, *shape))

    def forward(w, x):
        return layer.forward(w, x, Mode(seed=(seed, 1)))

    y, saved = forward(w, x)
    dy, Rdy = random.standard_normal(y.shape), random.standard_normal(y.shape)

    def backward(w, x, dy):
        """dx and dw, one behind the other."""
        dw = np.zeros(layer.size, np.result_type(w, x, dy))
        return np.append(layer.backward(w, forward(w, x)[1], dy, dw).ravel(), dw)

    def together(h):
        """The output, and backward's answers, when all inputs have moved along their directions."""
        return backward(w + h[0] * v, x + h[0] * Rx, dy + h[0] * Rdy)

    def r_backward():
        Rdw = np.zeros(layer.size)
        _, Rsaved = layer.jvp(w, saved, v, Rx)
        _, Rdx = layer.r_backward(w, saved, v, Rsaved, dy, Rdy, Rdw)
        return np.append(Rdx.ravel(), Rdw)

    at, one = np.zeros(1), np.ones(1)
    errors = Errors()
    errors.ask("output_shape", lambda by: (layer.output_shape(shape), y.shape[1:]))
    errors.ask("backward", lambda by: (backward(w, x, dy) @ np.append(Rx.ravel(), v), (dy * by(
        lambda h: forward(w + h[0] * v, x + h[0] * Rx)[0], at, one)).sum()))
    errors.ask("jvp", lambda by: (layer.jvp(w, saved, v, Rx)[0], by(
        lambda h: forward(w + h[0] * v, x + h[0] * Rx)[0], at, one)))
    errors.ask("r_backward", lambda by: (r_backward(), by(together, at, one)))
    return errors


def taken_shape(layer):
    """The first shape of an example that the layer takes."""
    for shape in [(k,) for k in range(1, 11)][::-1] + [(8, 8, c) for c in range(1, 11)]:
        try:
            layer.output_shape(shape)
            layer.forward(np.zeros(layer.size), np.zeros((2, *shape)), Mode())
            return shape
        except Exception:
            continue
    raise ValueError(f"{type(layer).__name__} takes neither vectors of up to 10 numbers nor images of 8 × 8 pixels and "
                     f"up to 10 channels: give layer_errors the shape of an example")


def some_labels(loss, z, random):
    """Labels that the loss takes: drawn from the model, or random numbers, or whole numbers."""
    n, outputs = z.shape
    try:
        return loss.checked(loss.sample(z, random), n, outputs)
    except NotImplementedError:
        try:
            return loss.checked(random.standard_normal((n, outputs)), n, outputs)
        except ValueError:
            return loss.checked(random.integers(outputs, size=n), n, outputs)


def limit_of_fisher(loss, labels):
    """An expectation over labels is exact where there are only a few, or for a Gaussian, and otherwise drawn."""
    return EXACT if np.ndim(labels) == 1 or type(loss) is SquaredError else SAMPLED


def expected(loss, z, directions, random):
    """wᵀE[∂ ∂ᵀ]v, summed over the examples, for all pairs of directions in z; labels as the loss says that they are."""
    if type(loss) is SquaredError:
        return np.array([[(u * w).sum() for u in directions] for w in directions])
    n, outputs = z.shape
    drawn = loss.sample(z, random)
    if np.ndim(drawn) == 1:
        every = [np.full(n, y) for y in range(outputs)]
        labels, weights = every, np.exp([-loss.values(z, y) for y in every])
    else:
        labels, weights = [loss.sample(z, random) for _ in range(SAMPLES)], np.full((SAMPLES, n), 1 / SAMPLES)
    scores = np.array([[(loss.gradient(z, y) * u).sum(axis=1) for y in labels] for u in directions])
    return np.einsum("aln,ln,bln->ab", scores, weights, scores)
