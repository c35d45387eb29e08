"""Shapes and dtypes: the one place that checks arguments and words the errors.

Public functions call `expect` on each array before they compute anything; kernels trust their callers.
"""
from numbers import Integral, Real

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
UNPLAIN = (np.ma.MaskedArray, np.matrix)


def expect(name, array, letters, like=None):
    """Check one array against the letters of its shape.

    name, letters   the array's name and its axes, e.g. "u", "N" or "a", "TBN"; a digit is a size, e.g. "2BN"
    like            (name, array, letters) of an array already checked: shared letters must have equal sizes,
                    and the dtypes must be equal

    Raises TypeError for a wrong kind or dtype, ValueError for a wrong, empty or non-contiguous array.

    >>> a, u = np.zeros((6, 2, 4)), np.zeros(3)
    >>> expect("u", u, "N", like=("a", a, "TBN"))
    Traceback (most recent call last):
    ValueError: u: expected (N,) = (4,), got (3,); a has shape (T, B, N) = (6, 2, 4)
    """
    if _fits(array, letters, like):
        return
    if not _is_plain(array):
        raise TypeError(f"{name}: expected a NumPy array {_axes(letters)}, got {type(array).__name__}")
    sizes = {letter: int(letter) for letter in letters if letter.isdigit()}
    origin = ""
    if like is not None:
        sizes |= dict(zip(like[2], like[1].shape))
        origin = f"; {like[0]} has shape {_axes(like[2])} = {like[1].shape}"
    if array.ndim != len(letters):
        raise ValueError(f"{name}: expected {len(letters)} axes {_axes(letters)}, got shape {array.shape}{origin}")
    wanted = tuple(sizes.get(letter, size) for letter, size in zip(letters, array.shape))
    if wanted != array.shape:
        raise ValueError(f"{name}: expected {_axes(letters)} = {wanted}, got {array.shape}{origin}")
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one element along each of {_axes(letters)}, got {array.shape}")
    if array.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {array.dtype}")
    if like is not None and array.dtype != like[1].dtype:
        raise TypeError(f"{name}: expected {like[1].dtype} like {like[0]}, got {array.dtype}")
    raise ValueError(f"{name}: expected a C-contiguous array {_axes(letters)}, got strides {array.strides}; "
                     f"use np.ascontiguousarray({name})")


def _fits(array, letters, like):
    """Whether the array is right. It composes no message and is fast, since a `Layer.step` takes microseconds."""
    if not (_is_plain(array) and array.ndim == len(letters) and array.size > 0 and array.dtype in FLOATS
            and array.flags.c_contiguous and (like is None or array.dtype == like[1].dtype)):
        return False
    for letter, size in zip(letters, array.shape):
        place = -1 if like is None else like[2].find(letter)
        if place >= 0 and like[1].shape[place] != size or letter.isdigit() and int(letter) != size:
            return False
    return True


def _is_plain(array):
    """Whether it is a plain NumPy array. A kernel would not see the mask of a masked array."""
    return type(array) is np.ndarray or isinstance(array, np.ndarray) and not isinstance(array, UNPLAIN)


def expect_same(name, array, other, like):
    """Raise TypeError or ValueError unless the array has the shape and dtype of the array `like`, whose name is other.
    Both may be arrays of any kind, also on a device."""
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape == like.shape and dtype == like.dtype:
        return
    if shape is None or dtype is None:
        raise TypeError(f"{name}: expected an array of shape {like.shape}, got {type(array).__name__}")
    if shape != like.shape:
        raise ValueError(f"{name}: expected {like.shape} like {other}, got {shape}")
    raise TypeError(f"{name}: expected {like.dtype} like {other}, got {dtype}")


def expect_writable(name, array):
    """Raise ValueError unless the array is writable."""
    if not array.flags.writeable:
        raise ValueError(f"{name}: expected an array that can be written into, got a read-only one")


def expect_out(name, array, letters, like, **others):
    """As `expect`, for an array that receives results. It must be writable. It is either the array of `like` itself or
    shares no memory with it, and it shares none with the others, some of which may be None."""
    if array is not like[1]:
        expect(name, array, letters, like)
        others[like[0]] = like[1]
    expect_writable(name, array)
    for other, there in others.items():
        if there is not None and np.may_share_memory(array, there):
            raise ValueError(f"{name}: expected {like[0]} or memory of its own, got that of {other}")


def expect_generator(rng, *, none=False):
    """Raise TypeError unless rng is a `numpy.random.Generator`; with none=True it may also be None."""
    if not (isinstance(rng, np.random.Generator) or none and rng is None):
        raise TypeError(f"rng: expected a numpy.random.Generator{' or None' * none}, got {type(rng).__name__}; "
                        "np.random.default_rng(seed) makes one")


def expect_lengths(lengths, T, B):
    """Return the length of every sequence as int64 (B,); None means that all have T steps.

    Raises TypeError unless the lengths are integers, ValueError unless there are B of them, each in 1..T.
    """
    if lengths is None:
        return np.full(B, T, np.int64)
    lengths = np.asarray(lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected integers, got {lengths.dtype}")
    if lengths.shape != (B,):
        raise ValueError(f"lengths: expected (B,) = ({B},), got {lengths.shape}")
    if lengths.min() < 1 or lengths.max() > T:
        b = int(np.argmax((lengths < 1) | (lengths > T)))
        raise ValueError(f"lengths: expected 1 to T = {T}, got {lengths[b]} for sequence {b}")
    return np.ascontiguousarray(lengths, np.int64)


def expect_choice(name, value, choices):
    """Raise ValueError unless value is one of the choices, which the message lists."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(str, choices))}, got {value!r}")


def expect_count(name, value, low=1):
    """Raise TypeError unless value is an integer, and ValueError if it is below low."""
    if not isinstance(value, Integral):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < low:
        raise ValueError(f"{name}: expected an integer of at least {low}, got {value}")


def expect_number(name, value, low, high=np.inf):
    """Raise TypeError unless value is a number, and ValueError unless it is finite and low <= value <= high."""
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not (np.isfinite(value) and low <= value <= high):
        limits = f"at least {low}" if high == np.inf else f"from {low} to {high}"
        raise ValueError(f"{name}: expected a finite number {limits}, got {value}")


def _axes(letters):
    return f"({', '.join(letters)}{',' if len(letters) == 1 else ''})"
