"""The figure of lecture 4 about coordinates shows what its caption claims: tested on the arrays that are drawn."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from figures import turned_valley
from numopt.problems import quadratic_with


def test_turned_valley_along_the_axes_nothing_depends_on_kappa_and_turned_it_does(arrays):
    drawn = arrays("turned_valley")
    straight, turned = (dict(zip(drawn["names"], needed)) for needed in drawn["needed"])
    at = {kappa: k for k, kappa in enumerate(drawn["kappas"].tolist())}
    for name in ("adam", "rprop"):
        assert len(set(straight[name])) == 1
        assert turned[name][at[100]] > 2.5 * straight[name][at[100]]
        assert (np.diff(turned[name][at[10]:at[100] + 1]) > 0).all()
    assert np.isinf(turned["adam"][at[300]]) and turned["rprop"][at[300]] > 10 * straight["rprop"][at[300]]


def test_turned_valley_momentum_does_not_care_how_it_lies(arrays):
    drawn = arrays("turned_valley")
    j = drawn["names"].index("momentum")
    assert_allclose(drawn["needed"][0, j], drawn["needed"][1, j])
    assert_allclose(drawn["paths"][1, j], drawn["paths"][0, j] @ turned_valley.TURNED.T, atol=1e-9)
    large = drawn["kappas"] >= 10
    ratio = drawn["needed"][0, j][large] / np.sqrt(drawn["kappas"][large])
    assert ratio.max() < 1.4 * ratio.min()


@pytest.mark.parametrize("start", [(1.0, -0.5), (0.6, 0.8)])
def test_turned_valley_it_is_the_same_from_other_starts(start, monkeypatch):
    monkeypatch.setattr(turned_valley, "START", np.array(start))
    for name in ("adam", "rprop"):
        straight, turned = (turned_valley.steps_needed(name, 100, Q, 300)[0] for Q in turned_valley.LIES.values())
        assert turned > 2 * straight


def test_turned_valley_the_paths_begin_at_the_same_place_of_the_valley(arrays):
    values = [quadratic_with([1, 100], Q).value(path[0, 0])
              for Q, path in zip(turned_valley.LIES.values(), arrays("turned_valley")["paths"])]
    assert_allclose(values[0], values[1])


def test_turned_valley_a_condition_number_that_is_not_computed_cannot_be_shown():
    with pytest.raises(ValueError, match="not for 7"):
        turned_valley.compute(shown=7)
