import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minindrnn.training import checkpoint
from minindrnn.training.checkpoint import CheckpointError

ARRAYS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "updates": np.array(7)}


def written(folder):
    checkpoint.save(folder / "checkpoint.npz", ARRAYS, {"step": 3})
    return folder / "checkpoint.npz"


@pytest.fixture
def path(tmp_path):
    return written(tmp_path)


def test_what_is_saved_is_loaded(path):
    arrays, facts = checkpoint.load(path)
    assert facts == {"step": 3} and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_equal_contents_give_equal_bytes(path, tmp_path):
    checkpoint.save(tmp_path / "again.npz", ARRAYS, {"step": 3})
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_what_is_restored_is_all_of_it_and_in_place(path):
    targets = {name: np.zeros_like(array) for name, array in ARRAYS.items()}
    views = {name: target[...] for name, target in targets.items()}
    checkpoint.restore("x", ARRAYS, targets)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(views[name], array)


@pytest.mark.parametrize("change, message", [
    ({"b": np.ones(1)}, "x: b is missing"),
    ({"W": np.zeros((3, 2), np.float32)}, r"x: W: expected float32 \(3, 2\), got float32 \(2, 3\)"),
    ({"W": np.zeros((2, 3))}, r"x: W: expected float64 \(2, 3\), got float32 \(2, 3\)"),
])
def test_a_mismatch_changes_nothing(change, message):
    arrays = {"A": np.ones(2)} | ARRAYS | {"updates": np.array(7), "Z": np.ones(2)}    # what fits, before it and after
    targets = {name: np.zeros_like(array) for name, array in arrays.items()} | change
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore("x", arrays, targets)
    assert len(targets) >= 4 and not any(target.any() for name, target in targets.items() if name not in change)
    with pytest.raises(CheckpointError, match="x: W is not expected"):
        checkpoint.restore("x", ARRAYS, {"updates": np.array(0)})


def test_a_gru_without_the_bias_b_hn_gets_zeros():
    """As GRUs were saved before they had it, with their optimiser."""
    names = "parameter.0.b_hn", "optimiser.m.0.b_hn"
    targets = {name: np.ones(3, np.float32) for name in names} | {"parameter.0.b": np.zeros(2)}
    checkpoint.restore("x", {"parameter.0.b": np.full(2, 5.0)}, targets)
    assert not any(targets[name].any() for name in names) and targets["parameter.0.b"].tolist() == [5, 5]


def test_it_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    """What is synchronised and then renamed is the whole file; until then the path holds the old one."""
    before, done = path.read_bytes(), []
    fsync, replace = checkpoint.os.fsync, checkpoint.os.replace

    def synchronised(number):
        fsync(number)
        done.append(("fsync", checkpoint.os.fstat(number).st_size))

    def renamed(temporary, target):
        assert target == path and path.read_bytes() == before
        done.append(("replace", len(Path(temporary).read_bytes())))
        replace(temporary, target)
    monkeypatch.setattr(checkpoint.os, "fsync", synchronised)
    monkeypatch.setattr(checkpoint.os, "replace", renamed)
    checkpoint.save(path, ARRAYS, {"step": 4})
    size = path.stat().st_size
    assert done == [("fsync", size), ("replace", size)]
    assert checkpoint.load(path)[1] == {"step": 4}


def test_a_failed_save_leaves_the_old_one_and_no_rubbish(path, monkeypatch):
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    with pytest.raises(OSError):
        checkpoint.save(path, ARRAYS, {"step": 4})
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["checkpoint.npz"]


def test_a_failed_renaming_leaves_no_rubbish_and_names_the_file(path, monkeypatch):
    def failing(temporary, path):
        raise OSError(5, "Input/output error", str(temporary))
    monkeypatch.setattr(checkpoint.os, "replace", failing)
    with pytest.raises(OSError) as caught:
        checkpoint.save(path, ARRAYS, {"step": 4})
    assert caught.value.filename == str(path) and [p.name for p in path.parent.iterdir()] == ["checkpoint.npz"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(OSError) as caught:
        checkpoint.save(tmp_path / "nowhere/checkpoint.npz", ARRAYS, {})
    assert caught.value.filename == str(tmp_path / "nowhere/checkpoint.npz")


@pytest.mark.once
def test_whatever_bit_is_flipped_there_is_no_other_error(path):
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 4, 128):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1:])
            try:
                checkpoint.load(path)
            except CheckpointError:
                pass


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="checkpoint.npz: not a whole minindrnn checkpoint"):
            checkpoint.load(path)


