"""Handwritten digits, read as a sequence: 1797 images of 8 x 8 pixels, in the package, no download.

Pixel by pixel (T = 64, M = 1) the network must remember the first pixel for 63 steps; row by row (T = 8, M = 8)
is the easier way. Source and licence: digits.txt beside this file.
"""
from importlib.resources import files

import numpy as np

CLASSES = 10
SHARES = {"train": 1197, "validation": 300, "test": 300}


def load_digits(rows=False, dtype=np.float32):
    """{"train": (x, labels), "validation": ..., "test": ...}, x (T, B, M) in [-1, 1], labels (B,) in 0..9.

    rows   False: one pixel a step, T = 64, M = 1; True: one row a step, T = 8, M = 8

    The split is always the same, and each part has every class in the same share, to within one image.

    >>> {part: (x.shape, labels.shape) for part, (x, labels) in load_digits().items()}
    {'train': ((64, 1197, 1), (1197,)), 'validation': ((64, 300, 1), (300,)), 'test': ((64, 300, 1), (300,))}
    """
    with (files(__package__) / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"].astype(np.int64)
    x = images.reshape(len(images), 8, 8) if rows else images.reshape(len(images), 64, 1)
    x = (x / 8 - 1).astype(dtype).transpose(1, 0, 2)
    order = _interleaved(labels, np.random.default_rng(0))
    parts = np.split(order, np.cumsum(list(SHARES.values()))[:-1])
    return {name: (np.ascontiguousarray(x[:, part]), labels[part]) for name, part in zip(SHARES, parts)}


def _interleaved(labels, rng):
    """A random order in which every stretch holds the classes in their overall shares: each image gets its
    rank within its class, as a fraction, and the images are sorted by it."""
    fraction = np.empty(len(labels))
    for label in range(CLASSES):
        members = rng.permutation(np.flatnonzero(labels == label))
        fraction[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(fraction, kind="stable")
