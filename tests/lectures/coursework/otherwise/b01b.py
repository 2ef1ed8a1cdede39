"""Assignment 01b with whole matrices, which a small network can afford."""
from numopt.problems.minibatch import constant, np, symmetric


class MiniBatch:
    def hessian(self, theta):
        theta = constant(theta)
        z, saved, _ = self.forward(theta)
        dz = self.network.loss.gradient(z, self.Y)

        def column(v):
            v = np.ravel(v).astype(theta.dtype)
            Rz, Rsaved = self.network.jvp(theta, saved, v, None)
            Rdz = self.network.loss.hessian_product(z, self.Y, Rz)
            out = np.full_like(theta, np.nan)
            self.network.r_backward(theta, saved, v, Rsaved, dz, Rdz, out, inputs=False)
            return out / self.n

        return symmetric(column, theta)

    def through_outputs(self, theta, product):
        J = by_forward_passes(self, theta)
        n, outputs, _ = J.shape
        M = np.stack([product(np.broadcast_to(e, (n, outputs))) for e in np.eye(outputs, dtype=J.dtype)], axis=2)
        whole = np.einsum("noi,nop,npj->ij", J, M, J) / n
        return symmetric(lambda v: whole @ np.ravel(v), theta)

    def jacobian(self, theta):
        return by_forward_passes(self, theta)


def by_forward_passes(batch, theta):
    theta = constant(theta)
    _, saved, _ = batch.forward(theta)
    columns = [batch.network.jvp(theta, saved, e, None)[0] for e in np.eye(theta.size, dtype=theta.dtype)]
    return np.moveaxis(np.array(columns), 0, -1)