def test_a_flipped_byte_in_an_array_is_refused(path):
    whole = bytearray(path.read_bytes())
    whole[whole.index(np.float32(5).tobytes())] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match="not a whole"):
        checkpoint.load(path)


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""), lambda path: path.write_text("hello"),
    lambda path: np.savez(path, W=np.ones(3)), lambda path: np.savez(path, facts=np.array(3)),
    lambda path: np.savez(path, facts=np.array('{"step": 1}')), lambda path: np.savez(path, facts=np.array("[1]")),
    lambda path: np.savez(path, facts=np.array({"a": 1}, object)), lambda path: np.save(path.open("wb"), np.ones(3)),
])
def test_foreign_files_are_refused_by_name(write, tmp_path):
    write(path := tmp_path / "foreign.npz")
    with pytest.raises(CheckpointError, match="foreign.npz: not a whole minindrnn checkpoint"):
        checkpoint.load(path)


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "foreign.npz").write_text("hello")
    with pytest.raises(CheckpointError, match="foreign.npz/no.npz: no such checkpoint|cannot be read"):
        checkpoint.load(tmp_path / "foreign.npz/no.npz")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory$"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("version", [0, 99])
def test_another_format_is_refused(version, tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, facts=np.array(f'{{"minindrnn": {version}}}'))
    with pytest.raises(CheckpointError, match=f"foreign.npz: expected checkpoint format 1, got {version}"):
        checkpoint.load(path)


def test_what_does_not_fit_into_memory_is_not_called_damaged(path):
    checkpoint.save(path, {"W": np.ones((300, 50))}, {})
    path.write_bytes(path.read_bytes().replace(b"(300, 50), }        ", b"(99999999999999,), }"))
    with pytest.raises(CheckpointError, match="checkpoint.npz: does not fit into memory: Unable to allocate"):
        checkpoint.load(path)


def test_an_array_that_nobody_reads_is_refused(path):
    with np.load(path) as archive:
        np.savez(path, colour=np.ones(1), **archive)
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: not read: colour; known are facts, array\.\*$"):
        checkpoint.load(path)


def touch(path):
    Path(path).write_text("executed")
    return {"a": 1}


class Armed:
    """Leaves a file behind if it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return touch, (self.path,)


def test_nothing_that_a_file_holds_is_executed(tmp_path):
    path = tmp_path / "foreign.npz"
    for contents in ({"facts": np.array(Armed(tmp_path / "mark"), object)},
                     {"facts": np.array('{"minindrnn": 1}'), "array.W": np.array([Armed(tmp_path / "mark")], object)}):
        np.savez(path, **contents)
        with pytest.raises(CheckpointError, match="not a whole minindrnn checkpoint"):
            checkpoint.load(path)
        assert not (tmp_path / "mark").exists()


HOLDING = """
import sys
from minindrnn.training import checkpoint
with checkpoint.alone(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_one_process_holds_a_folder_until_it_ends(end, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLDING, tmp_path], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    for _ in range(2):                                         # whoever is refused takes nothing away
        with pytest.raises(CheckpointError,
                           match=f"{tmp_path}: another process is training this run"), checkpoint.alone(tmp_path):
            raise AssertionError("both hold it")
    child.kill() if end == "is killed" else child.stdin.close()
    child.wait()
    with checkpoint.alone(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(checkpoint.fcntl is None, reason="Windows removes no file that is open")
def test_a_lock_on_a_file_that_was_removed_holds_nothing(tmp_path, monkeypatch):
    """The holder before removes the file between our opening it and our locking it."""
    real, locked = checkpoint._locked, []

    def late(path):
        locked.append(real(path))
        if len(locked) == 1:
            path.unlink()
        return locked[-1]
    monkeypatch.setattr(checkpoint, "_locked", late)
    with checkpoint.alone(tmp_path):
        assert len(locked) == 2
        with pytest.raises(CheckpointError, match="another process"), checkpoint.alone(tmp_path):
            raise AssertionError("both hold it")


@pytest.mark.skipif(checkpoint.fcntl is None, reason="another way to lock")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_files_cannot_be_locked_the_work_goes_on(number, tmp_path, monkeypatch):
    def failing(*_):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(checkpoint.fcntl, "flock", failing)
    with checkpoint.alone(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_half_written_goes(path):
    (path.parent / ".checkpoint.npz.1.tmp").write_text("half")
    with checkpoint.alone(path.parent):
        assert sorted(each.name for each in path.parent.iterdir()) == [".lock", "checkpoint.npz"]


@pytest.mark.parametrize("name", [".thesis.tmp", ".checkpoint.npz.tmp", ".notes.txt.1.tmp", "checkpoint.npz.1.tmp"])
def test_temporary_files_of_other_programs_stay(name, tmp_path):
    (tmp_path / name).write_text("precious")
    with checkpoint.alone(tmp_path):
        pass
    assert (tmp_path / name).read_text() == "precious"
