"""A run is the loop that anyone would write: its updates, its evaluations, its checkpoints, its rows, worked out here
with plain arrays and none of the code of `training`, `optim`, `bounds` or `run`. It can be stopped anywhere, and nobody
can tell afterwards."""
import gc
import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minindrnn.training.run
from minindrnn import SGD, Adam, AtLastStep, BatchNorm, Chain, IndRNN, Linear, cross_entropy
from minindrnn.core import memory_pool
from minindrnn.core.layer import leaves
from minindrnn.tasks.registry import TASKS
from minindrnn.tasks.settings import Settings
from minindrnn.training import checkpoint
from minindrnn.training.checkpoint import CheckpointError, load, save
from minindrnn.training.run import Run, TrainingError, arrays_of, history
from minindrnn.training.schedules import Plateau
from minindrnn.training.step import train_step

BOUND, CLIP, RATE = 0.7, 0.05, 0.2


def network():
    """One that normalises, drops out, decays and starts beyond its bound."""
    rng = np.random.default_rng(1)
    first = IndRNN(4, 5, rng, u=(-1.2, 1.2), norm="after", dropout=0.4, dtype=np.float64)
    return Chain([first, AtLastStep(Linear(5, 3, rng, dtype=np.float64))])


def batch(step):
    """Five sequences of up to six steps, NaN where they are over."""
    rng = np.random.default_rng([2, step])
    x, lengths = rng.normal(size=(6, 5, 4)), rng.integers(1, 7, 5)
    x[np.arange(6)[:, None] >= lengths] = np.nan
    return x, rng.integers(0, 3, 5), lengths


def noise(step):
    return np.random.default_rng([3, step])


def rate(step):
    return RATE / (1 + step)


def loop(steps, penalty, rule):
    """The arrays after each update, and its loss. rule: (value, gradient, rate, memory of the parameter) -> value."""
    made, memories, losses, after = network(), {}, [], [None] * (steps + 1)
    parameters = {path: parameter for path, parameter in leaves(made.parameters)}
    for step in range(steps):
        x, labels, lengths = batch(step)
        y, cache = made.forward(x, lengths=lengths, statistics="batch", rng=noise(step))
        p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(5), labels]).mean()
        _, grads = made.backward((p - np.eye(3)[labels]) / 5, cache)
        h = states(made.layers[0], x, lengths)
        u = parameters["0.u"].value
        excess = np.where(np.abs(u) > BOUND, np.abs(u) - BOUND, 0)
        size = np.sqrt((excess**2).sum())
        for path, parameter in parameters.items():
            place, name = path.split(".")
            g = grads[int(place)][name]
            if path == "0.u" and penalty and size > 0:
                g = g + penalty * np.sign(u) * excess / size
            g = np.where(g > CLIP, CLIP, np.where(g < -CLIP, -CLIP, g))
            parameter.value[...] = rule(parameter.value, g, rate(step), memories.setdefault(path, {}))
        if not penalty:
            u = parameters["0.u"].value
            u[u > BOUND], u[u < -BOUND] = BOUND, -BOUND
        for name, now in (("mean", h.mean(axis=0)), ("var", h.var(axis=0, ddof=1))):
            made.buffers[0][name][...] = 0.9 * made.buffers[0][name] + 0.1 * now
        made.buffers[0]["updates"][...] += 1
        losses.append(loss + penalty * size)
        after[step + 1] = {name: array.copy() for name, array in arrays_of(made).items()}
    return after, losses


def states(layer, x, lengths):
    """All h of a layer, (steps of all sequences, N)."""
    W, b, u, rows = layer["W"], layer["b"], layer["u"], []
    for sequence, length in enumerate(lengths):
        h = np.zeros_like(u)
        for t in range(length):
            h = np.maximum(W @ x[t, sequence] + b + u * h, 0)
            rows.append(h)
    return np.array(rows)


def plain(value, g, rate, memory):
    memory["v"] = 0.5 * memory.get("v", 0) + g
    return value - rate * memory["v"]


def adaptive(value, g, rate, memory):
    k = memory["k"] = memory.get("k", 0) + 1
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g * g
    return value - rate * (memory["m"] / (1 - 0.9**k)) / (np.sqrt(memory["v"] / (1 - 0.999**k)) + 1e-8)


