"""Assignment 09 with a solver of its own, and lengths along the eigenvectors."""
from numopt.linalg.systems import conjugate_gradient, dense
from numopt.optimizers.natural import eigenbasis, np, schedule


def direction(H, damping, g, solver, steps):
    if solver == "diagonal":
        return g / (np.diag(dense(H, g.size)) + damping)
    H = dense(H, g.size) + damping * np.eye(g.size, dtype=g.dtype)
    return np.linalg.inv(H) @ g if solver == "dense" else conjugate_gradient(H, g, steps=steps)


def natural_gradient(problem, theta, *, lr=1.0, curvature="fisher", damping=1e-2, solver="cg", cg_steps=50, t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        theta = theta - lr(t) * direction(getattr(loss, curvature)(theta), damping, g, solver, cg_steps)
        yield theta


def normalized_natural_gradient(problem, theta, *, lr=0.1, curvature="fisher", damping=1e-2, structure="full", t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        whitened = (loss.gradient(theta) @ Q) / np.sqrt(lam)
        size = float(np.sqrt(whitened @ whitened))
        if size > 0:
            theta = theta - Q @ (whitened / np.sqrt(lam)) * (lr(t) / size)
        yield theta


def clipped_natural_gradient(problem, theta, *, lr=1.0, epsilon=0.1, curvature="fisher", damping=1e-2,
                             structure="full", t=0):
    lr = schedule(lr)
    for t, loss in problem.losses(after=t):
        lam, Q = eigenbasis(loss, theta, curvature, damping, structure)
        g = Q.T @ loss.gradient(theta)
        size = float(np.sqrt(np.sum(g * g / lam)))
        rate = min(lr(t), epsilon / size) if size else lr(t)
        theta = theta + Q @ (g / lam * -rate)
        yield theta
