"""Assignment 01b by one column of the result after the other, and without the package's wrappers."""
import numpy as np
from scipy.sparse.linalg import LinearOperator

from numopt.problems.minibatch import constant


class MiniBatch:
    def hessian(self, theta):
        theta = constant(theta)
        z, saved, _ = self.forward(theta)
        n, net = len(z), self.network

        def times(v):
            v = np.array(v, theta.dtype).reshape(-1)
            Rz, kept = net.jvp(theta, saved, v, None)
            result = np.zeros_like(theta)
            net.r_backward(theta, saved, v, kept, net.loss.gradient(z, self.Y) / n,
                           net.loss.hessian_product(z, self.Y, Rz) / n, result, inputs=False)
            return result

        return LinearOperator((theta.size, theta.size), matvec=times, rmatvec=times, dtype=theta.dtype)

    def through_outputs(self, theta, product):
        theta = constant(theta)
        z, saved, _ = self.forward(theta)

        def times(v):
            change = self.network.jvp(theta, saved, np.array(v, theta.dtype).ravel(), None)[0]
            return self.backward(theta, saved, product(change)) / len(z)

        return LinearOperator((theta.size, theta.size), matvec=times, rmatvec=times, dtype=theta.dtype)

    def jacobian(self, theta):
        theta = constant(theta)
        z, saved, _ = self.forward(theta)
        J = np.empty((*z.shape, theta.size), z.dtype)
        for i in range(z.shape[0]):
            for j in range(z.shape[1]):
                e = np.zeros_like(z)
                e[i, j] = 1
                J[i, j] = self.backward(theta, saved, e)
        return J
