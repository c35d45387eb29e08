"""Sequences of one's own, from an .npz file: arrays X and y, and lengths if they are ragged.

    X         (n, T, M) or (n, T), numbers; or (all steps, M), the sequences one after the other, with lengths
    y         (n,), whole numbers 0 to K - 1, each of the K classes at least once
    lengths   (n,), 1 to T: later steps are never read

n sequences are split 80 to 10 to 10 at random, by the seed, every class in the same share as far as possible.
"""
import zipfile
import zlib

import numpy as np

from .files import DataError

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def load_own(path, seed):
    """{"train": (x, labels, lengths), "validation": ..., "test": ...}: x (n, T, M) float32, labels (n,), lengths (n,).

    DataError, one line, if the file is not as above.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, AttributeError, TypeError):
        raise DataError(f"{path}: not a whole .npz file of plain arrays (ragged X: all steps in one array, and lengths)"
                        ) from None
    if not {"X", "y"} <= set(found):
        raise DataError(f"{path}: expected arrays X and y, got {', '.join(found) or 'none'}")
    X, y = found["X"], found["y"]
    lengths = found.get("lengths")
    if y.ndim != 1 or y.dtype.kind not in "iu" or not len(y):
        raise DataError(f"{path}: y: expected whole numbers (n,), got {y.dtype} of shape {y.shape}")
    if X.dtype.kind not in "iuf":
        raise DataError(f"{path}: X: expected numbers, got {X.dtype}")
    if lengths is not None and (lengths.dtype.kind not in "iu" or lengths.shape != y.shape or lengths.min() < 1):
        raise DataError(f"{path}: lengths: expected {len(y)} whole numbers of at least 1, got {lengths.dtype} of shape "
                        f"{lengths.shape}" + (f", the smallest {lengths.min()}" if lengths.size else ""))
    if lengths is not None and X.ndim == 2 and len(X) == lengths.sum():
        X = padded(X, lengths)
    X = X[:, :, np.newaxis] if X.ndim == 2 else X
    if X.ndim != 3 or 0 in X.shape or len(X) != len(y):
        raise DataError(f"{path}: X: expected (n, T, M) with n = {len(y)} as in y, or all steps with lengths, got {X.shape}")
    n, T, _ = X.shape
    lengths = np.full(n, T) if lengths is None else lengths.astype(np.int64)
    if lengths.max() > T:
        raise DataError(f"{path}: lengths: expected 1 to T = {T}, got {lengths.max()} for sequence {lengths.argmax()}")
    wrong = np.argwhere(~np.isfinite(X) & (np.arange(T) < lengths[:, np.newaxis])[:, :, np.newaxis])
    if len(wrong):
        i, t, m = wrong[0]
        raise DataError(f"{path}: X: expected finite numbers, got {X[i, t, m]} in sequence {i}, step {t}, channel {m}")
    K = int(y.max()) + 1
    if y.min() < 0 or K < 2 or K > n or (np.bincount(y, minlength=K) == 0).any():
        raise DataError(f"{path}: y: expected classes 0 to K - 1, at least two, each at least once, got {y.min()} to "
                        f"{y.max()}, {len(np.unique(y))} different ones")
    if n < 10:
        raise DataError(f"{path}: expected at least 10 sequences, got {n}")
    rank = np.random.default_rng(seed).permutation(n)
    order = rank[np.argsort(y[rank], kind="stable")]                 # sorted by class, at random within it
    place = np.arange(n) % 10                                        # every tenth to the test, the next to the validation
    where = {"test": place == 0, "validation": place == 5, "train": (place != 0) & (place != 5)}
    return {name: (X[chosen].astype(np.float32), y[chosen].astype(np.int64), lengths[chosen])
            for name in SHARES for chosen in [np.sort(order[where[name]])]}


def padded(X, lengths):
    """(all steps, M), lengths (n,)  ->  (n, the longest, M), zero after each end.

    >>> padded(np.arange(3.0)[:, np.newaxis], np.array([1, 2]))[:, :, 0].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    x = np.zeros((len(lengths), lengths.max(), X.shape[1]), X.dtype)
    for row, piece in zip(x, np.split(X, np.cumsum(lengths)[:-1])):
        row[:len(piece)] = piece
    return x
