"""How fast the kernels are on this machine, beside what the machine can do.

The recurrence moves bytes and computes little, so its limit is the memory: forward reads a and writes h (2 streams),
backward reads dh and h and writes da (3 streams). The limit is measured as the same streams over arrays of the same
size by a plain loop, in turn with the kernel, round by round, in an order drawn anew; each timed call follows two
untimed ones, so that both find in the caches what they leave there themselves. A share is the median over the rounds,
with the middle half of them in brackets.
"""
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from .activations import KIND
from .compiled import kernel
from .linear import linear_forward
from .recurrence import KERNELS

SIZES = [(784, 50, 128, "float32"), (784, 50, 128, "float64"), (5000, 50, 128, "float32"),
         (784, 32, 128, "float32"), (50, 128, 512, "float32"), (100, 50, 128, "float32")]


@kernel
def two_streams(x):
    for i in range(x.size):
        x[i] *= np.float32(0.999)


@kernel
def three_streams(x, y):
    for i in range(x.size):
        x[i] += np.float32(1e-9) * y[i]


def interleaved(functions, rounds=25):
    """{name: seconds (rounds,)}, one timed call of each function a round, in an order drawn anew."""
    seconds, rng = {name: np.empty(rounds) for name in functions}, np.random.default_rng(0)
    for r in range(rounds):
        for name in rng.permutation(list(functions)):
            for _ in range(2):
                functions[name]()
            began = time.perf_counter()
            functions[name]()
            seconds[name][r] = time.perf_counter() - began
    return seconds


def recurrence(T, B, N, dtype, activation="relu"):
    """The timed functions of one size: kernels in place, and the streams that limit them."""
    rng = np.random.default_rng(0)
    h, dh = rng.normal(size=(2, T, B * N)).astype(dtype)
    x, y = h.ravel().copy(), dh.ravel().copy()
    u, h0, dh0 = rng.uniform(0, 0.5, N).astype(dtype), np.zeros(B * N, dtype), np.zeros(B * N, dtype)
    du = np.zeros((2, B * N))
    forward, backward = KERNELS[activation, False]
    return {"two streams": lambda: two_streams(x), "forward": lambda: forward(h, u, u, h0, 0, B * N, T),
            "three streams": lambda: three_streams(x, y),
            "backward": lambda: backward(dh, h, u, h0, dh0, du, 0, B * N, T)}


def share(limit, measured):
    """The limit as a share of what was measured, round by round."""
    low, median, high = np.percentile(limit / measured, [25, 50, 75])
    return f"{median:5.0%} ({low:.0%} to {high:.0%})"


def bench_kernels():
    """Yield the lines of the report, as they are measured."""
    yield "recurrence, relu, in place, one thread; share of the stream limit measured in the same run"
    yield f"{'T, B, N':>14} {'type':>8} {'forward GB/s':>14}  {'of the limit':<20} {'backward GB/s':>13}  of the limit"
    for T, B, N, dtype in SIZES:
        seconds = interleaved(recurrence(T, B, N, dtype))
        size = T * B * N * np.dtype(dtype).itemsize / 1e9
        forward, backward = 2 * size / np.median(seconds["forward"]), 3 * size / np.median(seconds["backward"])
        yield (f"{f'{T}, {B}, {N}':>14} {dtype:>8} {forward:14.1f}  "
               f"{share(seconds['two streams'], seconds['forward']):<20} {backward:13.1f}  "
               f"{share(seconds['three streams'], seconds['backward'])}")
    yield ""
    yield "activations in the recurrence, ns an element, T = 100, B = 50, N = 128"
    for dtype in ("float32", "float64"):
        for activation in KIND:
            seconds = interleaved(recurrence(100, 50, 128, dtype, activation))
            forward, backward = (np.median(seconds[name]) / 640_000 * 1e9 for name in ("forward", "backward"))
            yield f"  {dtype} {activation:<8}  forward {forward:5.2f}   backward {backward:5.2f}"
    yield ""
    yield "affine map of narrow inputs, T = 784, B = 32, N = 128, float32: broadcast against a matrix product, ms"
    for M in (1, 2):
        x, W, b = np.ones((784, 32, M), np.float32), np.ones((128, M), np.float32), np.zeros(128, np.float32)
        seconds = interleaved({"ours": lambda: linear_forward(x, W, b),
                               "product": lambda: x.reshape(-1, M) @ W.T + b})
        yield f"  M = {M}   {np.median(seconds['ours']) * 1e3:.2f} against {np.median(seconds['product']) * 1e3:.2f}"
    yield ""
    cold, cached = first_call()
    yield f"first import, forward and backward in a process: {cold:.1f} s compiling, {cached:.1f} s from the disk cache"


def first_call():
    """Seconds from import to the end of the first forward and backward: with an empty cache, then with a full one."""
    program = ("import time; began = time.perf_counter()\n"
               "import numpy as np, minindrnn\n"
               "h, cache = minindrnn.indrnn_forward(np.ones((2, 1, 1), np.float32), np.ones(1, np.float32))\n"
               "minindrnn.indrnn_backward(h, cache); print(time.perf_counter() - began)")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        return [float(subprocess.run([sys.executable, "-c", program], env=environment, check=True,
                                     capture_output=True, text=True).stdout) for _ in range(2)]
