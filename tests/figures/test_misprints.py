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
