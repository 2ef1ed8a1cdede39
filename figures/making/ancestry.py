"""Which method comes from which, and at which setting it is that method again: what the family tree draws."""
from functools import partial
from math import sqrt

import numpy as np

from numopt.line_search import exact, full_step
from numopt.networks import linear, mlp
from numopt.optimizers import (
    adam, adamw, anderson, block_tridiagonal, by_layer, clipped_natural_gradient, decayed, delta_bar_delta,
    delta_bar_velocity, eigenbasis_clipped,
    eigenbasis_normalized, fishleg, full_matrix_adagrad, gauss_newton, gcr, gradient_descent,
    gradient_norm_clipped, gradient_norm_normalized, gradient_rate, kfac, lbfgs, levenberg_marquardt, lion,
    lookahead, momentum, momo, natural_gradient, nesterov, newton, newton_rate, nltgcr, nltgcr_adaptive,
    nltgcr_fisher, nonlinear_cg, normalized_descent, normalized_natural_gradient, polyak, proximal_descent,
    rmsprop, sam, schedule_free, scion, shampoo, sign_descent, sophia, sps, steepest_descent, svrg)
from numopt.problems import EmpiricalRisk, LeastSquares, Quadratic, Rosenbrock

# The method, the one it comes from, and what it changes; parents before children, children in the order of the picture.
TREE = [
    ("gradient_descent", None, "a step against the gradient"),
    ("proximal_descent", "gradient_descent", "then a pull to where f has its kink"),
    ("steepest_descent", "gradient_descent", "the best rate at every step"),
    ("nonlinear_cg", "steepest_descent", "directions that are conjugate"),
    ("normalized_descent", "gradient_descent", "the same length at every step"),
    ("scion", "normalized_descent", "the same length, by any measure"),
    ("sign_descent", "normalized_descent", "the same length in every coordinate"),
    ("rprop", "sign_descent", "longer, or halved when the sign turns"),
    ("lion", "sign_descent", "the sign of a momentum"),
    ("gradient_rate", "gradient_descent", "gradient descent on the rate as well"),
    ("newton_rate", "gradient_rate", "Newton steps for the rate, made safe"),
    ("newton_rate_printed", "newton_rate", "to the letter of the paper"),
    ("vsgd", "gradient_descent", "the best expected rate, by coordinate"),
    ("barzilai_borwein", "gradient_descent", "1 / curvature along the last step"),
    ("sps", "gradient_descent", "to where the tangent meets the bound"),
    ("momo", "sps", "by an average of tangents; no longer than lr"),
    ("dog", "gradient_descent", "the distance so far over the root of squares"),
    ("svrg", "gradient_descent", "less what a batch had too much at the anchor"),
    ("sam", "gradient_descent", "the gradient a little uphill"),
    ("delta_bar_delta", "gradient_descent", "a gain by coordinate, as signs agree"),
    ("delta_bar_velocity", "delta_bar_delta", "signs against the velocity"),
    ("momentum", "gradient_descent", "and a share of the last step"),
    ("nesterov", "momentum", "the gradient where that leads"),
    ("adagrad", "gradient_descent", "divided by the root of the sum of squares"),
    ("rmsprop", "adagrad", "an average that forgets, not a sum"),
    ("adadelta", "rmsprop", "the length of past steps as the rate"),
    ("adam", "rmsprop", "the gradient averaged, too"),
    ("amsgrad", "adam", "by the largest average so far"),
    ("nadam", "adam", "Nesterov's look ahead"),
    ("yogi", "adam", "squares that fall by adding"),
    ("adabelief", "adam", "squares of what was not expected"),
    ("radam", "adam", "no squares at first, then shortened"),
    ("adan", "adam", "a look ahead made of changes of g"),
    ("prodigy", "adam", "a lower bound on the distance as the rate"),
    ("adamw", "adam", "weight decay beside the step"),
    ("lamb", "adamw", "each layer as long as its weights"),
    ("schedule_free_adamw", "adamw", "the iterates averaged, not the gradients"),
    ("adahessian", "adam", "squares of diag H, not of g"),
    ("sophia", "adahessian", "diag H itself; steps clipped"),
    ("ivon", "adahessian", "diag H from gradients at points of chance"),
    ("full_matrix_adagrad", "adagrad", "all products g gᵀ, not squares alone"),
    ("shampoo", "full_matrix_adagrad", "as a Kronecker product"),
    ("soap", "shampoo", "Adam along its eigenvectors"),
    ("muon", "shampoo", "of the momentum alone, no sum"),
    ("anderson", "gradient_descent", "from a mixture with the least residual"),
    ("polyak", "gradient_descent", "of this or any method: the mean iterate"),
    ("schedule_free", "polyak", "and gradients near the mean"),
    ("lookahead", "gradient_descent", "of this or any: part of the way it went"),
    ("decayed", "gradient_descent", "of this or any: weights shrink beside the step"),
    ("by_layer", "gradient_descent", "of this or any: a factor for each layer"),
    ("newton", None, "to where the quadratic model is least"),
    ("damped_newton", "newton", "|λ| + damping for λ; a line search"),
    ("trust_region", "damped_newton", "a radius instead of damping"),
    ("newton_cg", "newton", "by conjugate gradients, not too exactly"),
    ("hessian_free", "newton_cg", "more damping, the worse the model"),
    ("gauss_newton", "newton", "JᵀJ for H, where f is a sum of squares"),
    ("levenberg_marquardt", "gauss_newton", "more damping, the worse the model"),
    ("sr1", "newton", "H from the steps: B s = y"),
    ("bfgs", "newton", "H⁻¹ from the steps, positive definite"),
    ("lbfgs", "bfgs", "made of the last few pairs"),
    ("natural_gradient", "newton", "the Fisher matrix for H"),
    ("normalized_natural_gradient", "natural_gradient", "of the length ε, measured by F"),
    ("clipped_natural_gradient", "normalized_natural_gradient", "cut only where it is longer"),
    ("gradient_norm_normalized", "natural_gradient", "ε |ĝ| along every eigenvector"),
    ("gradient_norm_clipped", "gradient_norm_normalized", "cut only where it is longer"),
    ("eigenbasis_normalized", "natural_gradient", "ε along every eigenvector"),
    ("eigenbasis_clipped", "eigenbasis_normalized", "cut only where it is longer"),
    ("block_tridiagonal", "natural_gradient", "layers as a chain of neighbours"),
    ("kfac", "natural_gradient", "G ⊗ A for F, layer by layer; momentum"),
    ("kfac_martens", "kfac", "finds rate and damping by itself"),
    ("ekfac", "kfac", "F's own diagonal along those eigenvectors"),
    ("fishleg", "natural_gradient", "the inverse of F is learned"),
    ("gcr", None, "directions that leave the least residual"),
    ("nltgcr", "gcr", "J is taken anew at every point"),
    ("nltgcr_adaptive", "nltgcr", "the residual as foretold, while right"),
    ("nltgcr_fisher", "nltgcr", "the Fisher matrix for J; a start by CG"),
]

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 5))
SCORES = X @ RANDOM.standard_normal((5, 3))
NET = EmpiricalRisk(mlp([5, 4, 3]), X, SCORES.argmax(axis=1), batch_size=20, seed=3)
WHOLE = EmpiricalRisk(NET.network, X, NET.Y)
START = NET.network.initial(seed=2)
LINEAR = EmpiricalRisk(linear(5, 3), X, np.tanh(SCORES), batch_size=20, seed=3)
BOWL = Quadratic(np.diag([1.0, 2, 5, 10]), b=np.ones(4))
ROSENBROCK = Rosenbrock()
TIMES = np.linspace(0, 2, 8)
DECAY = LeastSquares(lambda w: w[0] * np.exp(-w[1] * TIMES) - 2 * np.exp(-1.5 * TIMES) - 0.1 * np.cos(9 * TIMES))
LINE = LeastSquares(lambda w: w[0] + w[1] * TIMES - TIMES**2, lambda w: np.column_stack([TIMES**0, TIMES]),
                    lambda w: np.zeros((8, 2, 2)))
