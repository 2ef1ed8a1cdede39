"""Assignment 06 along eigenvectors and singular vectors, with other names."""
from numopt.line_search import backtracking, gain_ratio, remembering
from numopt.linalg.spectra import eigenbasis
from numopt.linalg.systems import dense
from numopt.optimizers.least_squares import np, residuals_and_jacobian, scales


def newton(problem, theta, *, t=0):
    for t, loss in problem.losses(after=t):
        lam, Q = np.linalg.eigh(dense(loss.hessian(theta), len(theta)))
        theta = theta - Q @ (Q.T @ loss.gradient(theta) / lam)
        yield theta


def damped_newton(problem, theta, *, damping=1e-3, t=0):
    for t, loss in remembering(problem.losses(after=t)):
        value, slope = loss.value_and_gradient(theta)
        lam, Q = eigenbasis(dense(loss.hessian(theta), theta.size), slope, damping)
        p = sum(-(q @ slope) / (abs(number) + damping) * q for number, q in zip(lam, Q.T))
        alpha, *_ = backtracking(loss, theta, p, value, slope)
        if alpha == 0:
            return
        theta = p * alpha + theta
        yield theta


def gauss_newton(problem, theta, *, search=backtracking, t=0):
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        U, sigma, Vt = np.linalg.svd(J, full_matrices=False)
        p = -(Vt.T / sigma) @ (U.T @ r)
        alpha, *_ = search(loss, theta, p, 0.5 * float(r @ r), r @ J)
        if alpha == 0:
            return
        theta = theta + p * alpha
        yield theta


def levenberg_marquardt(problem, theta, *, scaling="marquardt", tau=1e-3, t=0, mu=None, nu=2.0, D=0.0):
    for t, loss in remembering(problem.losses(after=t)):
        r, J = residuals_and_jacobian(loss, theta)
        D = scales(J, D, scaling)
        size = D * np.ones(theta.size)
        mu = mu if mu is not None else tau * float(np.diag(J.T @ J / size**2).max())
        g, H = J.T @ r, J.T @ J
        p = np.linalg.lstsq(np.vstack([J, np.sqrt(mu) * np.diag(size)]), -np.append(r, 0 * theta), rcond=None)[0]
        if np.array_equal(theta, theta + p):
            return
        model = -float(g @ p + p @ H @ p / 2)
        before, after = float(r @ r) / 2, float(loss.residuals(theta + p) @ loss.residuals(theta + p)) / 2
        rho = gain_ratio(before, after, model, theta.dtype)
        better = rho > 0
        theta = theta + p if better else theta
        mu *= max(1 / 3, 1 - (2 * rho - 1)**3) if better else nu
        nu = 2.0 if better else 2 * nu
        yield theta
