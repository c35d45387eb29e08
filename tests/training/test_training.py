"""A run can be stopped anywhere and nobody can tell afterwards."""
import gc
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minindrnn.cli.commands import main
from minindrnn.core import memory_pool
from minindrnn.core.interrupt import Interruption, say_if_slow
from minindrnn.core.layer import leaves
from minindrnn.ops.bounds import penalty
from minindrnn.tasks.adding import Adding
from minindrnn.tasks.digits import Digits
from minindrnn.tasks.registry import TASKS
from minindrnn.tasks.settings import Settings
from minindrnn.training import checkpoint
from minindrnn.training.checkpoint import CheckpointError
from minindrnn.training.run import TrainingError, history
from minindrnn.training.step import train_step

SMALL = Settings(task="digits-rows", layers=2, hidden=6, updates=45, batch=8, rate=3e-3, seed=1, gamma=2.0, penalty=0.0, length=100)


def run(folder, **changes):
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
    {"task": "chars", "length": 4, "model": "lstm", "layers": 1}, {"plateau": 1, "rate": 1e-2, "norm": "after", "decay": 1e-3}], ids=str)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, changes):
    whole, parts = (run(tmp_path / name, **changes) for name in ("whole", "parts"))
    whole.start()
    assert whole.train()
    parts.start()
    for at in (1, 16, 19, 43):
        parts = run(tmp_path / "parts", **changes)
        parts.resume()
        parts.batch = interrupting(parts.batch, at)
        assert not parts.train() and parts.update == at + 1
    parts = run(tmp_path / "parts", **changes)
    parts.resume()
    assert parts.train()
    assert (tmp_path / "whole/checkpoint.npz").read_bytes() == (tmp_path / "parts/checkpoint.npz").read_bytes()
    first, second = ([row | {"seconds": None} for row in history(made.folder)] for made in (whole, parts))
    assert first == second and [row["update"] for row in first] == [10, 20, 30, 40, 45]


def test_a_run_learns(tmp_path):
    made = run(tmp_path / "run", updates=100, hidden=16, batch=32, rate=0.02)
    made.start()
    made.train()
    rows = history(made.folder)
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"] and rows[-1]["validation_accuracy"] > 0.5


def test_the_bound_holds_after_every_step(tmp_path):
    made = run(tmp_path / "run")
    for step in range(10):
        train_step(made.network, made.loss, made.optimiser, *made.batch(step)[:2], 0.1, **made.options)
        sizes = [np.abs(p.value).max() for _, p in leaves(made.network.parameters) if p.role == "recurrent"]
        assert max(sizes) <= np.float32(made.network.bound)


def test_the_penalty_takes_the_place_of_the_bound(tmp_path):
    made = run(tmp_path / "run", penalty=0.5)
    recurrent = [p for _, p in leaves(made.network.parameters) if p.role == "recurrent"]
    for parameter in recurrent:
        parameter.value += 2
    excess = sum(penalty(p.value, made.network.bound)[0] for p in recurrent)
    x, target, _ = made.batch(0)
    plain = made.loss(made.network.forward(x)[0], target)[0]
    value, _ = train_step(made.network, made.loss, made.optimiser, x, target, 0.0, **made.options)
    assert value == pytest.approx(plain + 0.5 * excess) and recurrent[0].value.max() > 2


def test_every_training_image_is_seen_once_an_epoch_and_every_other_counts_once():
    task = Digits(Settings(**SMALL.__dict__ | {"batch": 100}))
    number = {image.tobytes(): i for i, image in enumerate(task.take("train", np.arange(1197))[0].transpose(1, 0, 2))}
    assert len(number) == 1197 and task.epoch() == 12
    for epoch in (0, 1):
        seen = [(number[image.tobytes()], label) for step in range(12 * epoch, 12 * epoch + 12)
                for x, labels, _ in [task.batch(step)] for image, label in zip(x.transpose(1, 0, 2), labels)]
        assert sorted(seen) == list(enumerate(task.parts["train"][1]))
    assert not np.array_equal(task.batch(0)[1], task.batch(12)[1])

    class Right:
        """Answers with the row that it is asked about."""
        asked = 0

        def forward(self, x, lengths, statistics, ranks):
            y = np.eye(10)[labels[self.asked:self.asked + x.shape[1]]]
            self.asked += x.shape[1]
            return y, None

    _, labels, _ = task.parts["validation"]
    counted = Right()
    assert task.evaluate(counted)["validation_accuracy"] == 1.0 and counted.asked == 300