RULES = {"sgd": (lambda parameters: SGD(parameters, momentum=0.5), plain), "adam": (Adam, adaptive)}


def a_run(folder, optimiser="sgd", **changes):
    made = changes.pop("network", None) or network()
    usual = dict(config={"task": "mine"}, network=made, loss=cross_entropy,
                 optimiser=RULES[optimiser][0](made.parameters),
                 schedule=rate, batch=batch, evaluate=lambda network: {}, noise=noise, updates=12, every=5,
                 options=dict(bound=BOUND, penalty=0.0, clip=CLIP))
    return Run(folder, **usual | changes)


def assert_same(got, wanted):
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        assert_allclose(got[name], array, rtol=1e-9, atol=1e-12, err_msg=name)


def twelve_updates(folder, optimiser, penalty):
    """(run, its arrays at each evaluation, the checkpoint on the disk before each update), beside what the loop has:
    (arrays after each update, losses)."""
    seen, left = [], {}

    def evaluate(asked):
        seen.append({name: array.copy() for name, array in arrays_of(asked).items()})
        return {"score": float(len(seen))}

    def watched(step):
        left[step] = load(folder / "checkpoint.npz")
        return batch(step)
    run = a_run(folder, optimiser, evaluate=evaluate, options=dict(bound=BOUND, penalty=penalty, clip=CLIP))
    run.start()
    run.batch = watched
    assert run.train() and run.update == 12
    return run, seen, left, *loop(12, penalty, RULES[optimiser][1])


every_rule = pytest.mark.parametrize("optimiser, penalty", [
    (name, penalty) for name in RULES for penalty in (0.0, 0.3)])


@every_rule
def test_twelve_updates_are_those_of_the_loop(tmp_path, optimiser, penalty):
    run, _, _, after, _ = twelve_updates(tmp_path, optimiser, penalty)
    assert_same(arrays_of(run.network), after[12])


@every_rule
def test_what_is_evaluated_is_the_network_after_5_10_and_12_updates(tmp_path, optimiser, penalty):
    _, seen, _, after, _ = twelve_updates(tmp_path, optimiser, penalty)
    assert len(seen) == 3
    for got, step in zip(seen, (5, 10, 12)):
        assert_same(got, after[step])


@every_rule
def test_the_history_has_a_row_for_each_evaluation_with_the_mean_loss_since_the_last(tmp_path, optimiser, penalty):
    _, _, _, _, losses = twelve_updates(tmp_path, optimiser, penalty)
    rows = history(tmp_path)
    assert [(row["update"], row["score"]) for row in rows] == [(5, 1.0), (10, 2.0), (12, 3.0)]
    wanted = [np.mean(losses[:5]), np.mean(losses[5:10]), np.mean(losses[10:])]
    assert [row["loss"] for row in rows] == pytest.approx(wanted)
    assert [list(row) for row in rows] == [["update", "loss", "score", "seconds"]] * 3


@every_rule
def test_the_checkpoint_is_that_of_the_last_evaluation(tmp_path, optimiser, penalty):
    """Also what a run leaves behind that dies at update 7."""
    run, _, left, after, _ = twelve_updates(tmp_path, optimiser, penalty)
    assert [facts["update"] for _, facts in (left[0], left[4], left[5], left[9], left[10])] == [0, 0, 5, 5, 10]
    arrays, facts = load(tmp_path / "checkpoint.npz")
    for found, step in ((left[7][0], 5), (arrays, 12)):
        assert_same({name: array for name, array in found.items() if name in after[12]}, after[step])
    assert facts == {"update": 12, "config": {"task": "mine"}, "seen": {}}
    remembered = {name for name in arrays if name.startswith("optimiser.")}
    assert remembered == {f"optimiser.{name}" for name in run.optimiser.state()}


def test_a_run_that_goes_on_is_the_loop_too(tmp_path):
    after, losses = loop(12, 0.0, plain)
    run = a_run(tmp_path, updates=7)
    run.start()
    assert run.train()
    run = a_run(tmp_path)
    run.resume()
    assert run.update == 7 and run.train()
    assert_same(arrays_of(run.network), after[12])
    rows = history(tmp_path)
    assert [row["update"] for row in rows] == [5, 7, 10, 12]
    wanted = [np.mean(losses[:5]), np.mean(losses[5:7]), np.mean(losses[5:10]), np.mean(losses[10:])]
    assert [row["loss"] for row in rows] == pytest.approx(wanted)


