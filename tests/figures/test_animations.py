"""The moving pictures end with what the still ones show, and the page has them all."""
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import figures
from figures import learning_rate_step, matrices, momentum, race, saddle, zigzag
from figures.making import moving, rendering, sheet
from figures.making.command import main
from numopt.data import digits
from numopt.networks import mlp
from numopt.optimizers import newton_rate
from numopt.problems import MiniBatch

MOVING = ["learning_rate_step", "matrices", "momentum", "race", "saddle", "zigzag"]


@pytest.fixture(scope="module")
def parts(arrays):
    """A function that gives (figure, show, number of frames) of a figure's moving picture, without drawing any: of its
    own arrays, and then for all tests the same, or of those that it is given."""
    known = {}

    def of(script, **given):
        if given or script not in known:
            with figures.drawing(), pytest.MonkeyPatch.context() as patch:
                for each in (moving, learning_rate_step, matrices, race, zigzag):
                    patch.setattr(each, "animation", lambda figure, show, frames: (figure, show, frames))
                known[script] = script.animate(**given or arrays(script.__name__.split(".")[-1]))
        return known[script]

    return of


def data(figure):
    return [moving.points(line) for ax in figure.axes for line in ax.lines]


def test_these_figures_move():
    assert figures.those_that_move() == MOVING


@pytest.mark.parametrize("script", [saddle, momentum], ids=["saddle", "momentum"])
def test_the_last_frame_is_the_picture_and_the_first_its_beginning(script, parts, arrays):
    computed = arrays(script.__name__.split(".")[-1])
    figure, show, frames = parts(script)
    with figures.drawing():
        whole = data(script.draw(**computed))
    show(0)
    lengths = [len(x) for x, *_ in data(figure)]
    show(frames - 1)
    for mine, still in zip(data(figure), whole, strict=True):
        assert_array_equal(mine, still)
    assert all(n == 1 for n, (x, *_) in zip(lengths, whole) if len(x) > 2)


