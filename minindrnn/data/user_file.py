"""Your own sequences, from an .npz file: arrays X and y, and lengths if they are ragged.

    X         (n, T, M) or (n, T), numbers from -1e30 to 1e30; or, with lengths, (all steps, M) or (all steps,), one
              sequence after another
    y         (n,), whole numbers 0 to K - 1, each of the K classes at least twice
    lengths   (n,), 1 to T: later steps are never read

n sequences are split 80 to 10 to 10 at random, by the seed, every class in the same share as far as possible. T is the
longest of the lengths, however long the padding. An array of any other name is refused, as it would be ignored.
"""
from pathlib import Path

import numpy as np

from .download import DataError

KNOWN = "X", "y", "lengths"
LARGEST = np.float64(1e30)       # of X: what becomes of it in a network must fit into float32


def load_own(path, seed):
    """{"train": (x, labels, lengths), "validation": ..., "test": ...}: x (n, T, M), labels (n,), lengths (n,), in
    random order.

    DataError, one line, if the file is not as above.
    """
    found = arrays(path, "X", "y")
    y = found["y"]
    if y.ndim != 1 or y.dtype.kind not in "iu" or not len(y):
        raise DataError(f"{path}: y: expected whole numbers (n,), got {y.dtype} of shape {y.shape}")
    X, lengths = sequences(path, found["X"], found.get("lengths"), len(y))
    n = len(y)
    if n < 10:
        raise DataError(f"{path}: expected at least 10 sequences, got {n}")
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        raise DataError(f"{path}: y: expected classes 0 to K - 1, at least two of them, got {len(classes)} different, "
                        f"from {classes[0]} to {classes[-1]}")
    if counts.min() < 2:
        raise DataError(f"{path}: y: expected each class at least twice, got class {counts.argmin()} once")
    y = y.astype(np.int64)                                           # where a larger number would become negative
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    order = order[np.argsort(y[order], kind="stable")]               # sorted by class, at random within it
    place = np.arange(n) % 10                                        # of neighbours at most one is not for training
    where = {"train": (place != 0) & (place != 5), "validation": place == 5, "test": place == 0}
    return {name: (X[rows], y[rows], lengths[rows]) for name in where for rows in [rng.permutation(order[where[name]])]}


def arrays(path, *needed):
    """{name: array} of an .npz file: those needed, and no others than X, y and lengths; {"X": array} of an .npy file.
    DataError, with the cause and the array's name, for anything else: pickled objects, what does not fit into memory.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except Exception as error:                   # of a file that may be anything, NumPy and its helpers raise anything
        said = cause(error) or f"not a whole {Path(path).suffix or '.npz'} file of plain arrays"
        raise DataError(f"{path}: {said}") from None
    names = ["X"] if isinstance(found, np.ndarray) else found.files
    if not set(needed) <= set(names):
        wanted = f"{'arrays' if len(needed) > 1 else 'an array'} {' and '.join(needed)}"
        raise DataError(f"{path}: expected {wanted}, got {', '.join(names) or 'none'}")
    if unknown := [name for name in names if name not in KNOWN]:
        raise DataError(f"{path}: not read: {', '.join(unknown)}; known are {', '.join(KNOWN)}")
    return {"X": found} if isinstance(found, np.ndarray) else {name: member(path, found, name) for name in names}


def member(path, archive, name):
    """The array of that name in an .npz file. DataError if it cannot be had."""
    try:
        return np.asarray(archive[name])
    except Exception as error:
        raise DataError(f"{path}: {name}: {cause(error) or f'cannot be read: {error}'}") from None


def cause(error):
    """Why something could not be read; None if the error only says so in NumPy's words."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"does not fit into memory: {error}"
    if "Object arrays" in str(error):
        return "expected plain numbers, got Python objects (ragged sequences: all steps in one array X, and lengths)"
    return None


def sequences(path, X, lengths=None, n=None):
    """X and lengths as they stand in a file  ->  X (n, T, M), in its own dtype, T the longest, lengths (n,).

    DataError, which names the path, if they are not as above, or if there are not n of them.
    """
    if X.dtype.kind not in "iuf":
        raise DataError(f"{path}: X: expected numbers, got {X.dtype}")
    if lengths is not None:
        n = lengths.size if n is None else n
        if lengths.dtype.kind not in "iu" or lengths.shape != (n,) or not n or lengths.min() < 1:
            least = f", the smallest {lengths.min()}" if lengths.dtype.kind in "iu" and lengths.size else ""
            raise DataError(f"{path}: lengths: expected {n or 'some'} whole numbers of at least 1, got {lengths.dtype} "
                            f"of shape {lengths.shape}{least}")
        if X.ndim and int(lengths.max()) > X.size:         # before a large number of 64 bits becomes a negative one
            raise DataError(f"{path}: lengths: expected at most the steps of X, of shape {X.shape}, "
                            f"got {lengths.max()}")
        lengths = lengths.astype(np.int64)
        if X.ndim <= 2 and len(X.shape) and len(X) == lengths.sum():
            X = padded(X.reshape(len(X), -1), lengths)
    if X.ndim not in (2, 3) or 0 in X.shape or n not in (None, len(X)):
        wanted = f"({n or 'n'}, T, M) or ({n or 'n'}, T)"
        wanted += "" if lengths is None else f", or ({lengths.sum()}, M): all steps, as many as the lengths add up to"
        raise DataError(f"{path}: X: expected {wanted}, got {X.shape}")
    X = X.reshape(*X.shape[:2], -1)
    n, T, _ = X.shape
    lengths = np.full(n, T) if lengths is None else lengths
    if lengths.max() > T:
        raise DataError(f"{path}: lengths: expected 1 to T = {T}, got {lengths.max()} for sequence {lengths.argmax()}")
    inside = (X >= -LARGEST) & (X <= LARGEST)                        # which NaN is not
    wrong = np.argwhere(~inside & (np.arange(T) < lengths[:, np.newaxis])[:, :, np.newaxis])
    if len(wrong):
        i, t, m = wrong[0]
        wanted = "numbers of at most 1e30" if np.isfinite(X[i, t, m]) else "finite numbers"
        raise DataError(f"{path}: X: expected {wanted}, got {X[i, t, m]:g} in sequence {i}, step {t}, channel {m}")
    return X[:, :lengths.max()], lengths


def load_input(path, M):
    """X (n, T, M), lengths (n,), y (n,) or None, of a file with sequences that are to be answered: X, and lengths and y
    if it has them. DataError, one line, if they do not fit."""
    found = arrays(path, "X")
    X, lengths = sequences(path, found["X"], found.get("lengths"))
    if X.shape[2] != M:
        raise DataError(f"{path}: X: expected {M} number{'s' * (M > 1)} a step, got {X.shape[2]}; X has shape "
                        f"{found['X'].shape}")
    y = found.get("y")
    if y is not None and (y.dtype.kind not in "iuf" or y.shape not in ((len(X),), (len(X), 1))):
        raise DataError(f"{path}: y: expected {len(X)} numbers as X has sequences, got {y.dtype} of shape {y.shape}")
    return X, lengths, y if y is None else y.reshape(-1)


def padded(X, lengths):
    """(all steps, M), lengths (n,)  ->  (n, the longest, M), zero after each end.

    >>> padded(np.arange(3.0)[:, np.newaxis], np.array([1, 2]))[:, :, 0].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    x = np.zeros((len(lengths), lengths.max(), X.shape[1]), X.dtype)
    for row, piece in zip(x, np.split(X, np.cumsum(lengths)[:-1])):
        row[:len(piece)] = piece
    return x
