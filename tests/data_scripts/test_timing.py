"""What is timed is what it is said to be: plain Python trains the same net, and the parts are counted right."""
import re
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_scripts import element_loops, kernel_timing, side_by_side, step_costs, timing, torch_nets, turns
from data_scripts.__main__ import main
from data_scripts.formats import DataError
from figures import second_order_cost
from figures import timing as figure
from figures.making.records import read
from figures.making.style import METHODS as LOOKS
from numopt import optimizers
from numopt.kernels.twins import Kernel, reads, started
from numopt.networks import cnn, lenet, mlp, resnet18
from numopt.optimizer import optimizer
from numopt.optimizers import adam, natural_gradient, nltgcr_fisher, rmsprop
from numopt.problems import EmpiricalRisk, MiniBatch, Rosenbrock

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


@pytest.mark.parametrize("z, p", [
    ([0.0, 0.0], [0.5, 0.5]), ([1000.0, 1000.0 + np.log(3)], [0.25, 0.75]), ([-2000.0, -2000.0], [0.5, 0.5]),
    ([-800.0, 800.0, -800.0], [0, 1, 0])])
def test_in_plain_python_a_softmax_neither_overflows_nor_vanishes(z, p):
    assert_allclose(element_loops.softmax(z), p, rtol=1e-12)


@pytest.mark.parametrize("ours, theirs", [(3, 3), (3, 5), (5, 3), (0, 2), (700, 701)])
def test_in_plain_python_a_sum_of_products_is_over_all_that_both_have(ours, theirs):
    a, b, n = [k + 1.0 for k in range(ours)], [k + 2.0 for k in range(theirs)], min(ours, theirs)
    assert element_loops.sum_of_products(a, b) == n * (n + 1) * (2 * n + 1) / 6 + n * (n + 1) / 2  # of k² + k


@pytest.mark.parametrize("name", METHODS)
def test_in_plain_python_a_method_takes_the_same_steps(name):
    fewer = {"cg_steps": 4} if name == "natural_gradient" else {}  # more of them magnify rounding
    loop = getattr(element_loops, name)(element_loops.Net(SIZES), THETA.tolist(), X.tolist(), Y.tolist(), **fewer)
    run = METHODS[name](EmpiricalRisk(mlp(SIZES), X, Y), THETA)
    for ours, theirs in islice(zip(loop, run), 3):
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("window", [1, 2])
def test_in_plain_python_as_many_pairs_are_kept_as_asked_for(window):
    loop = element_loops.nltgcr(element_loops.Net(SIZES), THETA.tolist(), X.tolist(), Y.tolist(), window=window)
    run = nltgcr_fisher(EmpiricalRisk(mlp(SIZES), X, Y), THETA, start=0, window=window)
    for ours, theirs in islice(zip(loop, run), 4):
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


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
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(turns.time, "sleep", lambda seconds: None)
    calls = {"a": 0, "b K-FAC": 0}

    def step(name):
        calls[name] += 1

    found = turns.medians({name: partial(step, name) for name in calls}, seconds=3, least=4)
    assert found["a"] == pytest.approx(0.05 / 4) and found["b K-FAC"] == pytest.approx(0.05 / 10)  # a step took 50 ms
    assert calls["a"] >= 3 + 4 * 5 and calls["b K-FAC"] >= 3 + 10 * 5


