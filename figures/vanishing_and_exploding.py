"""What passes through many layers vanishes or explodes, unless the weights are neither too small nor too large.

Above, y = W^N x, split up along the eigenvectors of a symmetric W: a part grows where |λ| > 1 (not λ > 1, as the
lecture notes have it: −1.1 does as well) and dies out where |λ| < 1.  Below, nets of 50 layers of 64 units with tanh on
100 handwritten digits, as they start, each in the mean and the range of 5 seeds: the values that go forwards, and the
derivatives of the loss that come back.  With Glorot's weights both keep their size, within a factor of ten or so.  With
half of them both halve at every layer; with weights of deviation 1 the units are saturated and the derivatives double.
So feed-forward nets have the problem as well, which the notes leave to recurrent ones.

Ravasi's lecture notes, section "Exploding and vanishing gradients"; Glorot and Bengio (2010).          Lecture 1.
"""
import matplotlib.pyplot as plt
import numpy as np

from figures.making.style import BLACK, BLUE, VERMILION, band, end_labels
from numopt.data import digits
from numopt.networks import mlp
from numopt.problems import MiniBatch

STARTS = {"glorot": {"initialisation": "glorot"},
          "half of glorot": {"initialisation": "glorot", "scale": 0.5},
          "unit": {"initialisation": "unit"}}
LINES = {"glorot": (BLACK, "-"), "half of glorot": (BLUE, "--"), "unit": (VERMILION, "-.")}


def compute(eigenvalues=(1.1, -1.1, 1.0, 0.9), powers=50, layers=50, units=64, seeds=5):
    if len(eigenvalues) != 4:
        raise ValueError(f"there are four eigenvalues to give, not {len(eigenvalues)}")
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    W, y = Q @ np.diag(eigenvalues) @ Q.T, Q @ [1.0, 0.5, 1.0, 1.0]
    parts = []
    for N in range(powers + 1):
        parts.append(Q.T @ y)
        y = W @ y
    X, Y, *_ = digits()
    network = mlp([64, *[units] * (layers - 1), 10])
    loss = MiniBatch(network, X[:100], Y[:100])
    forwards, backwards = [], []
    for start in STARTS.values():
        for seed in range(seeds):
            # Of every layer the second moments: of its inputs [x 1], and of the derivatives by its outputs.
            A, G = zip(*loss.kronecker_factors(network.initial(seed, **start), labels="data"))
            forwards.append([np.sqrt(np.diag(A_i)[:-1].sum()) for A_i in A])
            backwards.append([np.sqrt(np.trace(G_i)) for G_i in G])
    forwards, backwards = np.reshape([forwards, backwards], (2, len(STARTS), seeds, layers))
    return {"eigenvalues": np.array(eigenvalues), "parts": np.array(parts), "forwards": forwards,
            "backwards": backwards}


def geometric_mean(rows, axis):
    return np.exp(np.log(rows).mean(axis=axis))


def draw(eigenvalues, parts, forwards, backwards):
    figure, panels = plt.subplot_mosaic([["powers", "powers"], ["forwards", "backwards"]], figsize=(6, 6.2))
    powers, N, layers = panels.pop("powers"), len(parts) - 1, forwards.shape[-1]
    ends = []
    for lam, part, color, style in zip(eigenvalues, parts.T, [VERMILION, VERMILION, BLACK, BLUE], ["-", ":", "-", "-"]):
        powers.semilogy(np.abs(part), color=color, linestyle=style)
        ends.append((f"$\\lambda = {lam}$".replace("-", "−"), np.abs(part[-1]), color))
    powers.set(xlabel="power $N$", ylabel="part of $W^N x$", xlim=(0, N))
    end_labels(powers, ends)
    layer = np.arange(1, layers + 1)
    for ax, norms in zip(panels.values(), [forwards, backwards]):
        for (color, style), norm in zip(LINES.values(), norms):
            band(ax, layer, norm, color, style, middle=geometric_mean)
        ax.set(xlabel="layer", yscale="log", ylim=(1e-17, 1e17), yticks=10.0**np.arange(-15, 16, 5))
    panels["forwards"].set(title="values, forwards →", ylabel="length")
    panels["backwards"].set_title("← derivatives, backwards")
    panels["backwards"].tick_params(labelleft=False)
    for ax, name, x, y in [("forwards", "unit", 18, 1e3), ("forwards", "glorot", 33, 1e-2),
                           ("forwards", "half of glorot", 2, 1e-13), ("backwards", "unit", 20, 3e11),
                           ("backwards", "glorot", 5, 1e-3), ("backwards", "half of glorot", 20, 1e-13)]:
        panels[ax].text(x * layers / 50, y, name, color=LINES[name][0])
    return figure
