import numpy as np
import pytest

from minindrnn import checkpoint
from minindrnn.checkpoint import CheckpointError

ARRAYS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "updates": np.array(7)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, ARRAYS, {"step": 3})
    return path


def test_what_is_saved_is_loaded(path):
    arrays, facts = checkpoint.load(path)
    assert facts == {"step": 3} and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_equal_contents_give_equal_bytes(path, tmp_path):
    checkpoint.save(tmp_path / "again.npz", ARRAYS, {"step": 3})
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


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


def test_foreign_files_are_refused_by_name(tmp_path):
    path = tmp_path / "foreign.npz"
    for write in (lambda: path.write_bytes(b""), lambda: path.write_text("hello"), lambda: np.savez(path, W=np.ones(3)),
                  lambda: np.savez(path, facts=np.array(3)), lambda: np.savez(path, facts=np.array('{"step": 1}')),
                  lambda: np.savez(path, facts=np.array("[1]")), lambda: np.savez(path, facts=np.array({"a": 1}, object)),
                  lambda: np.save(path.open("wb"), np.ones(3))):
        write()
        with pytest.raises(CheckpointError, match="foreign.npz: not a whole minindrnn checkpoint"):
            checkpoint.load(path)
    with pytest.raises(CheckpointError, match="foreign.npz/no.npz: no such checkpoint|not a whole"):
        checkpoint.load(path / "no.npz")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory$"):
        checkpoint.load(tmp_path)
    np.savez(path, facts=np.array('{"minindrnn": 99}'))
    with pytest.raises(CheckpointError, match="foreign.npz: expected checkpoint format 1, got 99"):
        checkpoint.load(path)


@pytest.mark.parametrize("change, message", [
    ({"b": np.ones(1)}, "x: b is missing"),
    ({"W": np.zeros((3, 2), np.float32)}, r"x: W: expected float32 \(3, 2\), got float32 \(2, 3\)"),
    ({"W": np.zeros((2, 3))}, r"x: W: expected float64 \(2, 3\), got float32 \(2, 3\)"),
])
def test_a_mismatch_changes_nothing(change, message):
    targets = {name: np.zeros_like(array) for name, array in ARRAYS.items()} | change
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore("x", ARRAYS, targets)
    assert not targets["updates"].any()
    with pytest.raises(CheckpointError, match="x: W is not expected"):
        checkpoint.restore("x", ARRAYS, {"updates": np.array(0)})