def test_before_a_turn_is_measured_there_is_a_rest_and_a_step_and_before_the_first_turn_three(monkeypatch):
    """A step takes a minute, a second and three, turn by turn; the first of all, and that after a rest, an hour."""
    now, told = [0.0], []

    def sleep(seconds):
        assert seconds == turns.REST == 0.15
        told.append("rest")

    def step(name):
        told.append(name)
        whole = told.count("rest")
        now[0] += 3600 if told[-2:-1] in (["rest"], []) else 60 if whole in (1, 2) else 1 if whole < 5 else 3

    monkeypatch.setattr(turns.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(turns.time, "sleep", sleep)
    found = turns.medians({name: partial(step, name) for name in "ab"}, seconds=0, least=2)
    assert told[:6] == ["a"] * 3 + ["b"] * 3
    assert told[6:] == ["rest", "a", "a", "rest", "b", "b"] * 3  # a turn of one step, as one takes so long
    assert found == {"a": 2.0, "b": 2.0}


@pytest.mark.parametrize("lasts, turn", [(0.001, 10), (0.0211, 9), (0.05, 4), (0.13, 2), (0.14, 1), (0.5, 1)])
def test_a_turn_lasts_a_fifth_of_a_second_and_has_one_to_ten_steps_and_of_kfac_ten(lasts, turn, monkeypatch):
    now, told = [0.0], []

    def step(name):
        now[0] += lasts
        told.append(name)

    monkeypatch.setattr(turns.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(turns.time, "sleep", lambda seconds: told.append("rest"))
    found = turns.medians({name: partial(step, name) for name in ("a", "K-FAC")}, seconds=0, least=1)
    first, then, *_ = "".join("|" if name == "rest" else name[0] for name in told).split("|")[1:]
    assert (first, then) == ("a" * (1 + turn), "K" * 11) and found == pytest.approx({"a": lasts, "K-FAC": lasts})


@pytest.mark.slow
@pytest.mark.skipif(not started(), reason="there is no Numba, or it is switched off")
def test_the_time_to_compile_is_that_of_every_kernel(monkeypatch):
    monkeypatch.setattr(Kernel, "reading", False)
    timing.call_all()
    for module in {kernel.__module__ for kernel in Kernel.known}:
        compiled = [found for found in vars(sys.modules[module]).values() if hasattr(found, "signatures")]
        called = [found for found in compiled if found.__name__.endswith("_compiled") or "nogil" in found.targetoptions]
        assert called and [function for function in called if not function.signatures] == []


@pytest.fixture
def timed(monkeypatch):
    """Who takes turns, kept and not timed: a step of each takes half a second."""
    taken = []

    def medians(contestants, seconds, least=5):
        taken.append((dict(contestants), seconds, least))
        return dict.fromkeys(contestants, 0.5)

    for module in timing, side_by_side:
        monkeypatch.setattr(module, "medians", medians)
    return taken


def test_an_epoch_is_as_many_steps_as_batches_of_fifty_thousand_and_the_fastest_of_several_forms(timed, monkeypatch):
    made = []
    monkeypatch.setattr(timing, "contestant", lambda *how: made.append((how[0], how[1], how[4])) or (lambda: None))
    monkeypatch.setattr(timing, "torch_contestants", lambda name, X, Y: [
        ("Adam", None), ("Adam", None), ("RMSProp", None), ("RMSProp", None)])
    monkeypatch.setattr(timing, "loops", lambda: {("CNN", "Adam"): 7.0})
    monkeypatch.setattr(timing, "numbers", lambda shape: (None, None))
    seen = timing.epochs(True, 2.0)
    assert seen[("CNN", "Adam", "Python")] == 7.0 and timing.STEPS == -(-50_000 // timing.BATCH)
    others = {key: epoch for key, epoch in seen.items() if key[2] != "Python"}
    assert set(others) == {(name, method, form) for name in timing.NETS for method in timing.METHODS
                           for form in ("NumPy", "compiled")} | {
        (name, method, "PyTorch") for name in timing.NETS for method in ("Adam", "RMSProp")}
    assert set(others.values()) == {0.5 * 391} and [seconds for _, seconds, _ in timed] == [2.0] * 3
    assert made == [(name, method, compiled) for name in timing.NETS for method in timing.METHODS
                    for compiled in (False, True)]


def test_of_several_forms_the_fastest_is_told(monkeypatch):
    monkeypatch.setattr(timing, "contestant", lambda *how: None)
    monkeypatch.setattr(timing, "numbers", lambda shape: (None, None))
    monkeypatch.setattr(timing, "loops", dict)
    monkeypatch.setattr(timing, "torch_contestants", lambda *how: [("Adam", None), ("Adam", None), ("RMSProp", None)])
    for order in list, reversed:
        monkeypatch.setattr(timing, "medians", lambda contestants, seconds, order=order: {
            key: 1.0 + key[2] for key in order(contestants)})
        seen = timing.epochs(True, 1.0)
        assert seen[("CNN", "Adam", "PyTorch")] == 391 and seen[("CNN", "RMSProp", "PyTorch")] == 3 * 391
    assert all(key[2] != "PyTorch" for key in timing.epochs(False, 1.0))


def test_plain_python_is_timed_on_a_small_net_and_told_for_as_many_multiplications_as_the_real_one_has(timed):
    found = timing.loops(3.0)
    (contestants, seconds, _), = timed
    assert seconds == 3.0 and list(contestants) == ["Adam", "RMSProp", "nlTGCR", "natural gradient"]
    small, large = ([(o, i, 1) for i, o in zip(sizes, sizes[1:])] for sizes in (timing.SMALL, timing.NETS["2x90 MLP"]))
    for method, products in {"Adam": 0, "RMSProp": 0, "nlTGCR": 1, "natural gradient": 10}.items():
        times = element_loops.multiplications(large, 1, products) / element_loops.multiplications(small, 1, products)
        assert found["2x90 MLP", method] == pytest.approx(0.5 * 391 * times)
        assert len(contestants[method]()) == mlp(timing.SMALL).size


def test_a_convolution_is_used_at_every_place_of_its_image():
    net = cnn()
    used = timing.matrices("CNN")
    assert [place for _, _, place in used] == [32 * 32, 16 * 16, 1]  # a border keeps the size, pooling halves it
    assert [(o, i) for o, i, _ in used] == [(W.shape[0], W.shape[1] - 1) for W in net.blocks(net.initial(0))]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_contestant_is_a_run_of_its_method_in_its_own_form(compiled, monkeypatch):
    seen = []

    def method(risk, theta):
        seen.append((reads(), risk.batch_size, theta.dtype))
        while True:
            seen.append(reads())
            yield theta

    before = reads()
    monkeypatch.setitem(timing.METHODS, "made up", method)
    monkeypatch.setitem(timing.NETS, "2x90 MLP", (6, 4, 3))
    step = timing.contestant("2x90 MLP", "made up", np.zeros((200, 6), np.float32), np.zeros(200, int), compiled)
    step(), step()
    assert seen == [(before if compiled else True, 128, np.float32)] + [before if compiled else True] * 2
    assert reads() == before


def test_products_are_told_in_milliseconds_of_what_their_name_says(timed, monkeypatch):
    monkeypatch.setattr(timing, "NETS", {"small": (6, 4, 10), "CNN": None})
    monkeypatch.setattr(timing, "IMAGES", 150)
    solved = []
    monkeypatch.setattr(timing, "conjugate_gradient", lambda A, b, steps: solved.append((reads(), steps)))
    found = timing.products(False, 2.0)
    assert found == dict.fromkeys([
        "Fisher solve, digits net, compiled", "Fisher solve, digits net, NumPy", "Fisher solve, small, compiled",
        "Fisher solve, small, NumPy", "matrix products of a gradient, small", "Gauss-Newton product, small"], 500.0)
    (contestants, seconds, _), = timed
    for name, step in contestants.items():
        assert (step() is None) == ("Gauss" not in name)
    assert solved == [(reads(), 10), (True, 10)] * 2 and seconds == 2.0


def test_kernels_and_batches_are_timed_in_their_units(timed, monkeypatch):
    monkeypatch.setattr(timing.Kernel, "known", [kernel for kernel in Kernel.known if kernel.__name__ == "relu"])
    monkeypatch.setattr(kernel_timing, "cases", lambda: {"relu": {"four million numbers": (np.ones(3),)}})
    assert timing.loops_of_kernels(0.1) == {"relu, four million numbers": [500.0, 500.0]}
    (contestants, seconds, _), = timed
    assert list(contestants) == ["NumPy", "compiled"] and seconds == 0.1
    relu, = timing.Kernel.known
    assert [step.func for step in contestants.values()] == [relu.numpy, relu.compiled]
    taken = []
    monkeypatch.setattr(timing.np.random, "default_rng", lambda seed: SimpleNamespace(standard_normal=np.empty))
    monkeypatch.setattr(timing, "EmpiricalRisk", lambda net, X, Y, batch_size, seed: taken.append(
        (len(X), batch_size)) or type("risk", (), {"loss": staticmethod(taken.append)}))
    assert timing.batches() == 0.5 * 391 and timed[-1][2] == 50
    timed[-1][0]["batch"](), timed[-1][0]["batch"]()
    assert taken == [(50_000, 128), 1, 2]


def test_what_is_beside_ours_is_the_fastest_of_its_forms_or_not_there(timed, monkeypatch):
    monkeypatch.setattr(side_by_side, "numbers", lambda shape: (None, None))
    monkeypatch.setattr(side_by_side, "medians", lambda contestants, seconds: {
        key: {"ours": 0.25, "PyTorch 0": 3.0, "PyTorch 1": 2.0}[key] for key in contestants})
    monkeypatch.setattr(side_by_side, "adam_step", lambda net, X, Y, batch: None)
    monkeypatch.setattr(torch_nets, "steps", lambda make, X, Y, batch: [None, None])
    both = side_by_side.beside_torch("x", lambda: None, None, (4, 8), True, 1.0)
    assert both == {f"Adam, x, batch {batch} | PyTorch": [250.0, 2000.0] for batch in (4, 8)}
    alone = side_by_side.beside_torch("x", lambda: None, None, (4,), False, 1.0)
    assert alone["Adam, x, batch 4 | PyTorch"][0] == 250.0 and np.isnan(alone["Adam, x, batch 4 | PyTorch"][1])
    text = "\n".join(side_by_side.report({"BFGS": {"b": [3.0, 4.0], "a": [1.0, np.nan]}, "two": {"c": [1.0, 0.0]}}))
    assert [line.split() for line in text.splitlines()[2:]] == [
        ["a", "1.000", "nan", "nan"], ["b", "3.000", "4.000", "0.75"], ["c", "1.000", "0.000", "nan"]]
    assert side_by_side.report({}) == []


def test_a_hot_loop_in_numpy_is_told_before_its_twin(monkeypatch):
    monkeypatch.setattr(timing.Kernel, "known", [kernel for kernel in Kernel.known if kernel.__name__ == "relu"])
    monkeypatch.setattr(kernel_timing, "cases", lambda: {"relu": {"some": (np.ones(3),)}})
    monkeypatch.setattr(timing, "medians", lambda contestants, seconds: {"compiled": 0.25, "NumPy": 2.0})
    assert timing.loops_of_kernels() == {"relu, some": [2000.0, 250.0]}


def test_a_table_of_several_machines_names_each_once():
    made = {"batches": {"versions": "one"}, "compile": {"versions": "another"}, "products": {"versions": "one"}}
    table = timing.report({"made": made, "runs": {"batches": 0.5, "compile": 2.0, "products": {"a": 1.0}}})
    assert table.splitlines()[:2] == ["one", "another"] and table.count("one") == 1


def test_batches_and_nets_share_the_seconds_of_their_row(timed, monkeypatch):
    monkeypatch.setattr(side_by_side, "numbers", lambda shape: (None, None))
    monkeypatch.setattr(side_by_side, "adam_step", lambda net, X, Y, batch: batch)
    side_by_side.beside_torch("x", lambda: None, None, (4, 8, 16), False, 6.0)
    assert [(contestants, seconds) for contestants, seconds, _ in timed] == [({"ours": n}, 2.0) for n in (4, 8, 16)]
    asked = []
    monkeypatch.setattr(step_costs, "NETS", {"one": lambda: "a net", "two": lambda: "another"})
    monkeypatch.setattr(step_costs.optimizers, "__all__", ["adam", "gauss_newton"])
    monkeypatch.setattr(step_costs, "of_methods_on", lambda net, names, seconds: asked.append(
        (net, list(names), seconds)) or {"adam": [0.5, 1.0]})
    found = step_costs.of_methods(False, 45.0)
    assert asked == [("a net", ["adam"], 1.5), ("another", ["adam"], 1.5)]
    assert found["one | adam"] == found["two | adam"] == [0.5, 1.0]


def test_beside_the_bare_loop_as_many_steps_are_taken(timed, monkeypatch):
    asked = []
    monkeypatch.setattr(side_by_side, "STEPS", 7)
    monkeypatch.setattr(side_by_side, "bare_adam", lambda problem, theta, steps: asked.append((theta.tolist(), steps)))
    monkeypatch.setattr(side_by_side, "adam", lambda problem, theta, lr: (asked.append((lr, t)) for t in range(1, 99)))
    side_by_side.of_two_numbers(False, 8.0)
    (contestants, seconds, _), = timed
    contestants["ours"]()
    assert asked == [(1e-3, t) for t in range(1, 8)] and seconds == 2.0
    contestants["theirs"]()
    assert asked[7:] == [([-1.2, 1.0], 7)]


def test_the_minimum_is_where_no_derivative_is_larger_than_asked_for():
    start = np.tile([-1.2, 1.0], 2)
    counts = [side_by_side.to_the_minimum(start, tolerance) for tolerance in (1e-2, 1e-5, 1e-8)]
    assert counts == sorted(counts) and counts[0] < counts[2]
    run = optimizers.bfgs(side_by_side.Function(side_by_side.rosen, jac=side_by_side.rosen_der), start)
    sizes = [np.abs(side_by_side.rosen_der(theta)).max() for theta in islice(run, counts[1])]
    assert sizes[-1] < 1e-5 <= sizes[-2] and side_by_side.to_the_minimum(start) == counts[1]
    for steps, size in enumerate(sizes, start=1):
        if size == min(sizes[:steps]):
            assert side_by_side.to_the_minimum(start, 1.01 * size) == steps, "as soon as it is there, and no sooner"


def test_the_table_has_every_net_and_method_and_says_what_was_measured_with():
    epochs = {"CNN | Adam | NumPy": 12.345, "2x90 MLP | nlTGCR | Python": 4321.0}
    record = {"made": {"epochs": {"versions": "a machine"}}, "runs": {
        "epochs": epochs, "batches": 0.25, "compile": 21.0, "products": {"Fisher solve, digits net, compiled": 1.5},
        "kernels": {"adam, 5 weights": [0.5, 0.125]}}}
    table = timing.report(record)
    for words in ("a machine", "12.35", "4321.00", "1.50 ms", "0.25 s", "21.0 s", "0.125", *timing.NETS,
                  *timing.METHODS):
        assert words in table


def test_some_rows_of_the_table_are_measured_alone_and_the_record_keeps_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "RECORD", tmp_path / "timing.npz")
    monkeypatch.setattr(timing, "COST", tmp_path / "cost.npz")
    monkeypatch.setattr(timing, "TABLE", {"compile": lambda against_torch, seconds: 21.0})
    monkeypatch.setattr(side_by_side, "ROWS", {"BFGS": lambda against_torch, seconds: {"BFGS | SciPy": [3.0, 4.0]}})
    assert "0.75" not in timing.main(None, ["compile"])
    assert "0.75" in timing.main(None, ["BFGS"]) and "21.0" in timing.main(None)
    assert read(tmp_path / "timing.npz")["runs"] == {"compile": 21.0, "BFGS": {"BFGS | SciPy": [3.0, 4.0]}}
    monkeypatch.setitem(side_by_side.ROWS, "cost", lambda against_torch, seconds: {"adam": [1.0]})
    monkeypatch.setattr(step_costs, "report", lambda cost: [f"costs {cost}"])
    assert "costs {'adam': [1.0]}" in timing.main(None)
    for file, rows in ("timing.npz", {"compile", "BFGS"}), ("cost.npz", {"cost"}):
        record = read(tmp_path / file)
        assert record["runs"].keys() == record["made"].keys() == rows
    with pytest.raises(DataError, match="no row ResNet; there are compile, BFGS"):
        timing.main(None, ["BFGS", "ResNet"])


def test_whether_it_is_against_pytorch_is_handed_on_to_every_row_and_told_with_the_machine(monkeypatch, tmp_path):
    asked, torch = [], SimpleNamespace(__version__="9.8", get_num_threads=lambda: 2, set_num_threads=lambda n: None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(timing, "RECORD", tmp_path / "timing.npz")
    monkeypatch.setattr(timing, "COST", tmp_path / "cost.npz")
    monkeypatch.setattr(timing, "TABLE", {"compile": lambda *given: asked.append(given) or 21.0})
    monkeypatch.setattr(side_by_side, "ROWS", {"BFGS": lambda *given: asked.append(given) or {}})
    assert "PyTorch 9.8 with 2 threads" in timing.main("torch")
    monkeypatch.delitem(sys.modules, "torch")
    assert "PyTorch" not in timing.main(None)
    assert asked == [(True, 15.0)] * 2 + [(False, 15.0)] * 2


@pytest.mark.parametrize("make, theirs", [
    (lenet, torch_nets.lenet), (cnn, torch_nets.cnn), (partial(resnet18, width=4), partial(torch_nets.resnet18, 4)),
    (partial(mlp, SIZES), partial(torch_nets.dense, SIZES))])
def test_the_net_beside_ours_has_as_many_weights_and_as_many_outputs(make, theirs):
    torch = pytest.importorskip("torch")
    net, other = make(), theirs()
    assert sum(weight.numel() for weight in other.parameters()) == net.size
    x = torch.zeros(2, *(net.inputs if len(net.inputs) == 1 else (3, 32, 32)))
    assert other(x).shape == (2, net.output_size)


@pytest.mark.slow  # seconds until torch.func is loaded
@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), SIZES])
def test_the_gauss_newton_product_of_pytorch_is_ours(sizes):
    pytest.importorskip("torch")
    loss, theta = MiniBatch(mlp(sizes), X.astype(np.float32), Y), mlp(sizes).initial(timing.SEED, dtype=np.float32)
    v = np.random.default_rng(1).standard_normal(theta.size).astype(np.float32)
    product = timing.torch_gauss_newton(sizes, X.astype(np.float32), v)()
    assert_allclose(product.numpy(), loss.gauss_newton(theta) @ v, rtol=1e-4, atol=1e-6)


