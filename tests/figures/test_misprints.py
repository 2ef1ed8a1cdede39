"""The atlas of misprints: what is printed fails where what is meant holds, on what is drawn and beyond."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from figures import misprint_atlas


@pytest.fixture(params=[
    {}, {"start": (-1.2, 1.0)},
    {"most": 0.3, "keep": 0.2, "epsilon": 0.1, "gamma": 0.5, "lr": 0.1, "delta": 1.0, "seed": 1,
     "start": (2.0, 2.0)},
    {"most": 2.5, "keep": 0.9, "epsilon": 3.0, "gamma": 0.95, "lr": 0.01, "delta": 0.1, "seed": 2,
     "start": (0.5, -1.0)}])
def atlas(request):
    return request.param, misprint_atlas.compute(**request.param)


def test_misprint_atlas_what_is_printed_fails_where_what_is_meant_holds(atlas):
    settings, found = atlas
    most, epsilon, delta = (settings.get(*default) for default in (("most", 1.0), ("epsilon", 1.0), ("delta", 0.5)))
    printed, meant = found["clip"]
    assert np.abs(meant).max() <= most < -printed.min() == 3

    printed, meant = found["taylor"]
    assert_allclose(meant, found["change"], atol=1e-12)  # exact on a quadratic
    assert printed[0] < -1 and found["change"][0] == 0 and np.abs(printed - found["change"])[:-1].min() > 0

    printed, meant = found["weights"].sum(axis=1)
    assert_allclose(meant, 1)
    assert printed > 1 + 1e-5

    printed, meant = found["lengths"]
    assert_allclose(meant, epsilon)
    assert np.ptp(printed) > epsilon

    printed, meant = found["slopes"]
    assert (meant < 0).all() and (printed > 0).all()

    printed, meant = found["errors"]
    assert meant[-1] < 0.2 * meant[0] and printed.min() > meant[-1] and printed[-1] > 0.5

    printed, meant = found["velocity"]
    assert printed[-1] > 1e5 and meant.max() < 3

    printed, meant = found["factors"]
    assert np.isinf(printed).any() and (0 < meant).all() and (meant <= 1 / delta).all()
    assert (printed[found["bends"] < -delta] < 0).all()  # where f bends down the step even turns round


def test_misprint_atlas_every_number_is_that_of_its_formula(atlas):
    settings, found = atlas
    default = {"most": 1.0, "keep": 0.6, "epsilon": 1.0, "gamma": 0.9, "lr": 0.05, "start": (0.0, 1.0), "seed": 0}
    most, keep, epsilon, gamma, lr, start, seed = (default | {key: settings[key] for key in settings.keys() & default}
                                                   ).values()
    g = found["g"]
    assert_allclose(g, np.arange(-30, 31) / 10, atol=1e-12)
    assert_allclose(found["clip"], [[min(x, most) for x in g], [max(-most, min(x, most)) for x in g]])

    r = found["rates"]  # f = ½ (x² + 3 y²) from (1, −1), where it is 2 and ∇f = (1, −3)
    assert_allclose(r, np.arange(51) / 50, atol=1e-12)
    assert_allclose(found["change"], (1 - r)**2 / 2 + 3 * (3 * r - 1)**2 / 2 - 2, atol=1e-12)
    assert_allclose(found["taylor"], [14 * r**2 - 10, 14 * r**2 - 10 * r], atol=1e-12)

    printed, meant = found["weights"]  # five excursions, each of which keeps a share of what was there
    assert_allclose(meant[:-1] / meant[0], (1 - keep)**np.arange(5.0))
    assert_allclose([meant[0], meant[-1]], [keep, (1 - keep)**5])
    assert_allclose(printed[:4], meant[:4])
    assert_allclose(printed[4:], [meant[3], meant[-1] / (1 - keep)])

    assert_allclose(found["lam"], [10**-1, 10**-0.5, 1, 10**0.5, 10])
    assert_allclose(found["lengths"][0]**2, found["lam"] * epsilon**2)

    x, y = start  # (1 − x)² + 100 (y − x²)², of which a Gauss-Newton step leads to (1, 1) first in x, then in y
    slope = np.array([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)])
    step = np.array([1 - x, 2 * x * (1 - x) - (y - x**2)])
    cosine = slope @ step / np.linalg.norm(slope) / np.linalg.norm(step)
    assert_allclose(found["slopes"][:, 0], [-cosine, cosine])
    assert_allclose(found["slopes"][0, 2], -found["slopes"][1, 2])

    root = np.random.default_rng(seed).standard_normal((4, 4))
    inverse = np.linalg.inv(root @ root.T / 4 + np.eye(4))
    assert_allclose(found["errors"][:, 0], np.linalg.norm(np.eye(4) - inverse) / np.linalg.norm(inverse))

    for rate, row in zip((1.0, lr), found["velocity"]):  # (θ, v) of ½ · 5 θ², by powers of a matrix
        step = np.array([[1 - 5 * rate, gamma], [-5 * rate, gamma]])
        assert_allclose(row, [abs(np.linalg.matrix_power(step, t)[0, 0]) for t in range(16)], atol=1e-9)


def test_misprint_atlas_is_drawn_from_these_arrays():
    found = misprint_atlas.compute(delta=1.0, seed=1)
    figure = misprint_atlas.draw(**found)
    panels = [[line.get_ydata() for line in ax.get_lines()] for ax in figure.axes]
    names = ["clip", "taylor", None, "lengths", None, "errors", "velocity", "factors"]
    for lines, name in zip(panels, names):
        if name:
            rows = found[name].reshape(-1, found[name].shape[-1])
            rows = np.where(np.isfinite(rows), rows, np.nan)
            for line, row in zip(lines[-len(rows):], rows, strict=True):
                assert_allclose(line, row)
    assert_allclose(panels[1][0], found["change"][::5])
    assert_allclose([bar.get_height() for bar in figure.axes[2].patches], found["weights"].ravel())
    assert_allclose([bar.get_height() for bar in figure.axes[4].patches], found["slopes"].ravel())
    plt.close(figure)