def test_an_unbounded_loss_stops_the_run_and_keeps_the_checkpoint(tmp_path):
    made = run(tmp_path / "run")
    made.start()
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    next(leaves(made.network.parameters))[1].value[:] = np.nan
    with pytest.raises(TrainingError, match="the loss is nan at update 0, before the first evaluation; try a smaller --rate"):
        made.train()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before


def test_a_crash_between_metrics_and_checkpoint_leaves_no_row_behind(tmp_path):
    made = run(tmp_path / "run")
    made.start()
    made.updates = 20
    made.train()
    with open(tmp_path / "run/metrics.jsonl", "a") as file:
        file.write(json.dumps({"update": 30, "loss": 1.0, "seconds": 1.0}) + '\n{"update": 40, "lo')
    again = run(tmp_path / "run")
    again.resume()
    assert [row["update"] for row in history(again.folder)] == [10, 20] and again.update == 20


def test_interruption_asks_once_and_then_insists():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_says_so_only_when_it_is_slow():
    said = []
    assert say_if_slow("fast", said.append, lambda: 3, seconds=5) == 3
    say_if_slow("slow", said.append, lambda: time.sleep(0.3), seconds=0.05)
    assert said == ["slow"]


def test_ctrl_c_counts_after_the_last_step_too(tmp_path, monkeypatch, capsys):
    """In the last evaluation, and in what is counted after it: the same command with --resume makes up for it."""
    command = ["train", "adding", "--length", "5", "--hidden", "3", "--updates", "4", "--batch", "2", "--out", str(tmp_path / "run")]

    def noted(*_):
        os.kill(os.getpid(), signal.SIGINT)
        return {"test_mse": 0.0}

    def insisting(*_):
        raise KeyboardInterrupt
    for name, interrupted in (("evaluate", noted), ("result", insisting)):
        with monkeypatch.context() as patched:
            patched.setattr(Adding, name, interrupted)
            assert main(command) == 130
        assert "stopped after update 4 of 4, all saved; to go on: " in capsys.readouterr().out
        assert not (tmp_path / "run/result.json").exists() and history(tmp_path / "run")[-1]["update"] == 4
        command += ["--resume"] * (name == "evaluate")
    assert main(command) == 0 and (tmp_path / "run/result.json").exists()


@pytest.mark.parametrize("stop", [15, 25])
def test_seconds_go_on_where_they_were(tmp_path, monkeypatch, stop):
    """After a stop, from the last evaluation on."""
    clock = iter(range(1000, 10_000, 7))
    monkeypatch.setattr("minindrnn.training.run.time.perf_counter", lambda: next(clock))
    made = run(tmp_path / "run")
    made.start()
    made.batch = interrupting(made.batch, stop)
    assert not made.train()
    again = run(tmp_path / "run")
    again.resume()
    assert again.train()
    assert [row["seconds"] for row in history(again.folder)] == [7, 14, 21, 28, 35]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_null_in_the_file_and_nan_to_its_readers(tmp_path, number):
    made = run(tmp_path / "run")
    made.evaluate = lambda network: {"validation_loss": number, "validation_accuracy": 0.5}
    made.start()
    assert made.train()
    for _ in range(2):                                                 # and still after they are written again
        lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
        assert len(lines) == 5 and all(json.loads(line, parse_constant=pytest.fail)["validation_loss"] is None for line in lines)
        assert all(np.isnan(row["validation_loss"]) and row["validation_accuracy"] == 0.5 for row in history(made.folder))
        run(tmp_path / "run").resume()


def failing(error):
    def batch(step):
        raise error
    return batch


@pytest.mark.parametrize("error", [MemoryError("too much"), KeyboardInterrupt(), OSError(28, "No space"), TrainingError("nan")], ids=repr)
def test_what_fails_before_anything_was_learned_leaves_the_folder_free(tmp_path, error):
    for _ in range(2):
        made = run(tmp_path / "run")
        made.batch = failing(error)
        with pytest.raises(type(error)), made.opened():
            assert {path.name for path in made.folder.iterdir()} == {".lock", "checkpoint.npz", "config.json", "metrics.jsonl"}
            made.train()
        assert not list(made.folder.iterdir())
    made = run(tmp_path / "run")
    with made.opened():
        made.batch = interrupting(made.batch, 12)
        assert not made.train()                                        # saved: what fails from now on takes nothing away
    again = run(tmp_path / "run")
    again.batch = failing(error)
    with pytest.raises(type(error)), again.opened(resume=True):
        again.train()
    with pytest.raises(TrainingError, match="holds a run already"), run(tmp_path / "run").opened():
        raise AssertionError("written over")
    again = run(tmp_path / "run")
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
        with pytest.raises(OSError, match="No space"), run(tmp_path / "run").opened():
            raise AssertionError("started")
    assert not list((tmp_path / "run").iterdir())
    run(tmp_path / "run").start()