def test_what_is_beside_ours_does_the_same():
    run, theta = adam(Rosenbrock(), np.array([-1.2, 1.0]), lr=1e-3), np.array([-1.2, 1.0])
    assert_allclose(list(islice(run, 50))[-1], side_by_side.bare_adam(Rosenbrock(), theta, 50), rtol=1e-12)
    assert 10 < side_by_side.to_the_minimum(np.array([-1.2, 1.0, -1.2, 1.0])) < 100


@optimizer
def outer_descent(problem, theta, *, lr=0.1, t=0, M=0.0):
    """Keeps a matrix of all the weights."""
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta)
        M = M + np.outer(g, g)
        theta = theta - lr * g
        yield theta


@optimizer
def runaway_descent(problem, theta, *, every=3, t=0):
    """Asks for a product and two gradients, and is not finite at its third step."""
    for t, loss in problem.losses(after=t):
        g = loss.gradient(theta) + loss.gradient(theta) + loss.hessian(theta) @ theta
        theta = theta - (np.inf if t == every else 1e-3) * g
        yield theta


@optimizer
def lazy_descent(problem, theta, *, t=0):
    """Is at its end before it begins."""
    for t, loss in problem.losses(after=t):
        return
        yield theta


@pytest.mark.parametrize("method, asked, why", [
    (adam, [0, 1, 0], ""), (optimizers.lbfgs, [2, 2, 0], ""), (optimizers.sophia, [0, 1, 0.1], ""),
    (optimizers.natural_gradient, [0, 1, 10], ""), (optimizers.kfac_martens, [1.2, 2, 2.4], ""),
    (optimizers.ekfac, [0, 3, 0], ""), (optimizers.gauss_newton, None, "a sum of squares"),
    (optimizers.bfgs, None, "a matrix with a row for every weight"), (outer_descent, None, "a matrix with a row for"),
    (runaway_descent, [0, 3, 1.5], ""), (lazy_descent, None, "takes no step")])
