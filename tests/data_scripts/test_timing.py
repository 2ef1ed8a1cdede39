"""What is timed is what it is said to be: plain Python trains the same net, and the parts are counted right."""
import sys
from functools import partial
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_scripts import element_loops, kernel_timing, timing
from data_scripts.__main__ import main
from figures import timing as figure
from numopt.kernels.twins import Kernel, started
from numopt.networks import mlp
from numopt.optimizers import adam, natural_gradient, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, MiniBatch

SIZES = 5, 4, 3, 3
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((7, 5)), RANDOM.integers(0, 3, 7)
THETA = mlp(SIZES).initial(0)
METHODS = {"adam": adam, "rmsprop": rmsprop, "nltgcr": partial(nltgcr_fisher, start=0),
           "natural_gradient": partial(natural_gradient, cg_steps=4)}


def test_in_plain_python_the_gradient_and_the_fisher_product_are_those_of_the_network():
    net, loss = element_loops.Net(SIZES), MiniBatch(mlp(SIZES), X, Y)
    v = np.random.default_rng(1).standard_normal(THETA.size)
    assert_allclose(net.gradient(THETA.tolist(), X.tolist(), Y.tolist()), loss.gradient(THETA), atol=1e-14)
    assert_allclose(net.fisher_product(THETA.tolist(), X.tolist(), v.tolist()), loss.fisher(THETA) @ v, atol=1e-14)


@pytest.mark.parametrize("name", METHODS)
def test_in_plain_python_a_method_takes_the_same_steps(name):
    fewer = {"cg_steps": 4} if name == "natural_gradient" else {}  # more of them magnify rounding
    loop = getattr(element_loops, name)(element_loops.Net(SIZES), THETA.tolist(), X.tolist(), Y.tolist(), **fewer)
    run = METHODS[name](EmpiricalRisk(mlp(SIZES), X, Y), THETA)
    for ours, theirs in islice(zip(loop, run), 3):
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


def test_the_multiplications_are_those_of_the_passes():
    # one layer of 2 x 3: forward 6, by weights 6; the product: V x 6, by weights 6
    assert element_loops.multiplications([(2, 3, 1)], batch=5) == 5 * 12
    assert element_loops.multiplications([(2, 3, 1)], batch=1, fisher_products=1) == 24
    # a second of 4 x 2 used at 10 places: by its inputs as well, and W Rx
    both = [(2, 3, 1), (4, 2, 10)]
    assert element_loops.multiplications(both, 1) == 12 + 240
    assert element_loops.multiplications(both, 1, 2) == 12 + 240 + 2 * (12 + 320)
    assert [sum(o * (i + 1) if places == 1 else o * i + o for o, i, places in timing.matrices(name))
            for name in timing.NETS] == [timing.network(name).size for name in timing.NETS]


@pytest.mark.parametrize("name", ["2x90 MLP", "5x30 MLP"])
def test_the_products_of_a_gradient_are_all_of_its_multiplications(name, monkeypatch):
    products, original = [], np.matmul
    monkeypatch.setattr(kernel_timing.np, "matmul", lambda a, b: products.append(a.size * b.shape[1]) or original(a, b))
    kernel_timing.matrix_products(timing.NETS[name])()
    assert sum(products) == element_loops.multiplications(timing.matrices(name), kernel_timing.BATCH)


def test_a_median_is_over_the_turns_without_the_first_and_everybody_has_turns(monkeypatch):
    clock = iter(np.arange(0, 1e6, 0.05))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    calls = {"a": 0, "b K-FAC": 0}

    def step(name):
        calls[name] += 1

    found = timing.medians({name: partial(step, name) for name in calls}, seconds=3, least=4)
    assert found["a"] == pytest.approx(0.05 / 4) and found["b K-FAC"] == pytest.approx(0.05 / 10)  # a step took 50 ms
    assert calls["a"] >= 3 + 4 * 5 and calls["b K-FAC"] >= 3 + 10 * 5


@pytest.mark.skipif(not started(), reason="there is no Numba, or it is switched off")
def test_the_time_to_compile_is_that_of_every_kernel(monkeypatch):
    monkeypatch.setattr(Kernel, "reading", False)
    timing.call_all()
    for module in {kernel.__module__ for kernel in Kernel.known}:
        compiled = [found for found in vars(sys.modules[module]).values() if hasattr(found, "signatures")]
        called = [found for found in compiled if found.__name__.endswith("_compiled") or "nogil" in found.targetoptions]
        assert called and [function for function in called if not function.signatures] == []


def test_the_table_has_every_net_and_method_and_says_what_was_measured_with():
    epochs = {"CNN | Adam | NumPy": 12.345, "2x90 MLP | nlTGCR | Python": 4321.0}
    record = {"made": {"epochs": {"versions": "a machine"}}, "runs": {
        "epochs": epochs, "batches": 0.25, "compile": 21.0, "products": {"Fisher solve, digits net, compiled": 1.5},
        "kernels": {"adam, 5 weights": [0.5, 0.125]}}}
    table = timing.report(record)
    for words in ("a machine", "12.35", "4321.00", "1.50 ms", "0.25 s", "21.0 s", "0.125", *timing.NETS,
                  *timing.METHODS):
        assert words in table


def test_without_pytorch_the_comparison_says_so(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert main(["timing", "--against", "torch"]) == 1
    assert "torch" in capsys.readouterr().err


def test_every_hot_loop_is_timed():
    assert set(kernel_timing.cases()) == {kernel.__name__ for kernel in Kernel.known}


# ------------------------------------------------------------------------------------------------- the figure

def test_timing_nltgcr_costs_more_than_adam_in_every_form_on_every_net(arrays):
    drawn = arrays("timing")
    adam, nltgcr = (figure.METHODS.index(method) for method in ("Adam", "nlTGCR"))
    for form in ("Python", "NumPy", "compiled"):
        assert np.all(drawn[form][:, nltgcr] > 1.5 * drawn[form][:, adam])


def test_timing_nearly_all_there_is_to_gain_lies_between_plain_python_and_numpy(arrays):
    drawn = arrays("timing")
    known = np.isfinite(drawn["Python"])
    assert np.all((drawn["Python"] / drawn["NumPy"])[known] > 300)
    assert np.all(drawn["NumPy"] / drawn["compiled"] < 10)


def test_timing_compiling_gains_most_on_the_cnn(arrays):
    gain = arrays("timing")["NumPy"] / arrays("timing")["compiled"]
    assert np.median(gain[figure.NETS.index("CNN")]) > 2 > np.median(gain[:2])
