"""What a method asks of its problem, counted: values, gradients, and products with a curvature matrix."""
import numpy as np

from numopt.linalg.operators import Operator
from numopt.problems.wrappers import Wrapped


class CountedMatrix(Operator):
    """A curvature matrix that counts its products; made into an array, it counts as one product for each column."""

    def __init__(self, matrix, counts):
        super().__init__(None, None, matrix.shape, matrix.dtype)
        self.matrix, self.counts = matrix, counts

    def _matvec(self, v):
        self.counts["products"] += 1
        return self.matrix @ v

    def _matmat(self, V):
        self.counts["products"] += V.shape[1]
        return self.matrix @ V

    def _rmatvec(self, v):
        return self._adjoint() @ v

    def _adjoint(self):
        return CountedMatrix(self.matrix.T, self.counts)

    def dense(self):
        return self @ np.eye(self.shape[1], dtype=self.dtype)


class Counted(Wrapped):
    """Another problem, keeping count of what it is asked, at all its steps together.

        problem = Counted(Rosenbrock())
        record(adam(problem, theta), steps=100, measure={"gradients": lambda theta: problem.gradients})

    values, gradients   how many; value_and_gradient is one of each
    products            vectors multiplied by a curvature matrix; if it was used as an array, to solve with, its columns

    Whatever else the problem can answer is passed on; COUNTS_AS says as what it counts, if it does.  What you measure
    yourself, ask of `problem.problem`, or it counts too.
    """

    COUNTS_AS = {"residuals": "values", "jacobian": "gradients", "per_example_gradients": "gradients",
                 "fisher_rows": "gradients", "fisher_moments": "gradients"}

    def __init__(self, problem):
        super().__init__(problem)
        self.counts = {"values": 0, "gradients": 0, "products": 0}

    def __repr__(self):
        return f"{super().__repr__()[:-1]}: {', '.join(f'{count} {name}' for name, count in self.counts.items())}>"

    values = property(lambda self: self.counts["values"])
    gradients = property(lambda self: self.counts["gradients"])
    products = property(lambda self: self.counts["products"])

    def loss(self, t):
        loss = self.problem.loss(t)
        return self if loss is self.problem else self.around(loss)

    def value(self, theta):
        self.counts["values"] += 1
        return self.problem.value(theta)

    def gradient(self, theta):
        self.counts["gradients"] += 1
        return self.problem.gradient(theta)

    def value_and_gradient(self, theta):
        self.counts["values"] += 1
        self.counts["gradients"] += 1
        return self.problem.value_and_gradient(theta)

    def hessian(self, theta):
        return CountedMatrix(self.problem.hessian(theta), self.counts)

    def gauss_newton(self, theta):
        return CountedMatrix(self.problem.gauss_newton(theta), self.counts)

    def fisher(self, theta, **how):
        return CountedMatrix(self.problem.fisher(theta, **how), self.counts)

    def sampled_fisher(self, theta):
        return CountedMatrix(self.problem.sampled_fisher(theta), self.counts)

    def empirical_fisher(self, theta):
        return CountedMatrix(self.problem.empirical_fisher(theta), self.counts)

    def sampled_gradient(self, theta, seed=None):
        self.counts["gradients"] += 1
        return self.problem.sampled_gradient(theta, seed)

    def kronecker_factors(self, theta, **how):
        self.counts["gradients"] += 1
        return self.problem.kronecker_factors(theta, **how)

    def __getattr__(self, name):
        question = super().__getattr__(name)
        if name not in self.COUNTS_AS:
            return question

        def counted(*arguments, **keywords):
            self.counts[self.COUNTS_AS[name]] += 1
            return question(*arguments, **keywords)

        return counted
