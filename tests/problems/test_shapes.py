"""Saddles, a cliff and a plateau; that their derivatives are right is tested with those of all landscapes."""
import numpy as np
import pytest
from numpy.testing import assert_allclose

from numopt.problems import Cliff, MonkeySaddle, Plateau, Saddle


@pytest.mark.parametrize("f, theta, value", [
    (Saddle(), [2, 1], 3), (Saddle(1, 2, 3), [1, 2], 1 - 8 + 48), (MonkeySaddle(), [2, 1], 2),
    (Cliff(6, 1), [0, 2], 5)])
def test_values_by_hand(f, theta, value):
    assert_allclose(f.value(theta), value, rtol=1e-14, atol=1e-15)


def test_on_the_ridge_of_the_saddle_the_gradient_has_no_part_that_leads_off_it():
    assert all(Saddle(c=1.0).gradient([x, 0])[1] == 0 for x in (1.0, 0.3, -2.0))
    assert Saddle(c=1.0).gradient([0, 1e-9])[1] < 0


def test_the_face_of_the_cliff_is_h_over_4w_steep_and_the_ground_is_not():
    f = Cliff(height=8.0, width=0.01)
    assert_allclose(f.gradient([0.0, 0.0]), [8 / 0.04, 0])
    assert np.abs(f.gradient([-0.5, 0.1])).max() == 0.5 and np.abs(f.gradient([0.5, 0.1])).max() == 0.5
    assert_allclose(f.value([1.0, 0]) - f.value([-1.0, 0]), 8)


@pytest.mark.parametrize("height, width", [(10, 0.02), (10, 1.0), (100, 3.0), (1e-3, 0.1), (1e4, 5.0)])
def test_the_minimum_of_a_cliff_is_at_its_foot_however_far_away_that_is(height, width):
    f = Cliff(height, width)
    (x, y), = f.minimizers
    assert_allclose(f.gradient([x, y]), 0, atol=1e-9 * max(1, -x))
    beside = f.value([x + 1e-3, y]), f.value([x - 1e-3, y]), f.value([x, y + 1e-3])
    assert x < 0 and f.minimum < min(beside)


def test_on_the_plain_the_gradient_leads_inwards_and_is_below_a_hundredth_of_that_of_the_slopes():
    f = Plateau()
    radii = np.sqrt(2 * np.array([0.5, 5.0, 14.0]))
    hole, plain, slope = (f.gradient([r, 0])[0] for r in radii)
    assert 0 < plain < 1e-2 * min(hole, slope)
    assert min(f.gradient([r, 0])[0] for r in np.linspace(0.01, 7, 200)) > 0


def test_a_saddle_that_goes_down_for_ever_has_no_minimum():
    for f in Saddle(), MonkeySaddle():
        assert f.minimizers is None and f.minimum is None


def test_the_box_of_a_saddle_holds_its_minima_and_never_less_than_that_of_the_pass():
    assert_allclose([Saddle(c=c).box[1] for c in (0, 8, 0.02)], [[1.5, 1.5], [1.5, 1.5], [1.5, 7.5]])
    assert_allclose([Saddle(c=c).box[0] for c in (0, 8, 0.02)], [[-1.5, -1.5], [-1.5, -1.5], [-1.5, -7.5]])


@pytest.mark.parametrize("make, message", [
    (lambda: Saddle(a=-1), "a saddle needs"), (lambda: Saddle(c=-1), "a saddle needs"),
    (lambda: Cliff(width=0), "height and width"), (lambda: Cliff(width=np.inf), "height and width"),
    (lambda: Cliff(0), "height and width"), (lambda: Cliff(np.inf), "height and width"),
    (lambda: Saddle(a=np.inf), "a saddle needs"), (lambda: Saddle(b=0), "a saddle needs"),
    (lambda: Plateau(0), "edge must be"), (lambda: Plateau(np.inf), "edge must be")])
def test_bad_input_is_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()