def test_the_message_names_the_checkpoint_that_is_left(tmp_path):
    made = run(tmp_path / "run", updates=20)
    made.start()
    made.evaluate = lambda network: next(leaves(made.network.parameters))[1].value.fill(np.nan) or {}
    saved, made.save = made.save, lambda: None
    saved()
    made.saved = 10
    with pytest.raises(TrainingError, match="the loss is nan at update 10; the checkpoint in .*run is the last good one, of update 10; try"):
        made.train()


def test_a_damaged_history_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for damaged in (b'{"update": 1, "loss": "a", "seconds": 1}\n', b'{"update": null, "loss": 1, "seconds": 1}\n', b"{3}\n", b'{"update": 3}\n', b"\xff}\n", b'{"update": 1, "loss": 2.0, "seconds": 1}\n[{}\n'):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="metrics.jsonl: expected an evaluation on each line, with update, loss and seconds"):
            history(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a child")
def test_ctrl_c_saves_and_resume_finishes(tmp_path):
    """The real command line in a real process, interrupted by a real signal."""
    common = [sys.executable, "-m", "minindrnn", "train", "adding", "--length", "5", "--hidden", "3", "--updates", "300", "--batch", "2"]
    whole = subprocess.run([*common, "--out", "whole"], cwd=tmp_path, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    child = subprocess.Popen([*common, "--out", "stopped"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "stopped/metrics.jsonl").exists() or not (tmp_path / "stopped/metrics.jsonl").read_text():
        assert child.poll() is None, child.communicate()
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    if child.returncode != 0:                    # 0: the last step was over before the signal came
        assert child.returncode == 130 and "Traceback" not in err
        assert "all saved; to go on: python -m minindrnn train adding" in out and "--resume" in out
        resumed = subprocess.run([*common, "--out", "stopped", "--resume"], cwd=tmp_path, capture_output=True, text=True)
        assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "whole/checkpoint.npz").read_bytes() == (tmp_path / "stopped/checkpoint.npz").read_bytes()


def test_adding_draws_fresh_numbers_every_step_and_tests_on_others():
    task = Adding(Settings(**SMALL.__dict__ | {"task": "adding", "length": 10}))
    assert not np.array_equal(task.batch(0)[0], task.batch(1)[0])
    np.testing.assert_array_equal(task.batch(7)[0], task.batch(7)[0])
    assert task.test[0].shape == (10, 1000, 2)
    trained = {sequence.tobytes() for step in range(50) for sequence in task.batch(step)[0].transpose(1, 0, 2)}
    tested = {sequence.tobytes() for sequence in task.test[0].transpose(1, 0, 2)}
    assert len(trained) == 50 * 8 and len(tested) == 1000 and not trained & tested


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
    """A loss may be finite where something that was learned is not: running averages have no part in it."""
    made = run(tmp_path / "run", updates=20, norm="after")
    made.start()
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    made.network.buffers[0]["var"][0, 0] = np.inf
    with pytest.raises(TrainingError, match="the parameters are not finite at update 10, before the first evaluation; try a smaller --rate"):
        made.train()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before and history(made.folder) == []


def test_a_plateau_run_keeps_to_its_number_of_steps(tmp_path):
    made = run(tmp_path / "run", plateau=2, updates=10)
    made.start()
    with pytest.raises(TrainingError, match="was started with updates = 10, not 20"):
        run(tmp_path / "run", plateau=2, updates=20).resume()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads what Linux says about the process")
def test_neither_memory_nor_files_grow_over_a_thousand_updates(tmp_path, monkeypatch):
    """With other lengths in every update, an evaluation and a checkpoint now and then, and all arrays out of pieces."""
    monkeypatch.setattr(memory_pool, "LARGE", 32)
    made = run(tmp_path / "run", task="adding", length=8, hidden=3, batch=4, updates=1500, norm="after", dropout=0.1)
    made.every, made.losses, draw, seen = 250, np.zeros(250), made.batch, {}

    def ragged(step):
        if step in (500, 1499):
            gc.collect()
            with open("/proc/self/statm") as file:
                pages = int(file.read().split()[1])
            seen[step] = pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), sorted(os.listdir(made.folder))
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