def test_zigzag_goes_along_its_steps_without_haste_and_ends_as_the_still_picture(parts, arrays):
    gamma, descent = arrays("zigzag").values()
    figure, show, frames = parts(zigzag)
    line, *corners = (line for line in figure.axes[0].lines if len(line.get_xdata()) > 2)
    for frame in (0, 10, 25, frames - 2):
        show(frame)
        k, part = divmod(frame, 10)
        assert_allclose(line.get_xydata()[-1], descent[k] + part / 10 * (descent[k + 1] - descent[k]))
        assert sum(corner.get_visible() for corner in corners) == min(max((frame - 1) // 10, 0), len(corners))
    show(frames - 1)
    with figures.drawing():
        for mine, still in zip(data(figure), data(zigzag.draw(gamma, descent)), strict=True):
            assert_array_equal(mine, still)


def test_race_shows_where_each_is_after_so_many_gradients(parts, monkeypatch):
    f, order = race.FUNCTIONS["Rosenbrock"], race.competitors()
    trials = {name: [race.reached(order[name], f, race.drawn(order[name], trial)) for trial in range(race.SEARCH)]
              for name in race.RACERS}
    ends = {"Rosenbrock": np.array([trials.get(name, [np.inf] * race.SEARCH) for name in order])}
    figure, show, frames = parts(race, gradients=200, search=20, **ends)
    show(0)
    assert all(ax.lines[1].get_xydata().tolist() == [[-1.2, 1]] for ax in figure.axes)
    show(frames - 1)
    for name, ax in zip(race.RACERS, figure.axes, strict=True):
        assert_allclose(f.value(ax.lines[2].get_xydata()[-1]), min(trials[name]), rtol=1e-12)
        assert ax.texts[0].get_text() == f"f = {min(trials[name]):.2g}"


def test_matrices_one_label_for_each_example_gives_the_sampled_fisher_matrix():
    loss, start = matrices.problem()
    _, means = matrices.sampled(steps=0, draws=2)
    one, two = (matrices.dense(loss.fisher(start, samples=1, seed=seed), start.size) for seed in (0, 1))
    assert_allclose(means, [one, (one + two) / 2], atol=1e-12 * np.abs(one).max())


def test_matrices_each_frame_shows_the_mean_whose_distance_the_dot_has_and_its_error(parts, arrays, monkeypatch):
    monkeypatch.setattr(matrices, "sampled", partial(matrices.sampled, draws=16))
    figure, show, frames = parts(matrices, **arrays("matrices"))
    F, sampled, error = (ax.images[0] for ax in figure.axes[:3])
    _, _, dot = figure.axes[3].lines
    F, distances = F.get_array(), []
    for frame in (0, 2, 5, frames // 2, frames - 1):
        show(frame)
        assert_allclose(error.get_array(), sampled.get_array() - F, atol=1e-15)
        distances.append(np.linalg.norm(error.get_array()) / np.linalg.norm(F))
        assert_allclose(dot.get_ydata(), distances[-1:])
    assert distances[-1] < distances[0] / 2


def test_matrices_their_mean_comes_nearer_like_one_over_the_root_of_their_number():
    F, means = matrices.sampled()
    error = np.linalg.norm(means - F, axis=(1, 2))
    n = np.arange(1, len(error) + 1)
    slope = np.polyfit(np.log(n), np.log(error), 1)[0]
    assert -0.7 < slope < -0.4 and error[-1] < error[0] / 10


@pytest.mark.parametrize("name", ["zigzag", "saddle", "learning_rate_step"])
def test_what_does_not_move_lies_as_a_picture_beneath_what_does(name, arrays, monkeypatch):
    """A frame that is drawn this way has the pixels of the whole figure, but where a line now covers another."""
    kept = []
    beneath = moving.seen_beneath
    monkeypatch.setattr(moving, "seen_beneath", lambda figure, parts: (
        kept.extend([figure, pixels(figure)]), beneath(figure, parts)))
    with figures.drawing():
        figures.load(name).animate(**arrays(name))._init_draw()
        figure, whole = kept
        assert whole.std() > 5 and np.mean(np.abs(whole - pixels(figure)).max(axis=2) > 30) < 2e-4


def pixels(figure):
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3].astype(int)


@pytest.mark.parametrize("script", [zigzag, saddle, momentum], ids=["zigzag", "saddle", "momentum"])
def test_a_loop_takes_ten_to_twenty_seconds(script, parts):
    *_, frames = parts(script)
    assert 40 <= frames + moving.PAUSE <= 140 and 9 <= (frames + moving.PAUSE) / moving.A_SECOND <= 20


def test_learning_rate_step_where_it_is_free_the_next_rate_is_near_the_lowest_point_of_this_curve(arrays):
    curves, rates = arrays("learning_rate_step")["curves"], arrays("learning_rate_step")["rates"]
    change = rates[1:] / rates[:-1]
    free = (change < 1.99) & (change > 0.51)
    away = np.abs(np.log(rates / np.append(learning_rate_step.etas()[curves.argmin(axis=1)], np.nan)))
    there = np.abs(np.log(rates[1:] / learning_rate_step.etas()[curves.argmin(axis=1)]))
    assert free.sum() >= 20 and np.median(there[free]) < 0.1 and np.nanmedian(away[1:]) > 0.5
    assert_allclose(change[:7], 2)                                      # at first as much as it may
    taken = [learning_rate_step.along(curve, rate) for curve, rate in zip(curves, rates)]
    assert 0.1 < np.mean(np.array(taken) > 1) < 0.3                     # one step in five ends above f(0)


@pytest.mark.parametrize("seed, lr", [(1, 0.02), (2, 0.2), (3, 1.0)])
def test_learning_rate_step_from_other_starts_it_comes_nearer_to_the_lowest_point_nine_times_of_ten(seed, lr):
    X, Y, *_ = digits()
    network, etas = mlp([64, 16, 10]), learning_rate_step.etas()[::4]
    loss = MiniBatch(network, X[:300], Y[:300])
    run, nearer, above = newton_rate(loss, network.initial(seed=seed), lr=lr), [], []
    for rate in [lr, *[None] * 39]:
        rate, theta, f = rate or run["lr"], run.theta, loss.value(run.theta)
        g = loss.gradient(theta)
        lowest = np.log(etas[np.argmin([loss.value(theta - eta * g) for eta in etas])])
        above.append(loss.value(theta - rate * g) > f)
        next(run)
        nearer.append(abs(np.log(run["lr"]) - lowest) < abs(np.log(rate) - lowest))
    assert np.mean(nearer) > 0.85 and 0.03 < np.mean(above) < 0.3


def test_learning_rate_step_over_other_rates_and_none_that_are_outside(arrays):
    drawn, usual = learning_rate_step.compute(steps=3, shown=(1, 3), lowest=0.01, highest=50.0), arrays(
        "learning_rate_step")
    assert_allclose(drawn["rates"], usual["rates"][:4])
    eta = np.geomspace(0.03, 40, 7)
    assert_allclose([learning_rate_step.along(drawn["curves"][2], rate, 0.01, 50.0) for rate in eta],
                    [learning_rate_step.along(usual["curves"][2], rate) for rate in eta], rtol=0.02)
    for lowest, highest in (0.06, 50.0), (0.01, 0.3), (2.0, 1.0), (0.0, 1.0):
        with pytest.raises(ValueError, match="lowest"):
            learning_rate_step.compute(steps=3, shown=(1,), lowest=lowest, highest=highest)


def test_learning_rate_step_the_first_curves_are_those_at_the_start_and_after_a_step_of_the_first_rate(arrays):
    drawn, (X, Y, *_) = arrays("learning_rate_step"), digits()
    network = mlp([64, 16, 10])
    loss, theta = MiniBatch(network, X[:300], Y[:300]), network.initial(seed=0)
    for curve, rate in zip(drawn["curves"], (0.05, 0.1)):
        g = loss.gradient(theta)
        at = 0.02 * 10**(4 * np.arange(120) / 119)
        assert_allclose(curve[::7], [loss.value(theta - eta * g) / loss.value(theta) for eta in at[::7]])
        theta = theta - rate * g
    assert_allclose(drawn["rates"][:3], [0.05, 0.1, 0.2])
    assert len(drawn["curves"]) == 60


def test_learning_rate_step_its_curves_are_the_loss_along_the_gradient(arrays, parts):
    computed = arrays("learning_rate_step")
    figure, show, frames = parts(learning_rate_step)
    show(frames - 1)
    assert_array_equal(figure.axes[0].lines[0].get_ydata(), computed["curves"][-1])
    assert_allclose(computed["curves"][:, 0], 1, atol=0.1)              # a short step changes little


def test_a_line_of_n_points_and_one_is_revealed_for_n_steps_and_one_of_two_points_is_no_path(monkeypatch):
    import matplotlib.pyplot as plt
    seen = []
    monkeypatch.setattr(moving, "animation", lambda figure, show, frames: seen.append((show, frames)))
    figure, (left, right) = plt.subplots(1, 2)
    for ax in left, right:
        ax.plot(np.arange(5.0)**2)
        ax.plot([0, 1, 4], [3, 2, 1])
        ax.plot([0, 4], [1, 1])
    moving.revealed(figure, [0, 1, 3])
    moving.revealed(figure, range(3), axes=[right])
    (show, frames), (on_the_right, _) = seen
    assert frames == 3
    for frame, lengths in enumerate(([1, 1, 2], [2, 2, 2], [4, 3, 2])):
        show(frame)
        assert [[len(line.get_xdata()) for line in ax.lines] for ax in (left, right)] == [lengths, lengths]
    assert_array_equal(left.lines[0].get_ydata(), [0, 1, 4, 9])
    assert on_the_right(0) == right.lines[:2] and len(left.lines[0].get_xdata()) == 4
    plt.close(figure)


def test_a_moving_picture_is_a_gif_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "PAUSE", 0)
    monkeypatch.setattr(zigzag, "animate", lambda **all: moving.revealed(zigzag.draw(**all), range(3)))
    file = figures.animated("zigzag", tmp_path)
    assert file.read_bytes()[:6] == b"GIF89a" and [path.name for path in tmp_path.iterdir()] == ["zigzag.gif"]

    def broken(**arrays):
        raise ValueError("no picture")

    monkeypatch.setattr(zigzag, "animate", broken)
    with pytest.raises(ValueError):
        figures.animated("zigzag", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["zigzag.gif"]


def test_a_figure_that_does_not_move_is_refused_with_those_that_do(capsys):
    with pytest.raises(SystemExit):
        main(["condition_number", "--animate"])
    assert f"there is no moving picture of condition_number; there is of {', '.join(MOVING)}" in capsys.readouterr().err


def test_the_page_has_every_picture_with_its_name_and_caption(tmp_path, monkeypatch):
    names = ["momentum", "zigzag", "saddle"]
    for name in names[:2]:
        (tmp_path / f"{name}.png").write_bytes((figures.RENDERED / f"{name}.png").read_bytes())
    pages = []
    monkeypatch.setattr(rendering, "saved", lambda out, name, save: pages.append((name, figures_of_now())))
    sheet.drawn(names, tmp_path)
    (name, page), = pages
    assert name == "sheet.png" and [ax.get_title() for ax in page.axes if ax.images] == ["zigzag", "momentum"]
    assert page.axes[0].texts[0].get_text().replace("\n", " ") == figures.caption("zigzag")


def test_figures_are_in_the_order_of_the_lectures_and_of_their_pages():
    names = ["clipping_at_a_cliff", "momentum", "zigzag", "eigenvectors_of_an_ellipse"]
    assert sorted(names, key=rendering.place) == [
        "eigenvectors_of_an_ellipse", "zigzag", "clipping_at_a_cliff", "momentum"]


def figures_of_now():
    import matplotlib.pyplot as plt
    return plt.gcf()
