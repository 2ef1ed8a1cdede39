"""Steps as far down as a length allows, whatever is called a length: a linear minimisation oracle.      Lecture 11."""
import numpy as np

from numopt.linalg.norms import unit
from numopt.linalg.roots import newton_schulz
from numopt.optimizer import optimizer
from numopt.optimizers.kronecker import SCALES, flat, known
from numopt.schedules import schedule


@optimizer
def scion(problem, theta, *, lr=1e-3, mu=0.0, ball="spectral", weight_decay=0.0, t=0, m=0.0):
    """Of all steps in a ball of length lr, the one that goes furthest against the gradient, for any ball.

    Pethick et al. (2025), Algorithm 1, with mu for one minus their α (1 in their code: no memory).  Measured by its
    largest number, the ball "sign", it is sign descent; by its length, "euclidean", normalised descent; by the largest
    singular value of each matrix in units of √(m/n), "spectral", Muon without look ahead.  Their Algorithm 2, which
    keeps θ in the ball of radius ρ, is weight_decay = 1/ρ.
    In Table 1: length each by gradient; curvature F̃; structure L ⊗ I; over time momentum.
    """
    lr, mu, furthest = schedule(lr), schedule(mu, "mu", below=1), known(BALLS, "ball", ball)
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        m = mu(t) * m + (1 - mu(t)) * g
        d = furthest(m, loss.blocks)
        theta = theta - lr(t) * (d + weight_decay * theta)
        yield theta


# The point of a ball that lies furthest in a direction, a vector that `blocks` makes into matrices.
BALLS = {"sign": lambda d, blocks: np.sign(d), "euclidean": lambda d, blocks: unit(d),
         "spectral": lambda d, blocks: flat(SCALES["spectral"](*D_i.shape) * newton_schulz(D_i) for D_i in blocks(d))}