def test_the_step_alone_is_clipped_to_ten_and_bounds_u_only_if_asked():
    """An update as it is in the papers, where nothing is given: gradients within +-10, u where the update leaves it."""
    made, x, labels = network(), *batch(0)[:2]
    x, before = np.nan_to_num(x), arrays_of(network())
    y, cache = made.forward(x, statistics="batch")
    loss, dy = cross_entropy(y, labels)
    _, grads = made.backward(1e4 * dy, cache)
    value, _ = train_step(made, lambda y, target: (loss, 1e4 * dy), SGD(made.parameters), x, labels, 1.0)
    clipped = 0
    for path, parameter, grad in leaves(made.parameters, grads):
        assert_allclose(parameter.value, before[f"parameter.{path}"] - np.clip(grad, -10, 10), rtol=1e-12)
        clipped += np.count_nonzero(np.abs(grad) > 10)
    assert value == loss and clipped > 10 and np.abs(made.layers[0]["u"]).max() > 1.2


def carrying(T=6):
    """A network whose state goes on, normalised for each step, and batches that belong together."""
    rng = np.random.default_rng(4)
    first = IndRNN(3, 4, rng, norm="before", norm_options=dict(length=2 * T + 1), dtype=np.float64)
    made = Chain([first, Linear(4, 2, rng, dtype=np.float64)])

    def segment(step):
        rng = np.random.default_rng([5, step])
        return rng.normal(size=(T, 3, 3)), rng.integers(0, 2, (T, 3)), None
    return made, segment


def test_states_go_on_from_batch_to_batch_and_start_anew(tmp_path):
    """Segments 0 to 2 belong together, and 3 to 6; the rows of the running statistics are those of the steps."""
    starts = [0, 6, 12, 0, 6, 12, 18]
    wanted, segment = carrying()
    first, second = wanted.layers
    state, optimiser, losses = None, SGD(wanted.parameters), []
    for step, start in enumerate(starts):
        x, target, _ = segment(step)
        h, of_first = first.forward(x, state if start else None, start=start, statistics="batch")
        y, of_second = second.forward(h)
        loss, dy = cross_entropy(y, target)
        dh, grads = second.backward(dy, of_second)
        optimiser.update([first.backward(dh, of_first)[1], grads], rate(step))
        first.absorb(of_first)
        np.clip(first["u"], -BOUND, BOUND, out=first["u"])
        state = h[-1].copy()
        losses.append(loss)
    assert wanted.buffers[0]["updates"].tolist() == [2] * 12 + [2 * 6 + 6]
    made, _ = carrying()
    run = a_run(tmp_path, network=made, batch=segment, optimiser="sgd", starts=starts.__getitem__, updates=7,
                options=dict(bound=BOUND))
    run.optimiser = SGD(made.parameters)
    run.start()
    assert run.train()
    assert_same(arrays_of(made), arrays_of(wanted))
    assert_allclose(run.state[0], state, rtol=1e-9)
    assert [row["loss"] for row in history(tmp_path)] == pytest.approx([np.mean(losses[:5]), np.mean(losses[5:])])
    assert_array_equal(load(tmp_path / "checkpoint.npz")[0]["state.0"], run.state[0])


def scripted(folder, scores, **options):
    """A run that is evaluated after every update, with these scores; what its parameters were each time."""
    seen = []

    def evaluate(asked):
        seen.append({name: array.copy() for name, array in arrays_of(asked).items()})
        return {"score": scores[len(seen) - 1]}
    schedule = Plateau(0.01, metric="score", smallest=1e-3, **options)
    run = a_run(folder, schedule=schedule, evaluate=evaluate, every=1, updates=len(scores))
    run.start()
    return run, seen