def test_who_takes_a_step_on_a_net_and_what_it_asks_for_is_found_out(method, asked, why, monkeypatch):
    monkeypatch.setitem(step_costs.SETTINGS, "every", 3)
    found, reason = step_costs.on_tiny(method)
    assert (reason is None) == (asked is not None) and why in (reason or "")
    if asked:
        assert_allclose(found, asked)  # of a run that breaks off at the third step, three for two


def test_what_a_method_loads_at_its_first_use_is_not_taken_for_a_matrix_of_all_weights():
    loaded = []

    @optimizer
    def first_use_descent(problem, theta, *, t=0):
        """Needs a large table from its fifth step on, which stays for all runs."""
        for t, loss in problem.losses(after=t):
            if t == 5 and not loaded:
                loaded.append(np.zeros(10**6))
            theta = theta - 0.1 * loss.gradient(theta)
            yield theta

    assert step_costs.on_tiny(first_use_descent) == ([0.0, 1.0, 0.0], None) and loaded


@pytest.mark.parametrize("share, said", [(0.5, None), (1.1, "a matrix with a row for every weight")])
def test_a_matrix_of_all_weights_is_told_from_what_is_about_half_of_one(share, said):
    @optimizer
    def keeping_descent(problem, theta, *, t=0):
        """Keeps so many numbers, and what else it needs is little beside them."""
        kept = np.ones(int(share * theta.size**2))
        for t, loss in problem.losses(after=t):
            theta = theta - 0.1 * kept[0] * loss.gradient(theta)
            yield theta

    asked, why = step_costs.on_tiny(keeping_descent)
    assert why == said and (asked is None) == (said is not None)


