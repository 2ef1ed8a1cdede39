"""An optimizer inside scipy.optimize.minimize behaves as scipy's own methods do."""
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess, rosen_hess_prod

from numopt.interop import STATUS, Minimized, scipy_method
from numopt.optimizers import adam, gradient_descent, natural_gradient
from numopt.problems import Rosenbrock
from numopt.record import path


def bowl(x, center=0.0):
    return np.sum((x - center)**2) / 2


def slope(x, center=0.0):
    return x - center


def test_its_iterates_are_those_of_the_loop():
    seen = []
    found = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=scipy_method(adam, lr=0.02), callback=seen.append,
                     options={"maxiter": 50})
    assert_allclose(seen, path(adam(Rosenbrock(), [-1.2, 1.0], lr=0.02), 50)[1:])
    assert_array_equal(found.x, seen[-1])
    assert found.nit == 50 and found.status == 1 and not found.success and "50 steps" in found.message
    assert_allclose([found.fun, *found.jac], [rosen(found.x), *rosen_der(found.x)])


def test_it_stops_at_the_gradient_that_tol_names():
    found = minimize(bowl, [1.0, -2.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5), tol=1e-3)
    assert found.success and found.status == 0
    assert np.abs(found.jac).max() <= 1e-3 < np.abs(slope(2 * found.x)).max()
    assert found.nit == 11                              # 2 · 0.5¹¹ is the first below 1e-3


def test_what_is_asked_for_without_a_word_is_what_the_docstring_says_and_a_limit_that_is_met_is_met():
    """1000 steps, and no derivative above 1e-5; a derivative of just gtol, a change of just ftol are enough."""
    slow = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=1e-4))
    assert slow.nit == 1000 and slow.status == 1 and "1000 steps of maxiter" in slow.message
    usual = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5))
    assert usual.nit == 17  # 0.5¹⁷ is the first below 1e-5
    exact = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5), options={"gtol": 0.125})
    assert exact.nit == 3 and exact.message == "no derivative is larger than gtol = 0.125"
    change = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5),
                      options={"ftol": (0.25**2 - 0.25**3) / 2, "gtol": 0.0})
    assert change.nit == 3 and change.success and "changed by no more than ftol" in change.message
    rising = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=2.5),
                      options={"ftol": 1e-3, "maxiter": 4})
    assert rising.nit == 4 and rising.status == 1, "a rise is no end"


def test_it_passes_args_on_and_counts_its_calls():
    found = minimize(bowl, [1.0, -2.0], args=(3.0,), jac=slope, method=scipy_method(gradient_descent, lr=0.5))
    assert_allclose(found.x, 3, atol=1e-5)
    assert found.nfev == found.njev == found.nit + 1    # once at each iterate, and at the start


def test_at_a_theta_that_somebody_may_write_into_nothing_is_remembered():
    problem, x = Minimized(bowl, (), slope, None, None), np.array([3.0, 4.0])
    for size in 1, 2:
        x[:] = 3 * size, 4 * size
        assert problem.value(x) == 12.5 * size**2
        assert_array_equal(problem.gradient(x), x)
    x.flags.writeable = False
    for _ in range(3):
        problem.value(x), problem.gradient(x)
    assert problem.counts == {"fun": 3, "jac": 3, "hess": 0}


def test_without_derivatives_it_takes_differences_and_says_what_they_cost():
    found = minimize(bowl, [1.0, -2.0], method=scipy_method(gradient_descent, lr=0.5))
    assert_allclose(found.x, 0, atol=1e-4)
    assert found.njev == 0 and 5 * (found.nit + 1) < found.nfev <= 9 * (found.nit + 1)  # more where x is small


def test_a_function_that_gives_value_and_gradient_together_will_do():
    found = minimize(lambda x: (bowl(x), slope(x)), [1.0], jac=True, method=scipy_method(gradient_descent, lr=0.5))
    assert_allclose(found.x, 0, atol=1e-5)


