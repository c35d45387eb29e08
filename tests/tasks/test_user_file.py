import numpy as np
import pytest
from numpy.testing import assert_allclose
from strategies import ragged_file

from minindrnn.data.user_file import load_own
from minindrnn.tasks.registry import settings
from minindrnn.tasks.user_file import UserFile

pytestmark = pytest.mark.tutorial8


def test_numbers_are_standardised_by_the_training_part_alone(tmp_path):
    path = ragged_file(tmp_path / "mine.npz")
    task = UserFile(settings("own", data=path, seed=7))
    x, _, lengths = load_own(path, [7, 4])["train"]
    steps = np.concatenate([sequence[:length] for sequence, length in zip(x, lengths)])
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    assert_allclose(task.seen["mean"], mean, rtol=1e-12)
    assert_allclose(task.seen["deviation"], deviation, rtol=1e-12)
    assert (task.T, task.M, task.K) == (6, 2, 3)
    for part in ("train", "validation", "test"):
        raw, _, lengths = task.parts[part]
        scaled, _, _ = task.take(part, np.arange(len(raw)))
        for b, length in enumerate(lengths):
            assert_allclose(scaled[:length, b], (raw[b, :length] - mean) / deviation, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_run_knows_its_own_data_by_every_number_of_every_part(tmp_path, part):
    path = tmp_path / "mine.npz"
    ragged_file(path)
    before = UserFile(settings("own", data=str(path))).seen["data"]
    one = load_own(path, [0, 4])[part][0][0, 0, 0]
    whole = dict(np.load(path))
    X = np.where(whole["X"] == one, one + 1e-9, whole["X"])
    assert np.count_nonzero(X != whole["X"]) == 1
    np.savez(path, **whole | {"X": X})
    assert UserFile(settings("own", data=str(path))).seen["data"] != before


@pytest.mark.parametrize("X", [np.full((20, 3, 2), 0.1), np.full((20, 3), 7)])
def test_numbers_that_are_all_the_same_are_refused(X, tmp_path):
    np.savez(tmp_path / "same.npz", X=X, y=np.arange(20) % 2)
    with pytest.raises(ValueError, match="same.npz: X: expected numbers that differ, got the same ones at every step"):
        UserFile(settings("own", data=str(tmp_path / "same.npz")))


def test_too_large_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "large.npz", X=np.linspace(0, 1e200, 60).reshape(20, 3), y=np.arange(20) % 2)
    message = "large.npz: X: expected numbers of at most 1e30, got 1.69492e.198 in sequence 0, step 1"
    with pytest.raises(ValueError, match=message):
        UserFile(settings("own", data=str(tmp_path / "large.npz")))