def test_the_cost_of_each_method_is_measured_beside_adam_and_a_method_that_ends_begins_again(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(step_costs.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(step_costs, "NETS", {"small": lambda: mlp((6, 5, 10))})
    monkeypatch.setattr(step_costs.optimizers, "__all__", ["momentum", "gcr", "gauss_newton"])
    cost = step_costs.of_methods(None, 20)
    assert cost["small | momentum"] == cost["small | gcr"] == [0.1, 1.0]  # ten steps of each a second
    assert list(cost["asked"]) == ["momentum", "gcr"] and list(cost["cannot"]) == ["gauss_newton"]
    assert all(name in "".join(step_costs.report(cost)) for name in ("momentum", "gcr", "gauss_newton", "small"))


@pytest.mark.parametrize("seconds, both", [
    (0, [1, 0.25]), (58, [1, 0.25]), (59, [2, 1.625]), (98, [2, 1.625]), (99, [2, 2]), (1e9, [2.5, 2.5])])
def test_a_cost_is_told_in_steps_of_adam_by_the_median_of_up_to_four_turns_as_time_allows(seconds, both, monkeypatch):
    """Ten steps of the method take 10, 30, 20 and 70 seconds, and as many of Adam, turn by turn, 40, 10, 10 and 10."""
    now, lasts, asked = [0.0], {"momentum": [3, 10, 30, 20, 70], "adam": [5, 40, 10, 10, 10]}, []

    def period(who, number=10):
        asked.append(number)
        now[0] += (lasting := lasts[who].pop(0))
        return lasting / number

    monkeypatch.setattr(step_costs, "forever", lambda method, *given: method.__name__)
    monkeypatch.setattr(step_costs, "period", period)
    monkeypatch.setattr(step_costs.time, "perf_counter", lambda: now[0])
    found = step_costs.of_methods_on(mlp((6, 5, 10)), ["momentum"], seconds)
    assert_allclose(found["momentum"], both)
    assert asked[:3] == [3, 3, 10]  # the first steps are not counted


def test_a_cost_is_printed_as_times_of_adam_on_every_net_and_with_what_is_asked_for(monkeypatch):
    monkeypatch.setattr(step_costs, "NETS", {"one": None, "two": None})
    cost = {"one | kfac": [0.5, 7.25], "two | kfac": [9.0, 3.5], "one | adam": [0.1, 1.0], "two | adam": [0.2, 1.0],
            "asked": {"kfac": [0.0, 1.5, 2.25], "adam": [0, 1, 0]}, "cannot": {"bfgs": "a matrix"}}
    assert [line.split() for line in step_costs.report(cost)[1:]] == [
        ["a", "step", "in", "steps", "of", "Adam", "one", "two", "values", "gradients", "products"],
        ["kfac", "7.25", "3.50", "0.0", "1.5", "2.2"], ["adam", "1.00", "1.00", "0.0", "1.0", "0.0"],
        ["bfgs", "a", "matrix"]]


def test_whoever_is_measured_takes_steps_on_images_too():
    net, names = cnn((4, 4, 1), channels=2), second_order_cost.recorded("second_order_cost")["cost"]["asked"]
    images, labels = step_costs.numbers(net.inputs, 20)
    for name in names:
        problem = EmpiricalRisk(net, images, labels, 10)
        run = step_costs.forever(getattr(optimizers, name), problem, net.initial(0, dtype=np.float32))
        assert all(theta.size == net.size for theta in islice(run, 4)), name


def test_settings_are_those_of_a_method_and_no_memory_is_set():
    problem, theta = EmpiricalRisk(mlp(SIZES), X, Y), THETA
    given = step_costs.begun(optimizers.kfac, problem, theta).hyperparameters
    assert (given["lr"], given["every"]) == (1e-6, step_costs.STEPS) and given["mu"] == 0.9
    assert step_costs.begun(optimizers.rprop, problem, theta)["lr"] != 1e-6  # which it remembers
    given = step_costs.begun(optimizers.kfac_martens, problem, theta).hyperparameters
    assert (given["T2"], given["T3"]) == (step_costs.STEPS,) * 2, "what is renewed, once in the steps that are timed"
    assert step_costs.begun(optimizers.natural_gradient, problem, theta).hyperparameters["cg_steps"] == step_costs.STEPS


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


def test_timing_every_number_is_drawn_at_its_net_its_method_and_its_form_and_so_are_the_printed_ones(monkeypatch):
    names = [f"{net} | {method} | {form}" for net in figure.NETS for method in figure.METHODS for form in figure.FORMS]
    seconds = dict(zip(names, np.geomspace(1, 1000, len(names))))
    monkeypatch.setattr(figure, "recorded", lambda name: {"epochs": seconds})
    picture = figure.draw(**figure.compute())
    for ax in picture.axes:
        methods = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels())))
        for line in ax.lines[:len(figure.FORMS)]:
            for x, y in zip(*line.get_data()):
                assert x == seconds[f"{ax.get_title().replace(' × ', 'x')} | {methods[y]} | {line.get_label()}"]
    crosses = [line.get_data() for line in picture.axes[1].lines[len(figure.FORMS):]]
    assert [(methods[y], x) for (x,), (y,) in crosses] == [("Adam", 7.02), ("RMSProp", 7.1), ("nlTGCR", 0.42)]
    plt.close(picture)


