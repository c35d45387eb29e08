"""Runs of tasks by ranks that are threads: what is evaluated, written and gone on with is that of one process."""
import numpy as np
import pytest
from numpy.testing import assert_allclose
from threads_as_ranks import on_ranks

from minindrnn.core.ranks import ALONE
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.training.checkpoint import CheckpointError, load
from minindrnn.training.run import TrainingError, history

SMALL = dict(hidden=5, layers=2, dropout=0.2, updates=6, rate=1e-3)


@pytest.fixture
def chosen(tmp_path):
    """{name: settings} of a task of each kind."""
    (tmp_path / "text.txt").write_text("abcbadb" * 40)
    rng = np.random.default_rng(0)
    lengths, y = rng.integers(4, 9, 40), np.arange(40) % 3
    X = rng.normal(3, 1, (40, 8, 2)) + y[:, None, None]
    X[np.arange(8) >= lengths[:, None]] = np.nan
    np.savez(tmp_path / "mine.npz", X=X, y=y, lengths=lengths)
    return {"chars": settings("chars", **SMALL | dict(batch=5, length=4, norm="none", data=str(tmp_path / "text.txt"))),
            "own": settings("own", **SMALL | dict(batch=13, norm="after", data=str(tmp_path / "mine.npz"))),
            "adding": settings("adding", **SMALL | dict(batch=5, length=6, norm="after"))}


def made(chosen, folder, ranks):
    task = TASKS[chosen.task](chosen)
    task.ranks = ranks
    run = task.run(folder)
    run.every = 2
    run.losses = np.zeros(2)
    return task, run


def trained(chosen, folder, ranks, updates=6, resume=False):
    """The result after so many updates."""
    task, run = made(chosen, folder, ranks)
    run.updates = updates
    with run.opened(resume=resume):
        assert run.train()
    return task.result(run.network)


def assert_same_run(folder, other):
    arrays, theirs = load(folder / "checkpoint.npz")[0], load(other / "checkpoint.npz")[0]
    assert arrays.keys() == theirs.keys()
    for name, array in arrays.items():
        assert_allclose(theirs[name], array, rtol=1e-3, atol=2e-5, err_msg=name)
    rows, their_rows = history(folder), history(other)
    assert [list(row) for row in rows] == [list(row) for row in their_rows] and len(rows) == 3
    for row, theirs in zip(rows, their_rows, strict=True):
        for name, value in row.items():
            assert name == "seconds" or theirs[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", ["chars", "own", "adding"])
def test_a_run_of_a_task(name, size, chosen, tmp_path):
    """13 of 28 training sequences at once: the last batch of an epoch has 2. Five texts are read at once. Begun by two
    or three ranks, gone on with by another number of them, and by one process."""
    result = trained(chosen[name], tmp_path / "alone", ALONE)
    first, *others = on_ranks(size, lambda ranks: trained(chosen[name], tmp_path / "ranks", ranks))
    assert first == pytest.approx(result, rel=1e-3, abs=1e-4) and all(each == first for each in others)
    assert_same_run(tmp_path / "alone", tmp_path / "ranks")
    on_ranks(size, lambda ranks: trained(chosen[name], tmp_path / "other", ranks, updates=2))
    on_ranks(5 - size, lambda ranks: trained(chosen[name], tmp_path / "other", ranks, updates=4, resume=True))
    trained(chosen[name], tmp_path / "other", ALONE, resume=True)
    assert_same_run(tmp_path / "alone", tmp_path / "other")


def test_what_the_first_rank_finds_in_the_folder_all_hear(chosen, tmp_path):
    def begun(ranks, resume=False):
        with pytest.raises((TrainingError, CheckpointError)) as raised:
            trained(chosen["adding"], tmp_path / "run", ranks, resume=resume)
        return str(raised.value)
    first, *others = on_ranks(3, lambda ranks: begun(ranks, resume=True))
    assert first.endswith("checkpoint.npz: no such checkpoint") and others == [first] * 2
    assert not (tmp_path / "run").exists()
    trained(chosen["adding"], tmp_path / "run", ALONE, updates=2)
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    first, *others = on_ranks(3, begun)
    assert "holds a run already" in first and others == [first] * 2
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before


def test_a_full_disk_of_the_first_rank_ends_all(chosen, tmp_path, monkeypatch):
    def begun(ranks):
        task, run = made(chosen["own"], tmp_path / "run", ranks)
        with pytest.raises(OSError, match="No space left") as raised, run.opened():
            if ranks.rank == 0:
                monkeypatch.setattr("minindrnn.training.run.checkpoint.save", full)
            run.train()
        return run.update, raised.value.errno

    def full(*_):
        raise OSError(28, "No space left on device", "file")
    assert on_ranks(3, begun) == [(2, 28)] * 3


def test_one_signal_stops_all_ranks_after_the_same_update(chosen, tmp_path, monkeypatch):
    """The second rank hears it while it makes its fourth batch."""
    class Interruption:
        def __init__(self):
            self.asked = False

        def __enter__(self):
            return lambda: self.asked

        def __exit__(self, *_):
            pass
    monkeypatch.setattr("minindrnn.training.run.Interruption", Interruption)

    def stopped(ranks):
        task, run = made(chosen["chars"], tmp_path / "run", ranks)
        batch, heard = run.batch, []
        signal = Interruption()
        if ranks.rank == 1:
            run.batch = lambda update: (setattr(signal, "asked", update == 3 or signal.asked), batch(update))[1]
            heard.append(signal)
        any_of, run.ranks.any = run.ranks.any, lambda flag: any_of(flag or any(each.asked for each in heard))
        with run.opened():
            return run.train(), run.update
    assert on_ranks(3, stopped) == [(False, 4)] * 3
    assert load(tmp_path / "run/checkpoint.npz")[1]["update"] == 4