@pytest.mark.parametrize("second", [{"hess": rosen_hess}, {"hessp": rosen_hess_prod}, {}])
def test_a_hessian_or_its_products_reach_a_method_that_asks_for_them(second):
    method = scipy_method(natural_gradient, curvature="hessian", damping=0.0)
    found = minimize(rosen, [1.1, 1.2], jac=rosen_der, method=method, **second)
    assert_allclose(found.x, 1, rtol=1e-6)
    assert found.success and (found.nhev > 0) == bool(second)


def test_a_callback_ends_the_run_by_stop_iteration_in_either_of_its_forms():
    def by_name(intermediate_result):
        if intermediate_result.fun < 0.1:
            raise StopIteration

    def by_position(x):
        if bowl(x) < 0.1:
            raise StopIteration

    for callback in (by_name, by_position):
        found = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5), callback=callback)
        assert found.nit == 2 and found.status == 99 and not found.success


def test_a_callback_may_write_into_what_it_is_given():
    def by_name(intermediate_result):
        intermediate_result.x[:] = 7

    for callback in (lambda x: x.fill(7), by_name):
        found = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.1), callback=callback)
        assert found.success and abs(found.x[0]) < 1e-4


def test_the_answer_is_its_receivers_to_write_into_as_that_of_scipys_methods_is():
    for x0 in 1.0, 0.0:  # after some steps, and after none
        start = np.array([x0])
        found = minimize(bowl, start, jac=slope, method=scipy_method(gradient_descent, lr=0.1))
        found.x[:] = found.jac[:] = 7
        assert start == x0


@pytest.mark.parametrize("how", [{"tol": 0.0}, {"options": {"gtol": 0.0}}])
def test_a_tolerance_of_0_is_one(how):
    how = {**how, "options": {**how.get("options", {}), "maxiter": 200}}
    found = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.1), **how)
    assert found.nit == 200 and found.status == 1 and abs(found.x[0]) < 1e-8


def test_ftol_ends_a_run_that_hardly_moves():
    method = scipy_method(gradient_descent, lr=1e-3)
    found = minimize(bowl, [1.0], jac=slope, method=method, options={"ftol": 1e-3, "gtol": 0.0})
    assert found.nit == 1 and found.success and "ftol" in found.message


def test_a_run_that_diverges_says_at_which_step_and_returns_the_last_finite_point():
    found = minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=1e200))
    assert found.status == 3 and not found.success and "step" in found.message
    assert np.isfinite(found.x).all() and np.isfinite(found.fun) and np.isfinite(found.jac).all()


@pytest.mark.parametrize("ending, fun, callback, options", [
    ("gradient", bowl, None, {"gtol": 0.1}), ("steps", bowl, None, {"maxiter": 3}),
    ("change", bowl, None, {"ftol": 10, "gtol": 0}), ("callback", bowl, lambda x: next(iter(())), {}),
    ("diverged", lambda x: bowl(x) if x[0] > 0.2 else np.nan, None, {}),
    ("diverged", lambda x: bowl(x) if x[0] > 0.2 else np.inf, None, {})])
def test_however_it_ends_value_and_gradient_are_those_of_the_point(ending, fun, callback, options):
    found = minimize(fun, [1.0, -2.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5), callback=callback,
                     options=options)
    assert found.status == STATUS[ending]
    assert found.fun == bowl(found.x) and found.nit > 0
    assert_array_equal(found.jac, slope(found.x))


def test_it_does_not_start_where_there_is_no_value():
    with pytest.raises(ValueError, match="fun is inf at x0"):
        minimize(lambda x: np.inf, [1.0], jac=slope, method=scipy_method(gradient_descent))


def test_disp_prints_how_it_ended(capsys):
    minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent, lr=0.5), options={"disp": True})
    assert "gtol" in capsys.readouterr().out


@pytest.mark.parametrize("wrong, error, words", [
    ({"bounds": [(0, 1)]}, ValueError, "neither bounds nor constraints"),
    ({"options": {"maxiter": 0}}, ValueError, "maxiter must be at least 1"),
    ({"options": {"maxiters": 5}}, TypeError, "unknown options: maxiters"),
])
def test_what_it_cannot_do_it_refuses(wrong, error, words):
    with pytest.raises(error, match=words):
        minimize(bowl, [1.0], jac=slope, method=scipy_method(gradient_descent), **wrong)