def costs(arrays):
    """{method: the cost of its step on each net}."""
    names = [name for those in second_order_cost.names().values() for name in those]
    return dict(zip(names, arrays("second_order_cost")["steps_of_adam"], strict=True))


def test_second_order_cost_every_optimizer_is_drawn_or_it_is_said_why_not(arrays):
    cost, said = costs(arrays), second_order_cost.excluded().replace("\n", " ")
    for name in set(optimizers.__all__).difference(cost):
        assert re.search(rf"Not here: [^(]*\b{re.escape(LOOKS[name][2])}\b", said), name
    assert set(cost) | set(second_order_cost.LIMITS) <= set(optimizers.__all__)


def test_second_order_cost_products_with_the_curvature_cost_a_few_gradients_on_any_net(arrays):
    cost = costs(arrays)
    for method in ("adahessian", "nltgcr_fisher"):
        assert np.all((cost[method] > 1.5) & (cost[method] < 8)) and max(cost[method]) < 2.5 * min(cost[method])
    assert np.all(cost["natural_gradient"] > 2.5 * cost["nltgcr_fisher"])
    assert np.all(cost["natural_gradient"] < 12 * cost["nltgcr_fisher"])
    assert np.all(cost["sophia"] < cost["adahessian"])


def test_second_order_cost_inverses_and_roots_cost_more_the_wider_a_layer_is(arrays):
    cost, (dense, other, narrow) = costs(arrays), range(len(second_order_cost.STYLES))
    for method in ("kfac", "ekfac", "soap", "shampoo"):
        assert cost[method][dense] > 1.5 * max(cost[method][other], cost[method][narrow])
    assert all(cost[method][other] > cost[method][narrow] for method in ("soap", "shampoo"))
    assert all(cost[method][dense] > cost["natural_gradient"][dense] for method in ("ekfac", "soap", "shampoo"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system's own count begins with the parent's")
def test_what_a_process_has_at_most_grows_in_the_child_of_a_larger_one():
    larger = np.ones(50_000_000)  # 400 MB
    program = ("import numpy as np; from data_scripts.side_by_side import peak; before = peak();"
               "here = np.ones(4_000_000); print(peak() - before)")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])
    assert larger.nbytes == 400e6 and 30_000 < int(done.stdout) < 60_000  # kB, of 32 MB


@pytest.mark.parametrize("against_torch, grown", [(True, [3, 0.5]), (False, [3, np.nan])])
def test_the_memory_of_a_step_is_in_mb_of_1024_kb_ours_first(against_torch, grown, monkeypatch):
    said = {"ours": "3072\n", "theirs": "512\n"}
    monkeypatch.setattr(side_by_side.subprocess, "run", lambda command, **_: SimpleNamespace(stdout=said[command[-1]]))
    (what, both), = side_by_side.of_memory(against_torch, 1.0).items()
    assert what.startswith("MB ") and np.array_equal(both, grown, equal_nan=True)