def test_after_a_plateau_the_best_goes_on(tmp_path):
    """Where the rate falls, the parameters, statistics and momentum of the best evaluation come back."""
    run, seen = scripted(tmp_path, [0.1, 0.9] + [0.2] * 8, patience=2)
    rates, states = [], []
    batch = run.batch

    def watched(step):
        rates.append(run.schedule(step))
        states.append({name: array.copy() for name, array in run.learned().items()})
        return batch(step)
    run.batch = watched
    run.train()
    rates, states = rates[1:], states[1:]                        # the first call only compiles
    fallen = rates.index(next(rate for rate in rates if rate < 0.01))
    assert 3 <= fallen <= 6 and rates[:fallen] == [0.01] * fallen
    for name, array in states[2].items():                        # before update 2: the best, after update 1
        assert_array_equal(states[fallen][name], array, name)
    assert_same({name: states[2][name] for name in seen[1]}, seen[1])
    assert any(not np.array_equal(states[fallen - 1][name], states[2][name]) for name in states[2])


def test_where_the_last_plateau_ends_the_best_is_kept(tmp_path):
    run, seen = scripted(tmp_path, [0.1, 0.2, 0.9] + [0.2] * 20, patience=1, factor=0.01)
    assert run.train() and run.update < 20
    assert_same(arrays_of(run.network), seen[2])
    arrays, _ = load(tmp_path / "checkpoint.npz")
    assert_same({name: arrays[name] for name in seen[2]}, seen[2])


def test_where_the_steps_end_first_the_best_is_kept_too(tmp_path):
    run, seen = scripted(tmp_path, [0.1, 0.9, 0.3], patience=50)
    assert run.train() and run.update == 3
    assert_same(arrays_of(run.network), seen[1])
    arrays, _ = load(tmp_path / "checkpoint.npz")
    assert_same({name: arrays[name] for name in seen[1]}, seen[1])


def test_seconds_go_on_where_the_run_does(tmp_path, monkeypatch):
    now = iter(range(0, 10_000, 10))
    monkeypatch.setattr(minindrnn.training.run, "time", SimpleNamespace(perf_counter=lambda: float(next(now))))
    for steps in (10, 20):
        run = a_run(tmp_path, updates=steps)
        run.start() if steps == 10 else run.resume()
        run.train()
    seconds = [row["seconds"] for row in history(tmp_path)]
    assert len(seconds) == 4 and 0 < seconds[0] < seconds[1] < seconds[2] < seconds[3]