LARGE, STEPS = 1e100, 10


def same():
    """{(method, setting, the method that it is then): two runs}; the setting is what is written beside the name."""
    on_net = {"problem": NET, "theta": START}
    on_whole = {"problem": WHOLE, "theta": START, "curvature": "fisher", "damping": 0.1}
    on_bowl = {"problem": BOWL, "theta": np.array([3.0, -2, 1, 2])}
    dense, descent = partial(natural_gradient, **on_net, solver="dense"), partial(gradient_descent, **on_net, lr=0.1)
    return {
        ("proximal_descent", "no kink", "gradient_descent"): (proximal_descent(**on_net, lr=0.1), descent()),
        ("nonlinear_cg", "overlap = 0, exact", "steepest_descent"):
            (nonlinear_cg(**on_bowl, overlap=0, search=exact), steepest_descent(**on_bowl)),
        ("lion", "beta1 = 0", "sign_descent"): (lion(**on_net, beta1=0, lr=0.01), sign_descent(**on_net, lr=0.01)),
        ("gradient_rate", "alpha = 0", "gradient_descent"): (gradient_rate(**on_net, alpha=0, lr=0.1), descent()),
        ("newton_rate", "most = 1", "gradient_descent"): (newton_rate(**on_net, most=1, lr=0.1), descent()),
        ("delta_bar_delta", "kappa = phi = 0", "gradient_descent"):
            (delta_bar_delta(**on_net, kappa=0, phi=0, lr=0.1), descent()),
        ("delta_bar_velocity", "mu = 0, rho = 0", "delta_bar_delta"):
            (delta_bar_velocity(**on_net, mu=0, lr=0.1), delta_bar_delta(**on_net, rho=0, lr=0.1)),
        ("block_tridiagonal", "two layers", "natural_gradient"):
            (block_tridiagonal(**on_net, lr=0.1), dense(lr=0.1)),
        ("scion", "ball = euclidean", "normalized_descent"):
            (scion(**on_net, ball="euclidean", lr=0.1), normalized_descent(**on_net, lr=0.1)),
        ("scion", "ball = sign", "sign_descent"):
            (scion(**on_net, ball="sign", lr=0.01), sign_descent(**on_net, lr=0.01)),
        ("momo", "beta = 0, lr large", "sps"):
            (momo(**on_net, beta=0, lr=LARGE), sps(**on_net, c=1.0, eps=0, gamma=LARGE, every=1)),
        ("decayed", "weight_decay = 0", "gradient_descent"):
            (decayed(**on_net, weight_decay=0, inner=partial(gradient_descent, lr=0.1)), descent()),
        ("by_layer", "all rates 1", "gradient_descent"):
            (by_layer(**on_net, rates=(1, 1), inner=partial(gradient_descent, lr=0.1)), descent()),
        ("sam", "rho = 0", "gradient_descent"): (sam(**on_net, rho=0, lr=0.1), descent()),
        ("svrg", "every = 1", "gradient_descent"):
            (svrg(**on_net, every=1, lr=0.1), gradient_descent(WHOLE, START, lr=0.1)),
        ("schedule_free", "beta = 0", "polyak"):
            (schedule_free(**on_net, beta=0, lr=0.1), polyak(**on_net, inner=partial(gradient_descent, lr=0.1))),
        ("momentum", "mu = 0", "gradient_descent"): (momentum(**on_net, mu=0, lr=0.1), descent()),
        ("nesterov", "mu = 0", "gradient_descent"): (nesterov(**on_net, mu=0, lr=0.1), descent()),
        ("adam", "beta1 = eps = 0, lr / √(1 − rhoᵗ)", "rmsprop"):
            (adam(**on_net, beta1=0, beta2=0.9, eps=0, lr=lambda t: 0.01 / sqrt(1 - 0.9**t)),
             rmsprop(**on_net, rho=0.9, eps=0, lr=0.01)),
        ("adamw", "weight_decay = 0", "adam"): (adamw(**on_net, weight_decay=0), adam(**on_net)),
        ("sophia", "gamma = 0", "lion"):
            (sophia(**on_net, gamma=0, beta1=0.9, lr=0.01),
             lion(**on_net, beta1=0.9, beta2=0.9, lr=0.01, weight_decay=0.1)),
        ("shampoo", "of vectors", "full_matrix_adagrad"):
            (shampoo(**on_bowl, lr=0.1, eps=1e-4), full_matrix_adagrad(**on_bowl, lr=0.1, eps=1e-4)),
        ("anderson", "window = 0", "gradient_descent"): (anderson(**on_net, window=0, lr=0.1), descent()),
        ("polyak", "window = 1", "gradient_descent"):
            (polyak(**on_net, window=1, inner=partial(gradient_descent, lr=0.1)), descent()),
        ("lookahead", "k = alpha = 1", "gradient_descent"):
            (lookahead(**on_net, k=1, alpha=1, inner=partial(gradient_descent, lr=0.1)), descent()),
        ("gauss_newton", "J constant", "newton"):
            (gauss_newton(LINE, np.zeros(2), search=full_step), newton(LINE, np.zeros(2))),
        ("levenberg_marquardt", "tau = 0", "gauss_newton"):
            (levenberg_marquardt(DECAY, np.ones(2), tau=0), gauss_newton(DECAY, np.ones(2), search=full_step)),
        ("lbfgs", "history = 1, exact", "nonlinear_cg"):
            (lbfgs(**on_bowl, history=1, search=exact),
             nonlinear_cg(**on_bowl, formula="hestenes_stiefel", overlap=LARGE, search=exact)),
        ("natural_gradient", "H for F, damping = 0", "newton"):
            (natural_gradient(ROSENBROCK, ROSENBROCK.start, curvature="hessian", damping=0, solver="dense"),
             newton(ROSENBROCK, ROSENBROCK.start)),
        ("clipped_natural_gradient", "lr large", "normalized_natural_gradient"):
            (clipped_natural_gradient(**on_net, epsilon=0.1, lr=LARGE), normalized_natural_gradient(**on_net, lr=0.1)),
        ("clipped_natural_gradient", "epsilon large", "natural_gradient"):
            (clipped_natural_gradient(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("gradient_norm_clipped", "lr large", "gradient_norm_normalized"):
            (gradient_norm_clipped(**on_net, epsilon=0.1, lr=LARGE), gradient_norm_normalized(**on_net, lr=0.1)),
        ("gradient_norm_clipped", "epsilon large", "natural_gradient"):
            (gradient_norm_clipped(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("eigenbasis_clipped", "lr large", "eigenbasis_normalized"):
            (eigenbasis_clipped(**on_net, epsilon=0.01, lr=LARGE), eigenbasis_normalized(**on_net, lr=0.01)),
        ("eigenbasis_clipped", "epsilon large", "natural_gradient"):
            (eigenbasis_clipped(**on_net, epsilon=LARGE, lr=0.1), dense(lr=0.1)),
        ("kfac", "one linear layer", "natural_gradient"):
            (kfac(LINEAR, np.zeros(18), lr=0.5, mu=0, damping=0, kappa=LARGE, beta=0, every=1, labels="exact"),
             natural_gradient(LINEAR, np.zeros(18), lr=0.5, damping=0, solver="dense")),
        ("fishleg", "aux_lr = 0", "momentum"):
            (fishleg(**on_net, aux_lr=0, weight_decay=0, beta=0.9, lr=1.0), momentum(**on_net, mu=0.9, lr=0.1)),
        ("nltgcr", "J constant", "gcr"): (nltgcr(**on_bowl, window=2), gcr(**on_bowl, window=2)),
        ("nltgcr_adaptive", "cosine = 1", "nltgcr"): (nltgcr_adaptive(**on_whole, cosine=1), nltgcr(**on_whole)),
        ("nltgcr_fisher", "start = 0", "nltgcr"):
            (nltgcr_fisher(**on_net, start=0, lr=0.1, damping=0.1),
             nltgcr(**on_net, curvature="fisher", safeguard=LARGE, lr=0.1, damping=0.1)),
    }
