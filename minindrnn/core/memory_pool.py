"""Large arrays in memory that is used again.

The operating system zeroes new memory page by page at its first use, which takes longer than most passes over it, and
an update frees all its memory at its end. So large results are made here: in a piece that no array uses any more, if
one is at most twice too large, or else in a new piece. The pool keeps at most twice the memory that was in use at once;
`release` frees it. Old values are never read: an array is written before it is read.
"""
from math import prod
from sys import getrefcount
from threading import RLock

import numpy as np

LARGE = 1 << 20                       # bytes; smaller arrays are left to NumPy
ALIGNED = 64                          # a cache line

_pieces, _lock, _peak = [np.empty(0, np.uint8)], RLock(), 0
_UNUSED = getrefcount(_pieces[0])     # references to a piece that no array uses


def empty(shape, dtype):
    """An uninitialised C-contiguous array of that shape (a tuple) and dtype."""
    nbytes = prod(shape) * np.dtype(dtype).itemsize
    if nbytes < LARGE:
        return np.empty(shape, dtype)
    with _lock:
        piece = _piece(nbytes + ALIGNED)
        start = -piece.ctypes.data % ALIGNED
        return piece[start:start + nbytes].view(dtype).reshape(shape)


def empty_like(array):
    """The same with the shape and dtype of an array."""
    return empty(array.shape, array.dtype)


def release():
    """Free the memory that no array uses."""
    with _lock:
        _keep_without(set(_unused()))


def _unused():
    """Indices of the pieces that no array uses, the least recently used first."""
    return [k for k in range(len(_pieces)) if getrefcount(_pieces[k]) == _UNUSED]


def _keep_without(dropped):
    _pieces[:] = [piece for k, piece in enumerate(_pieces) if k not in dropped]


def _piece(size):
    global _peak
    unused = _unused()
    fitting = [k for k in unused if size <= _pieces[k].size <= 2 * size]
    if fitting:
        _pieces.append(_pieces.pop(min(fitting, key=lambda k: _pieces[k].size)))
        return _pieces[-1]
    held = sum(piece.size for piece in _pieces) + size
    _peak = max(_peak, held - sum(_pieces[k].size for k in unused))
    dropped = set()
    for k in unused:
        if held > 2 * _peak:
            dropped.add(k)
            held -= _pieces[k].size
    _keep_without(dropped)
    _pieces.append(np.empty(size, np.uint8))
    return _pieces[-1]