@pytest.mark.parametrize("name", ["checkpoint.npz", "config.json", "metrics.jsonl"])
def test_nothing_of_anybody_is_written_over(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match="holds a run already; continue it with --resume"):
        a_run(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_what_a_run_starts_with(tmp_path):
    run = a_run(tmp_path / "deep/run")
    run.start()
    arrays, facts = load(tmp_path / "deep/run/checkpoint.npz")
    assert facts["update"] == 0 and json.loads((tmp_path / "deep/run/config.json").read_text()) == {"task": "mine"}
    assert history(tmp_path / "deep/run") == [] and (tmp_path / "deep/run/metrics.jsonl").exists()
    assert_same({name: arrays[name] for name in arrays_of(network())}, arrays_of(network()))


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_a_run_of_an_earlier_version_goes_on(tmp_path, colour):
    """It says step for update, steps for updates, and nothing of a setting that was not there: all was red then."""
    run = a_run(tmp_path, updates=7, config={"updates": 12})
    run.start()
    assert run.train()
    arrays, facts = load(tmp_path / "checkpoint.npz")
    save(tmp_path / "checkpoint.npz", arrays, {"step": facts["update"], "config": {"steps": 12}, "seen": {}})
    rows = [{"step": row.pop("update")} | row for row in history(tmp_path)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = a_run(tmp_path, config={"updates": 12, "colour": colour}, assumed={"colour": "red"})
    if colour == "blue":
        with pytest.raises(TrainingError, match="was started with colour = 'red', not 'blue'"):
            run.resume()
        return
    run.resume()
    assert run.update == 7 and run.train()
    assert_same(arrays_of(run.network), loop(12, 0.0, plain)[0][12])
    assert [row["update"] for row in history(tmp_path)] == [5, 7, 10, 12]
    assert "step" not in (tmp_path / "metrics.jsonl").read_text()
    assert load(tmp_path / "checkpoint.npz")[1] == {"update": 12, "config": run.config, "seen": {}}


@pytest.mark.parametrize("changes, message", [
    ({"config": {"task": "mine", "hidden": 3}}, "was started with hidden = None, not 3"),
    ({"config": {"task": "yours"}}, "was started with task = 'mine', not 'yours'"),
    ({"seen": {"T": 4}}, "the data is not that which the run was started with")])
def test_another_run_does_not_go_on(tmp_path, changes, message):
    a_run(tmp_path).start()
    before = (tmp_path / "checkpoint.npz").read_bytes()
    run = a_run(tmp_path, **changes)
    with pytest.raises(TrainingError, match=message):
        run.resume()
    assert run.update == 0 and (tmp_path / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize("resume", [False, True])
def test_what_fails_before_anything_was_learned_leaves_what_was_there(tmp_path, resume):
    """A run that starts takes its files with it; one that goes on found them, and leaves them."""
    folder = tmp_path / "run"
    if resume:
        a_run(folder).start()
    before = {path.name: path.read_bytes() for path in folder.iterdir()} if resume else {}
    with pytest.raises(MemoryError), a_run(folder).opened(resume=resume):
        raise MemoryError
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_loss_that_is_not_finite_is_said_with_its_step(tmp_path):
    calls = []

    def loss(y, target):
        calls.append(1)
        value, dy = cross_entropy(y, target)
        return (np.inf if len(calls) == 4 else value), dy
    run = a_run(tmp_path, loss=loss)
    run.start()
    with pytest.raises(TrainingError,
                       match="the loss is inf at update 3, before the first evaluation; try a smaller --rate"):
        run.train()
    assert load(tmp_path / "checkpoint.npz")[1]["update"] == 0


def test_every_array_that_is_learned_is_watched():
    """Parameters, statistics, and the optimiser's memory: what a checkpoint holds and a plateau brings back."""
    made = Chain([network(), BatchNorm(3, dtype=np.float64)])
    run = a_run("nowhere", network=made, schedule=Plateau(0.1, metric="score"))
    parameters = {f"parameter.{path}" for path, _ in leaves(made.parameters)}
    buffers = {f"buffer.{place}.{name}" for place in ("0.0", "1") for name in ("mean", "var", "updates")}
    velocity = {f"optimiser.velocity.{path}" for path, _ in leaves(made.parameters)}
    assert len(parameters) == 9 and set(run.learned()) == parameters | buffers | velocity
    kept = {f"schedule.kept.{name}" for name in run.learned()}
    schedule = {f"schedule.{name}" for name in ("rate", "best", "waited", "phase")}
    assert set(run.arrays()) == set(run.learned()) | kept | {"losses"} | schedule


# ---------------------------------------------------------------------------------------------------------
# Small runs of tasks, stopped and broken

SMALL = Settings(task="digits-rows", layers=2, hidden=6, updates=45, batch=8, rate=3e-3, seed=1, gamma=2.0,
                 penalty=0.0, length=100)


def small_run(folder, **changes):
    settings = Settings(**SMALL.__dict__ | changes)
    if settings.task == "chars":
        text = folder.parent / "text.txt"
        text.write_text("to be, or not to be, that is the question: " * 30)
        settings = Settings(**settings.__dict__ | {"data": str(text)})
    made = TASKS[settings.task](settings).run(folder)
    made.every = 10
    made.losses = np.zeros(10)
    return made


def interrupting(batch, at):
    """The same batches; on the way to that of step `at`, Ctrl-C."""
    def interrupted(step):
        if step == at:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(step)
    return interrupted


@pytest.mark.parametrize("changes", [
    {}, {"task": "adding", "length": 12},
    {"model": "residual", "layers": 1, "norm": "before", "dropout": 0.2},
    {"model": "dense", "layers": 1, "hidden": 2, "norm": "after", "dropout": 0.1},
    {"model": "lstm", "layers": 1},
    {"task": "chars", "length": 9, "norm": "before", "dropout": 0.1, "layers": 2},
    {"task": "chars", "length": 4, "model": "lstm", "layers": 1},
    {"plateau": 1, "rate": 1e-2, "norm": "after", "decay": 1e-3}], ids=str)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, changes):
    whole, parts = (small_run(tmp_path / name, **changes) for name in ("whole", "parts"))
    whole.start()
    assert whole.train()
    parts.start()
    for at in (1, 16, 19, 43):
        parts = small_run(tmp_path / "parts", **changes)
        parts.resume()
        parts.batch = interrupting(parts.batch, at)
        assert not parts.train() and parts.update == at + 1
    parts = small_run(tmp_path / "parts", **changes)
    parts.resume()
    assert parts.train()
    assert (tmp_path / "whole/checkpoint.npz").read_bytes() == (tmp_path / "parts/checkpoint.npz").read_bytes()
    first, second = ([row | {"seconds": None} for row in history(made.folder)] for made in (whole, parts))
    assert first == second and [row["update"] for row in first] == [10, 20, 30, 40, 45]


def test_a_run_learns(tmp_path):
    made = small_run(tmp_path / "run", updates=100, hidden=16, batch=32, rate=0.02)
    made.start()
    made.train()
    rows = history(made.folder)
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"] and rows[-1]["validation_accuracy"] > 0.5


def test_an_unbounded_loss_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    made = small_run(tmp_path / "run")
    made.start()
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    next(leaves(made.network.parameters))[1].value[:] = np.nan
    with pytest.raises(TrainingError,
                       match="the loss is nan at update 0, before the first evaluation; try a smaller --rate"):
        made.train()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
    """A loss may be finite where something that was learned is not: running averages have no part in it."""
    made = small_run(tmp_path / "run", updates=20, norm="after")
    made.start()
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    made.network.buffers[0]["var"][0, 0] = np.inf
    message = "the parameters are not finite at update 10, before the first evaluation; try a smaller --rate"
    with pytest.raises(TrainingError, match=message):
        made.train()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before and history(made.folder) == []


def test_the_message_names_the_checkpoint_that_is_left(tmp_path):
    made = small_run(tmp_path / "run", updates=20)
    made.start()
    made.evaluate = lambda network: next(leaves(made.network.parameters))[1].value.fill(np.nan) or {}
    saved, made.save = made.save, lambda: None
    saved()
    made.saved = 10
    message = "the loss is nan at update 10; the checkpoint in .*run is the last good one, of update 10; try"
    with pytest.raises(TrainingError, match=message):
        made.train()


def test_a_crash_between_metrics_and_checkpoint_leaves_no_row_behind(tmp_path):
    made = small_run(tmp_path / "run")
    made.start()
    made.updates = 20
    made.train()
    with open(tmp_path / "run/metrics.jsonl", "a") as file:
        file.write(json.dumps({"update": 30, "loss": 1.0, "seconds": 1.0}) + '\n{"update": 40, "lo')
    again = small_run(tmp_path / "run")
    again.resume()
    assert [row["update"] for row in history(again.folder)] == [10, 20] and again.update == 20


@pytest.mark.parametrize("stop", [15, 25])
def test_seconds_go_on_where_they_were(tmp_path, monkeypatch, stop):
    """After a stop, from the last evaluation on."""
    clock = iter(range(1000, 10_000, 7))
    monkeypatch.setattr("minindrnn.training.run.time.perf_counter", lambda: next(clock))
    made = small_run(tmp_path / "run")
    made.start()
    made.batch = interrupting(made.batch, stop)
    assert not made.train()
    again = small_run(tmp_path / "run")
    again.resume()
    assert again.train()
    assert [row["seconds"] for row in history(again.folder)] == [7, 14, 21, 28, 35]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_null_in_the_file_and_nan_to_its_readers(tmp_path, number):
    made = small_run(tmp_path / "run")
    made.evaluate = lambda network: {"validation_loss": number, "validation_accuracy": 0.5}
    made.start()
    assert made.train()
    for _ in range(2):                                                 # and still after they are written again
        lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
        assert len(lines) == 5
        assert all(json.loads(line, parse_constant=pytest.fail)["validation_loss"] is None for line in lines)
        assert all(np.isnan(row["validation_loss"]) and row["validation_accuracy"] == 0.5
                   for row in history(made.folder))
        small_run(tmp_path / "run").resume()


def failing(error):
    def batch(step):
        raise error
    return batch


@pytest.mark.parametrize("error", [MemoryError("too much"), KeyboardInterrupt(), OSError(28, "No space"),
                                   TrainingError("nan")], ids=repr)
def test_what_fails_before_anything_was_learned_leaves_the_folder_free(tmp_path, error):
    for _ in range(2):
        made = small_run(tmp_path / "run")
        made.batch = failing(error)
        with pytest.raises(type(error)), made.opened():
            assert {path.name for path in made.folder.iterdir()} == {".lock", "checkpoint.npz", "config.json",
                                                                     "metrics.jsonl"}
            made.train()
        assert not list(made.folder.iterdir())
    made = small_run(tmp_path / "run")
    with made.opened():
        made.batch = interrupting(made.batch, 12)
        assert not made.train()                                 # saved: what fails from now on takes nothing away
    again = small_run(tmp_path / "run")
    again.batch = failing(error)
    with pytest.raises(type(error)), again.opened(resume=True):
        again.train()
    with pytest.raises(TrainingError, match="holds a run already"), small_run(tmp_path / "run").opened():
        raise AssertionError("written over")
    again = small_run(tmp_path / "run")
    with again.opened(resume=True):
        assert again.update == 13 and again.train()


@pytest.mark.parametrize("failed", ["config.json", "metrics.jsonl"])
def test_a_start_that_fails_half_way_leaves_the_folder_free(tmp_path, monkeypatch, failed):
    real = checkpoint.replacing

    def full(path, *mode):
        if path.name == failed:
            raise OSError(28, "No space left on device", str(path))
        return real(path, *mode)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "replacing", full)
        with pytest.raises(OSError, match="No space"), small_run(tmp_path / "run").opened():
            raise AssertionError("started")
    assert not list((tmp_path / "run").iterdir())
    small_run(tmp_path / "run").start()


def test_a_damaged_history_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for damaged in (b'{"update": 1, "loss": "a", "seconds": 1}\n', b'{"update": null, "loss": 1, "seconds": 1}\n',
                    b"{3}\n", b'{"update": 3}\n', b"\xff}\n", b'{"update": 1, "loss": 2.0, "seconds": 1}\n[{}\n',
                    b'{"update": 1, "loss": true, "seconds": 1}\n',
                    b'{"update": 1, "loss": 2.0, "seconds": 1' + b"0" * 400 + b"}\n",
                    b'half a line\n{"update": 1, "loss": 2.0, "seconds": 1}\n'):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError,
                           match="metrics.jsonl: expected an evaluation on each line, with update, loss and seconds"):
            history(tmp_path)


