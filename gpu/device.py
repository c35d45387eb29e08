"""Arrays on the device, the stream, and the launch of a kernel.

A kernel takes a Numba device array or a NumPy array of the caller, which Numba copies to the device and, unless it is
only `read`, back. A kernel uses arrays of other libraries through their `__cuda_array_interface__`, without a copy, and
a CPU tensor of PyTorch as a NumPy array. The library of a given array makes the new arrays, so it owns their memory.
"""
import sys
import warnings
from collections import Counter, defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from math import prod

import numpy as np
from numba import cuda

from minindrnn.core.expect import expect_lengths

# Numba warns at every launch of fewer than 128 blocks, but a small array does not fill more.
warnings.filterwarnings("ignore", message=".*Grid size .* low occupancy")

STEPS = 8          # of a column, per thread
_stream, _workspace = ContextVar("stream", default=0), ContextVar("workspace", default=None)


class NoGPU(RuntimeError):
    """There is no CUDA device."""


def launch(kernel, threads, block, *arguments):
    """Run a kernel with so many threads, in blocks of the given size, on the current stream."""
    expect_gpu()
    kernel[-(-threads // block), block, _stream.get()](*arguments)


def expect_gpu():
    """Raise NoGPU unless there is a CUDA device, or the simulator."""
    if not cuda.is_available():
        raise NoGPU("no CUDA device was found: install the cuda12 or cuda13 extra on a machine with an NVIDIA GPU and "
                    "its driver, or set NUMBA_ENABLE_CUDASIM=1 to run the simulator")


def threads_of_a_block(columns):
    """32, a single warp, if a large GPU can run all warps at once: they then spread over all its processors. 256 if
    there are more warps.

    >>> threads_of_a_block(32 * 128), threads_of_a_block(128 * 2000)
    (32, 256)
    """
    return 32 if columns <= 32 * 132 * 4 else 64 if columns <= 64 * 132 * 8 else 256


def launch_each(kernel, threads, *arguments):
    """The same with a suitable block size."""
    launch(kernel, threads, threads_of_a_block(threads), *arguments)


def launch_columns(kernel, shape, *arguments):
    """The same with a thread for STEPS steps of every column of arrays (T, B, N)."""
    T, B, N = shape
    launch_each(kernel, B * N * -(-T // STEPS), *arguments)


@cuda.jit(device=True)
def column(i, columns, size):
    """For thread i of `launch_columns`, in arrays of that size: its column, its first step and the step after its
    last."""
    first = i // columns * STEPS
    return i % columns, first, min(first + STEPS, size // columns)


# ---------------------------------------------------------------------------------------------------------
# Streams: kernels of one stream run in order. A stream is a number or a Numba stream.

@contextmanager
def on(stream, array):
    """Within this context kernels run on the stream; None means the stream that the array is used on."""
    number = stream_of(array) if stream is None else int(stream)
    token = _stream.set(cuda.external_stream(number) if number else 0)
    try:
        yield
    finally:
        _stream.reset(token)


def stream_of(array):
    """The number in the array's interface, PyTorch's current stream, or 0, the default stream."""
    if _library(array) == "torch" and array.is_cuda:
        return sys.modules["torch"].cuda.current_stream(array.device).cuda_stream
    return _interface(array).get("stream") or 0


# ---------------------------------------------------------------------------------------------------------
# Arrays

def seen(array):
    """The array as a kernel takes it. If another stream than the current one uses the array, wait for that stream."""
    if isinstance(array, np.ndarray) or hasattr(array, "copy_to_host"):
        return array
    if interface := _interface(array):
        other = (interface.get("stream") or 1) != (int(_stream.get()) or 1)      # 1 is the default stream, too
        return cuda.as_cuda_array(array, sync=other)
    return array.numpy() if _library(array) == "torch" else array


def read(array):
    """An array that a kernel only reads: a host array is not copied back."""
    return cuda.In(array) if isinstance(array, np.ndarray) else array


def described(array):
    """A stand-in for a device array in `minindrnn.core.expect.expect`: a NumPy array of the same shape, dtype and
    strides, which is never read, and is kept for the next call. Any other argument is returned as it is."""
    if not hasattr(array, "copy_to_host"):
        return array
    if (found := vars(array).get("_described")) is None:
        found = np.lib.stride_tricks.as_strided(np.empty(1, array.dtype), array.shape, array.strides)
        array._described = found
    return found


def new(like, given):
    """An uninitialised array with the shape and dtype of `like`, as a kernel takes it, from the library of `given`."""
    if isinstance(given, np.ndarray):
        return np.empty(like.shape, like.dtype)
    if _library(given) == "torch":
        return given.new_empty(like.shape)
    if _library(given) == "cupy":
        return sys.modules["cupy"].empty(like.shape, like.dtype)
    return empty(like.shape, like.dtype)


def empty(shape, dtype):
    """An uninitialised array on the device, from the current `Workspace`, if there is one."""
    workspace = _workspace.get()
    return workspace.take(shape, dtype) if workspace else cuda.device_array(shape, dtype, stream=_stream.get())


class Workspace:
    """Arrays of an update, used again by the next update, since an allocation stops the whole device.

    Within this context `empty` returns each of them once. The next update overwrites them. The size of each is a power
    of two, so that updates of many lengths share them.
    """

    def __init__(self):
        self.pieces, self.taken = defaultdict(list), Counter()

    def take(self, shape, dtype):
        size, dtype = prod(shape), np.dtype(dtype)
        kind = dtype, 1 << (size - 1).bit_length()
        pieces, taken = self.pieces[kind], self.taken[kind]
        self.taken[kind] += 1
        if taken == len(pieces):
            flat = cuda.device_array(kind[1], dtype)
            pieces.append([flat, flat])
        flat, last = pieces[taken]
        if last.shape != shape:                                    # making a view is slow: the last one is kept
            pieces[taken][1] = last = flat[:size].reshape(shape)
        return last

    def __enter__(self):
        self.taken.clear()
        self.token = _workspace.set(self)

    def __exit__(self, *_):
        _workspace.reset(self.token)


def sent(array):
    """A copy of a NumPy array on the device."""
    there = empty(array.shape, array.dtype)
    flat(there).copy_to_device(array.reshape(-1))
    return there


def flat(array):
    """The array with a single axis, kept for the next call: making it takes longer than many kernels run."""
    if array.ndim == 1:
        return array
    if isinstance(array, np.ndarray):
        return array.ravel()
    if (found := vars(array).get("_flat")) is None:
        found = array._flat = array.ravel()
    return found


def filled(value, shape, given):
    """A constant array, never written, as a kernel takes it together with the array `given`."""
    if isinstance(given, np.ndarray):
        return np.full(shape, value, given.dtype)
    return _filled(value, shape, given.dtype, _gpu())


def steps_of(lengths, T, B, given):
    """The length of every sequence, (B,) int64, as a kernel takes it together with the array `given`."""
    steps = expect_lengths(lengths, T, B)
    return steps if isinstance(given, np.ndarray) else _steps(steps.tobytes(), _gpu())


@lru_cache(maxsize=16)                       # so that an update copies nothing
def _filled(value, shape, dtype, gpu):
    return _kept(np.full(shape, value, dtype))


@lru_cache(maxsize=16)
def _steps(steps, gpu):
    return _kept(np.frombuffer(steps, np.int64))


def _kept(array):
    there = cuda.to_device(array)
    cuda.synchronize()                       # the streams that will read it do not wait for the copy
    return there


def _gpu():
    return getattr(cuda.current_context().device, "id", 0)         # the simulator's device has no id


def _interface(array):
    return getattr(array, "__cuda_array_interface__", {})


def _library(array):
    return type(array).__module__.partition(".")[0]
