"""How fast the kernels are on a GPU, beside its memory: the sections of `python -m minindrnn bench --device cuda`.

Arrays are on the device and stay there. A time is what passes on the device between two events around one call; a long
copy goes ahead of the first, so that the host has handed over the call before the device comes to it, and the call finds
in the caches what a long copy leaves there. Limits are measured in turn with what they limit, as on the CPU.

Not yet run on a GPU: in the simulator the arithmetic is right and times mean nothing.
"""
from functools import cache

import numpy as np
from numba import cuda

from minindrnn.bench import interleaved, row

from .recurrence import OBVIOUS, TUNED, launch

SIZES = {"adding": (5000, 50, 128), "MNIST": (784, 32, 128), "NTU": (20, 128, 512), "PTB": (50, 128, 2000)}   # T, B, N
COPIED = 1 << 28                     # bytes of the long copy, read and written
BLOCK, BLOCKS = 256, 132 * 16        # of the streams: more threads than a large GPU runs at once


@cuda.jit
def two_streams(x, y):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = x[i]


@cuda.jit
def three_streams(x, y, z):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        z[i] = x[i] + y[i]


@cache
def long_copy():
    x, y = (cuda.device_array(COPIED // 4, np.float32) for _ in range(2))
    return lambda: two_streams[BLOCKS, BLOCK](x, y)


def seconds(function):
    """What one call takes on the device."""
    begin, end = cuda.event(), cuda.event()
    long_copy()()
    begin.record()
    function()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


def limits():
    """The memory of this GPU: a copy, and a sum of two arrays."""
    x, y, z = (cuda.device_array(COPIED // 4, np.float32) for _ in range(3))
    taken = interleaved({"two": lambda: two_streams[BLOCKS, BLOCK](x, y),
                         "three": lambda: three_streams[BLOCKS, BLOCK](x, y, z)}, clock=seconds)
    yield row("memory, 2 streams", 2 * COPIED / taken["two"] / 1e9, "GB/s", 0)
    yield row("memory, 3 streams", 3 * COPIED / taken["three"] / 1e9, "GB/s", 0)


def recurrence(T, B, N):
    """The timed functions of one size, relu, float32: both forms of the kernels, and the streams that limit them."""
    rng, dtype = np.random.default_rng(0), np.dtype(np.float32)
    a, dh, h, da = (cuda.to_device(rng.normal(size=(T, B, N)).astype(dtype)) for _ in range(4))
    h0, du, dh0 = (cuda.to_device(np.zeros((B, N), dtype)) for _ in range(3))
    u, steps = cuda.to_device(rng.uniform(0, 0.5, N).astype(dtype)), cuda.to_device(np.full(B, T))
    a1, dh1, h1, da1, h01, du1, dh01 = (array.ravel() for array in (a, dh, h, da, h0, du, dh0))
    (forward, backward), (forward1, backward1) = OBVIOUS["relu"], TUNED["relu", dtype]
    return {"two streams": lambda: two_streams[BLOCKS, BLOCK](a1, h1),
            "forward, obvious": lambda: launch(forward, a, u, h0, steps, h),
            "forward, tuned": lambda: launch(forward1, a1, u, h01, steps, h1),
            "three streams": lambda: three_streams[BLOCKS, BLOCK](dh1, h1, da1),
            "backward, obvious": lambda: launch(backward, dh, u, h0, h, steps, da, du, dh0),
            "backward, tuned": lambda: launch(backward1, dh1, u, h01, h1, steps, da1, du1, dh01)}


def kernels():
    """The recurrence, relu, float32, beside streams over arrays of the same size."""
    for name, (T, B, N) in SIZES.items():
        taken = interleaved(recurrence(T, B, N), clock=seconds)
        for what, streams in (("two streams", 2), ("forward, obvious", 2), ("forward, tuned", 2),
                              ("three streams", 3), ("backward, obvious", 3), ("backward, tuned", 3)):
            yield row(f"{name}, T, B, N = {T}, {B}, {N}, {what}", 4e-9 * streams * T * B * N / taken[what], "GB/s", 0)


SECTIONS = {"limits": limits, "kernels": kernels}
