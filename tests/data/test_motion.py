import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from minindrnn.data import motion
from minindrnn.data.download import DataError
from minindrnn.data.motion import Arrays, load_motion, recordings, windows


def test_recordings_are_those_of_the_file(monkeypatch):
    """An .npy file of one pickled dictionary; people are counted from 1 there, from 0 here."""
    found = {"X": [np.arange(12.0).reshape(2, 6), np.ones((3, 6))], "y": np.array([4, 6]), "subject": np.array([1, 10])}
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    inner = np.empty((), object)
    inner[()] = found
    pickled = pickle.dumps(inner, protocol=2).replace(b"numpy._core", b"numpy.core")
    contents = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled
    monkeypatch.setattr(motion, "read", lambda source, folder: {"watch_dataset.npy": contents})
    x, labels, people = motion.recordings("here")
    assert [one.tolist() for one in x] == [found["X"][0].tolist(), found["X"][1].tolist()]
    assert {one.dtype for one in x} == {np.dtype(np.float32)}
    assert labels.tolist() == [4, 6] and people.tolist() == [0, 9]


def test_people_are_divided_by_the_fold(monkeypatch):
    found = [np.full((6, 6), person, np.float32) for person in range(10)]
    monkeypatch.setattr(motion, "recordings", lambda folder: (found, np.arange(10) % 7, np.arange(10)))
    who = {name: x[:, 0, 0].astype(int).tolist() for name, (x, _, _) in load_motion(3, 0).items()}
    assert who == {"train": [0, 1, 2, 3, 4, 5], "validation": [8, 9], "test": [6, 7]}
    _, labels, lengths = load_motion(3, 4)["test"]
    assert labels.tolist() == [6, 6, 0, 0] and lengths.tolist() == [4] * 4


def people(monkeypatch, lengths=(7, 9)):
    """Recordings of ten people, two each, whose channel 0 is the person, and channel 1 the step."""
    found = [np.stack([np.full(T, person), np.arange(T), *np.zeros((4, T))], axis=1).astype(np.float32)
             for person in range(10) for T in lengths]
    labels = np.tile([0, 1], 10)
    monkeypatch.setattr(motion, "recordings", lambda folder: (found, labels, np.repeat(np.arange(10), 2)))


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize("window", [0, 4, 8, 50])
def test_nobody_is_in_two_parts(fold, window, monkeypatch):
    people(monkeypatch)
    parts = load_motion(fold, window)
    who = {name: set(x[:, 0, 0].astype(int)) for name, (x, _, _) in parts.items()}
    assert who["test"] == {2 * fold, 2 * fold + 1} and who["validation"] == {(2 * fold + 2) % 10, (2 * fold + 3) % 10}
    assert who["train"] == set(range(10)) - who["test"] - who["validation"]
    for x, labels, lengths in parts.values():
        assert x.shape == (len(labels), lengths.max(), 6) and x.dtype == np.float32
        assert set(lengths) == {0: {7, 9}, 4: {4}, 8: {7, 8}, 50: {7, 9}}[window]
        for row, length in zip(x, lengths):
            assert np.array_equal(np.diff(row[:length, 1]), np.ones(length - 1)) and not row[length:].any()
    tested = np.concatenate([load_motion(fold, 0)["test"][0][:, 0, 0] for fold in range(5)])
    assert sorted(tested) == sorted(2 * list(range(10)))            # over the five folds everybody is tested


def test_windows_overlap_by_half():
    x = np.arange(10)[:, np.newaxis]
    assert [list(piece[:, 0]) for piece in windows(x, 5)] == [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6], [4, 5, 6, 7, 8]]
    assert len(windows(x, 1)) == 10 and windows(x, 10)[0] is x and windows(x, 0)[0] is x and len(windows(x, 11)) == 1


def test_arrays_are_unpickled_and_nothing_else():
    found = {"X": [np.arange(6.0).reshape(2, 3)], "y": np.array([1])}
    data = pickle.dumps(found, protocol=2).replace(b"numpy._core", b"numpy.core")
    read = Arrays(io.BytesIO(data)).load()
    assert np.array_equal(read["X"][0], found["X"][0]) and np.array_equal(read["y"], found["y"])
    for bad in (os.system, pickle.loads, Path, eval):
        with pytest.raises(DataError, match="expected arrays only, got "):
            Arrays(io.BytesIO(pickle.dumps(bad))).load()


def cached(name):
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minindrnn" / name
    return pytest.mark.skipif(not folder.is_dir(), reason=f"{name} is not in the cache")


@cached("motion")
def test_the_real_recordings():
    found, labels, person = recordings()
    assert len(found) == 140 and {x.shape[1] for x in found} == {6} and all(np.isfinite(x).all() for x in found)
    assert (min(map(len, found)), max(map(len, found))) == (947, 2618)
    assert set(zip(person, labels)) == {(p, k) for p in range(10) for k in range(7)}
    assert np.all(np.bincount(person) == 14)
    parts = load_motion(1)
    assert sum(len(y) for _, y, _ in parts.values()) == 2229
    assert all(x.shape[1:] == (200, 6) for x, _, _ in parts.values())
