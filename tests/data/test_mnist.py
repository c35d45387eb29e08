import os
from pathlib import Path

import numpy as np
import pytest

from minindrnn.data import mnist
from minindrnn.data.mnist import FASHION, MNIST, idx, load_images


def test_idx_is_what_it_says():
    header = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1, 0])
    numbers = np.arange(512, dtype=np.uint8)
    assert np.array_equal(idx(header + numbers.tobytes()), numbers.reshape(2, 1, 256))


def test_images_are_split_once_each(monkeypatch):
    """60 000 images whose first four pixels are their number, and their label its last digit."""
    def file(array):
        return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()

    def drawn(n):
        x = np.zeros((n, 28, 28), np.uint8)
        x[:, 0, :4] = np.arange(n, dtype=">u4").view(np.uint8).reshape(n, 4)
        return file(x), file((np.arange(n) % 10).astype(np.uint8))
    monkeypatch.setattr(mnist, "read", lambda source, folder: dict(zip(mnist.NAMES, (*drawn(60_000), *drawn(10_000)))))
    parts = load_images(MNIST, 3)
    numbers = {name: np.ascontiguousarray(x[:, :4]).view(">u4")[:, 0] for name, (x, _) in parts.items()}
    assert {name: (x.shape, x.dtype) for name, (x, _) in parts.items()} == {
        "train": ((57_000, 784), np.uint8), "validation": ((3000, 784), np.uint8), "test": ((10_000, 784), np.uint8)}
    assert all(np.array_equal(labels, numbers[name] % 10) for name, (_, labels) in parts.items())
    assert np.array_equal(np.sort(np.concatenate([numbers["train"], numbers["validation"]])), np.arange(60_000))
    assert np.array_equal(numbers["test"], np.arange(10_000))


def cached(name):
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minindrnn" / name
    return pytest.mark.skipif(not folder.is_dir(), reason=f"{name} is not in the cache")


@pytest.mark.parametrize("source", [pytest.param(source, marks=cached(source.name), id=source.name)
                                    for source in (MNIST, FASHION)])
def test_the_real_images(source):
    parts = load_images(source, 0)
    assert [len(parts[name][1]) for name in ("train", "validation", "test")] == [57_000, 3000, 10_000]
    assert all(set(labels) == set(range(10)) and x.max() == 255 for x, labels in parts.values())


@pytest.mark.parametrize("folder", [None, "here"])
def test_images_are_held_out_by_the_seed(monkeypatch, folder):
    """The first 3000 of a permutation are the validation; the test stays what it is."""
    def file(array):
        return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    x, labels = np.zeros((4000, 28, 28), np.uint8), (np.arange(4000) % 10).astype(np.uint8)
    x[:, 0, 0], x[:, 27, 27] = np.arange(4000) % 251, np.arange(4000) // 251
    asked = []
    monkeypatch.setattr(mnist, "read", lambda source, folder: asked.append((source, folder)) or dict(zip(
        mnist.NAMES, (file(x), file(labels), file(x[:7]), file(labels[:7])))))
    parts = mnist.load_images(mnist.MNIST, [3, 4], folder)
    order = np.random.default_rng([3, 4]).permutation(4000)
    number = {name: x[:, 0].astype(int) + 251 * x[:, -1].astype(int) for name, (x, _) in parts.items()}
    assert number["validation"].tolist() == order[:3000].tolist() and number["train"].tolist() == order[3000:].tolist()
    assert number["test"].tolist() == list(range(7)) and asked == [(mnist.MNIST, folder)]
    assert all(np.array_equal(labels, number[name] % 10) for name, (_, labels) in parts.items())
