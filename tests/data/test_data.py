import hashlib

import numpy as np
import pytest

from minindrnn.data.adding import adding_problem
from minindrnn.data.digits import load_digits


@pytest.mark.parametrize("T", [2, 3, 10, 101])
def test_adding_has_one_mark_in_each_half(T, rng):
    x, target = adding_problem(T, 500, rng)
    marks = x[:, :, 1]
    assert x.dtype == target.dtype == np.float32 and set(np.unique(marks)) <= {0, 1}
    half = T // 2
    assert np.all(marks[:half].sum(axis=0) == 1) and np.all(marks[half:2 * half].sum(axis=0) == 1) and not marks[2 * half:].any()
    assert 0 <= x[:, :, 0].min() and x[:, :, 0].max() < 1
    np.testing.assert_allclose((x[:, :, 0] * marks).sum(axis=0), target[:, 0], rtol=1e-6)


def test_always_answering_one_gives_a_sixth(rng):
    _, target = adding_problem(50, 200_000, rng)
    assert abs(np.mean((target - 1.0)**2) - 1 / 6) < 0.002


def test_adding_errors(rng):
    with pytest.raises(ValueError, match="T: expected an integer of at least 2, got 1"):
        adding_problem(1, 3, rng)


def test_digits_are_all_there_once():
    """The hash is that of images and labels together, as integers in the original order."""
    from importlib.resources import files
    with np.load(files("minindrnn.data") / "digits.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == (
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826")
    parts = load_digits().values()
    together = np.concatenate([x[:, :, 0].T for x, _ in parts])
    original = (images.reshape(1797, 64) / 8 - 1).astype(np.float32)
    assert sorted(map(bytes, together)) == sorted(map(bytes, original))


def test_digits_are_split_by_class_and_always_the_same():
    first, second = load_digits(), load_digits(rows=True)
    for part, (x, labels) in first.items():
        shares = np.bincount(labels, minlength=10) / len(labels) * 1797
        assert np.all(np.abs(shares - [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]) <= 1797 / len(labels) + 1e-9), part
        rows, same = second[part]
        np.testing.assert_array_equal(labels, same)
        np.testing.assert_array_equal(rows.transpose(1, 0, 2).reshape(len(labels), 64), x[:, :, 0].T)
        assert x.flags.c_contiguous and rows.flags.c_contiguous