def test_a_plateau_run_keeps_to_its_number_of_steps(tmp_path):
    made = small_run(tmp_path / "run", plateau=2, updates=10)
    made.start()
    with pytest.raises(TrainingError, match="was started with updates = 10, not 20"):
        small_run(tmp_path / "run", plateau=2, updates=20).resume()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads what Linux says about the process")
def test_neither_memory_nor_files_grow_over_a_thousand_updates(tmp_path, monkeypatch):
    """With other lengths in every update, an evaluation and a checkpoint now and then, and all arrays out of pieces."""
    monkeypatch.setattr(memory_pool, "LARGE", 32)
    made = small_run(tmp_path / "run", task="adding", length=8, hidden=3, batch=4, updates=1500, norm="after",
                     dropout=0.1)
    made.every, made.losses, draw, seen = 250, np.zeros(250), made.batch, {}

    def ragged(step):
        if step in (500, 1499):
            gc.collect()
            with open("/proc/self/statm") as file:
                pages = int(file.read().split()[1])
            files, folder = len(os.listdir("/proc/self/fd")), sorted(os.listdir(made.folder))
            seen[step] = pages * os.sysconf("SC_PAGE_SIZE"), files, folder
        rng = np.random.default_rng(step)
        T = rng.integers(2, 9)
        x, target, _ = draw(step)
        return np.ascontiguousarray(x[:T]), target, rng.integers(1, T + 1, 4)

    made.batch = ragged
    made.start()
    assert made.train()
    (resident, files, folder), (resident_later, files_later, folder_later) = seen.values()
    assert resident_later - resident < 1 << 20                # a kilobyte an update: less than the cache of one
    assert files_later == files and folder_later == folder == ["checkpoint.npz", "config.json", "metrics.jsonl"]
