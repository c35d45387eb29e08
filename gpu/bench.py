"""Speed of the kernels on a GPU, compared with its memory: the sections of `python -m minindrnn bench --device cuda`.

Arrays are on the device and stay there. A time is measured on the device between two events around one call. Long
copies run before the first event: the host has submitted the call before the device reaches it, and the caches hold
only data of the copies. Kernels and their limits are measured in turn, as on the CPU.

In the simulator the arithmetic is right and times mean nothing.
"""
from functools import cache

import numpy as np
from numba import cuda

from minindrnn.bench.other_libraries import cudnn_lstm
from minindrnn.bench.sections import STEPS
from minindrnn.bench.timing import interleaved, row, wall
from minindrnn.networks.stacked import StackedIndRNN
from minindrnn.ops.losses import cross_entropy
from minindrnn.training.optim import Adam

from .device import Workspace
from .linear import linear_backward, linear_forward
from .recurrence import OBVIOUS, TUNED, indrnn_backward, indrnn_forward, launch
from .twin import Twin

SIZES = {"adding": (5000, 50, 128), "MNIST": (784, 32, 128), "NTU": (20, 128, 512), "PTB": (50, 128, 2000)}
LAYERS = [(784, 32, 1, 128), (784, 32, 128, 128), (5000, 50, 2, 128), (50, 128, 512, 512)]   # T, B, M, N
COPIED, COPIES = 1 << 28, 16         # bytes that a long copy reads and writes; all copies take some milliseconds
BLOCK, BLOCKS = 256, 132 * 16        # for the streams: more threads than a large GPU runs at once


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
    """The time of one call on the device."""
    begin, end = cuda.event(), cuda.event()
    for _ in range(COPIES):
        long_copy()()
    begin.record()
    function()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


def until_done(function):
    """The time of one call and all the work that it starts, as its caller sees it."""
    return wall(lambda: (function(), cuda.synchronize()))


# ---------------------------------------------------------------------------------------------------------
# The measurements: each function yields rows.

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
            "forward, obvious": lambda: launch(forward, (a, u, h0, steps), (h,)),
            "forward, tuned": lambda: launch(forward1, (a1, u, h01, steps), (h1,)),
            "three streams": lambda: three_streams[BLOCKS, BLOCK](dh1, h1, da1),
            "backward, obvious": lambda: launch(backward, (dh, u, h0, h, steps), (da, du, dh0)),
            "backward, tuned": lambda: launch(backward1, (dh1, u, h01, h1, steps), (da1, du1, dh01))}


def kernels():
    """The recurrence, relu, float32, compared with streams over arrays of the same size."""
    for name, (T, B, N) in SIZES.items():
        taken = interleaved(recurrence(T, B, N), clock=seconds)
        for what, streams in (("two streams", 2), ("forward, obvious", 2), ("forward, tuned", 2),
                              ("three streams", 3), ("backward, obvious", 3), ("backward, tuned", 3)):
            yield row(f"{name}, T, B, N = {T}, {B}, {N}, {what}", 4e-9 * streams * T * B * N / taken[what], "GB/s", 0)


def training(T, B, M, N, layers, options):
    """An update as a user runs it, from arrays on the host to changed parameters on the device."""
    rng = np.random.default_rng(0)
    network = StackedIndRNN(M, N, layers, 10, rng, length=T, **options)
    twin, x = Twin(network, cross_entropy, Adam(network.parameters)), rng.normal(size=(T, B, M)).astype(np.float32)
    labels, noise = rng.integers(0, 10, B), rng if options.get("dropout") else None
    return lambda: twin.train_step(x, labels, 1e-4, rng=noise, bound=network.bound)


def steps():
    """An update, until the device has finished it."""
    for name, sizes in STEPS.items():
        taken = interleaved({"step": training(*sizes)}, rounds=9, untimed=1, clock=until_done)["step"]
        yield row(f"{name}: step", 1e3 * taken, "ms")


def layer(x, dy):
    """Forward and backward of an IndRNN layer, relu, for x (T, B, M), dy (T, B, N) on the host."""
    rng, M, N = np.random.default_rng(0), x.shape[2], dy.shape[2]
    W, b, u = rng.normal(0, M**-0.5, (N, M)), np.zeros(N), rng.uniform(0, 1, N)
    x, dy, W, b, u = (cuda.to_device(array.astype(np.float32)) for array in (x, dy, W, b, u))
    workspace = Workspace()

    def run():
        with workspace:
            a, of_linear = linear_forward(x, W, b)
            _, of_recurrence = indrnn_forward(a, u)
            da, _, _ = indrnn_backward(dy, of_recurrence)
            return linear_backward(da, of_linear)
    return run


def peers():
    """Forward and backward of our layer and, if PyTorch with CUDA is installed, of its LSTM, which uses cuDNN."""
    for T, B, M, N in LAYERS:
        rng = np.random.default_rng(0)
        x, dy = rng.normal(size=(T, B, M)).astype(np.float32), rng.normal(size=(T, B, N)).astype(np.float32)
        functions = {"ours": layer(x, dy)}
        if lstm := cudnn_lstm(x, dy):
            functions["PyTorch LSTM"] = lstm
        taken = interleaved(functions, rounds=9, clock=seconds)
        size = f"T, B, M, N = {T}, {B}, {M}, {N}"
        yield row(f"{size}: ours", 1e3 * taken["ours"], "ms")
        if lstm:
            yield row(f"{size}: PyTorch LSTM over ours", taken["PyTorch LSTM"] / taken["ours"], "x", 1)


SECTIONS = {"limits": limits, "kernels": kernels, "steps": steps, "peers": peers}
