"""What lecture 5 claims and no other test holds."""
import numpy as np
import pytest


@pytest.mark.parametrize("h, e, sigma", [(1.0, 2.0, 0.0), (3.0, 0.5, 2.0), (0.1, -4.0, 1.0)])
def test_no_other_rate_lowers_the_expected_loss_more_than_that_of_vsgd(h, e, sigma):
    g = h * e + sigma * np.array([1.0, -1.0])  # two equally likely gradients of the mean h e and the variance σ²
    best = (h * e)**2 / (h * np.mean(g**2))

    def expected(eta):
        return h / 2 * np.mean((e - eta * g)**2)

    for other in np.r_[0.0, best * np.array([0.5, 0.9, 0.99, 1.01, 1.1, 2.0]), 1 / h]:
        assert expected(best) <= expected(other) + 1e-15
    assert (best == 1 / h) == (sigma == 0)
    assert expected(0.99 * best) > expected(best) < expected(1.01 * best)
