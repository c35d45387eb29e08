"""How fast this machine lets an IndRNN be, and how fast ours is.

The recurrence moves bytes and computes little, so its limit is the memory: forward reads a and writes h (2 streams),
backward reads dh and h and writes da (3 streams). A whole update is mostly matrix products; its limit is the time of
the same products alone. Limits and functions are measured in turn (see `timing`).
"""
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from llvmlite import binding as llvm

from ..core.jit import kernel
from ..data.adding import adding_problem
from ..networks.combinators import AtLastStep, Chain
from ..networks.indrnn import IndRNN
from ..networks.stacked import StackedIndRNN
from ..ops.activations import KIND
from ..ops.linear import Linear, linear_forward
from ..ops.losses import cross_entropy, mean_squared_error
from ..ops.lstm import LSTM
from ..ops.recurrence import obvious_backward, obvious_forward
from ..ops.recurrence_kernels import BIAS, R, backward_kernel, forward_kernel, scratch
from ..training.optim import Adam
from ..training.step import train_step
from .other_libraries import PEERS
from .timing import interleaved, row

# T, B, N and type. Arrays of 784, 32, 128 are 13 MB, and stay in many a processor's last cache; the longer ones do not.
SIZES = [(784, 50, 128, "float32"), (784, 50, 128, "float64"), (5000, 50, 128, "float32"), (784, 32, 128, "float32"),
         (2000, 32, 128, "float32"), (5000, 32, 128, "float32"), (50, 128, 512, "float32"), (100, 50, 128, "float32")]

ACTIVATIONS, NARROW = (100, 50, 128), (784, 32, 128)       # T, B, N
# name: T, B, M, N, layers, options
STEPS = {"6 layers of 128": (784, 32, 1, 128, 6, {}),
         "6 layers of 128, batch normalisation, dropout": (784, 32, 1, 128, 6, dict(norm="after", dropout=0.1)),
         "1 layer of 512": (50, 128, 512, 512, 1, {}), "6 layers of 512": (50, 128, 512, 512, 6, {}),
         "1 layer of 2000": (50, 128, 2000, 2000, 1, {})}

VECTORS = {"avx512f": 512, "avx": 256, "sse2": 128, "neon": 128}                    # bits, by what LLVM calls them

GROWTH = [(T, 32, 128, 2) for T in (100, 1000, 5000)] + [(784, B, 128, 2) for B in (1, 8, 32, 128)] + \
         [(784, 32, N, 2) for N in (32, 128, 512)] + [(784, 32, 128, L) for L in (1, 2, 4, 6, 12)]


@kernel
def two_streams(x):
    for i in range(x.size):
        x[i] *= np.float32(0.999)


@kernel
def three_streams(x, y):
    for i in range(x.size):
        x[i] += np.float32(1e-9) * y[i]


# ---------------------------------------------------------------------------------------------------------
# What is measured: each function yields rows.

def limits():
    """The machine: one thread through memory, and the matrix product with all threads of the library."""
    x, y = np.ones((2, 32_000_000), np.float32)
    A, B, C = np.ones((3, 1500, 1500), np.float32)
    seconds = interleaved({"two": lambda: two_streams(x), "three": lambda: three_streams(x, y),
                           "product": lambda: np.matmul(A, B, out=C)}, rounds=9, untimed=1)
    yield row("memory, 2 streams, one thread", 2 * x.nbytes / seconds["two"] / 1e9, "GB/s", 1)
    yield row("memory, 3 streams, one thread", 3 * x.nbytes / seconds["three"] / 1e9, "GB/s", 1)
    yield row("matrix product, 1500 x 1500 x 1500, float32", 2 * 1500**3 / seconds["product"] / 1e9, "GFLOP/s", 0)


def recurrence(T, B, N, dtype, activation="relu", **version):
    """The timed functions of one size: kernels in place, version as for `forward_kernel`, and the streams that limit
    them."""
    rng = np.random.default_rng(0)
    h, dh = rng.normal(size=(2, T, B * N)).astype(dtype)
    x, y = h.ravel().copy(), dh.ravel().copy()
    u, h0, dh0 = rng.uniform(0, 0.5, N).astype(dtype), np.zeros(B * N, dtype), np.zeros(B * N, dtype)
    du, pqmr = np.zeros((2, B * N)), np.zeros((4, 0), dtype)
    few, many = scratch(BIAS + 1, h), scratch(R + 1, h)
    forward = forward_kernel(activation, biased=False, **version)
    backward = backward_kernel(activation, biased=False, mapped=False, **version)
    return {"two streams": lambda: two_streams(x), "forward": lambda: forward(h, few, u, u, h0, 0, B * N, T),
            "three streams": lambda: three_streams(x, y),
            "backward": lambda: backward(dh, h, many, u, h0, dh0, du, pqmr, 0, B * N, T)}


def versions(T, B, N, dtype):
    """What the versions gain that `ops.recurrence_kernels` lists. The obvious one makes new arrays."""
    a, dh = np.random.default_rng(0).normal(size=(2, T, B, N)).astype(dtype)
    u, h0 = np.full(N, 0.5, dtype), np.zeros((B, N), dtype)
    h = obvious_forward(a, u, h0)
    obvious = {"forward": lambda: obvious_forward(a, u, h0), "backward": lambda: obvious_backward(dh, u, h0, h)}
    one_step, four_steps = recurrence(T, B, N, dtype, four=False), recurrence(T, B, N, dtype)
    for name in ("forward", "backward"):
        functions = {"obvious": obvious[name], "one step": one_step[name], "four": four_steps[name]}
        seconds = interleaved(functions, rounds=15)
        yield row(f"{name}: obvious over one step a pass", seconds["obvious"] / seconds["one step"], "x", 1)
        yield row(f"{name}: one step a pass over four", seconds["one step"] / seconds["four"], "x")


def processor(caches=Path("/sys/devices/system/cpu/cpu0/cache")):
    """The widest vectors of the processor and, where Linux tells, the caches that a core sees."""
    name, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
    bits = next((bits for feature, bits in VECTORS.items() if features.get(feature)), 64)
    yield row(f"{name}: widest vectors", bits, "bits", 0)
    for place in sorted(caches.glob("index*")):
        level, kind, size = ((place / what).read_text().strip() for what in ("level", "type", "size"))
        if kind != "Instruction":
            yield row(f"{name}: cache, level {level}", int(size.removesuffix("K")), "KiB", 0)


def kernels():
    """The recurrence in place, relu, one thread, as a share of the streams over arrays of the same size."""
    yield from processor()
    for T, B, N, dtype in SIZES:
        seconds = interleaved(recurrence(T, B, N, dtype), rounds=25 if T < 2000 else 11)
        for name, limit in (("forward", "two streams"), ("backward", "three streams")):
            share = 100 * seconds[limit] / seconds[name]
            yield row(f"T, B, N = {T}, {B}, {N}, {dtype}, {name}", share, "% of limit", 0)
    yield from versions(*NARROW, "float32")
    for dtype in ("float32", "float64"):
        for activation in KIND:
            seconds = interleaved(recurrence(*ACTIVATIONS, dtype, activation))
            for name in ("forward", "backward"):
                yield row(f"{activation}, {dtype}, {name}", seconds[name] / np.prod(ACTIVATIONS) * 1e9, "ns an element")
    T, B, N = NARROW
    for M in (1, 2):
        x, W, b = np.ones((T, B, M), np.float32), np.ones((N, M), np.float32), np.zeros(N, np.float32)
        seconds = interleaved({"ours": lambda: linear_forward(x, W, b), "product": lambda: x.reshape(-1, M) @ W.T + b})
        yield row(f"affine map of {M} inputs, broadcast over matrix product", seconds["ours"] / seconds["product"], "x")
        bare = recurrence(T, B, N, "float32")
        layer, dy = IndRNN(M, N, np.random.default_rng(0), u=(0.0, 0.5)), np.ones((T, B, N), np.float32)
        seconds = interleaved({"layer": forward_and_backward(layer, x, dy, overwrite=True),
                               "forward": bare["forward"], "backward": bare["backward"]})
        alone = seconds["forward"] + seconds["backward"]
        yield row(f"layer of {M} inputs over its recurrence alone", seconds["layer"] / alone, "x")
    cold, cached = first_call()
    yield row("import, first forward and backward, compiling", cold, "s", 1)
    yield row("import, first forward and backward, from the disk", cached, "s", 1)


def training(T, B, M, N, layers, options):
    """An update as a user runs it: forward, loss, backward, clip, Adam, projection."""
    rng = np.random.default_rng(0)
    network = StackedIndRNN(M, N, layers, 10, rng, length=T, **options)
    optimiser, x = Adam(network.parameters), rng.normal(size=(T, B, M)).astype(np.float32)
    labels, noise = rng.integers(0, 10, B), rng if options.get("dropout") else None
    return lambda: train_step(network, cross_entropy, optimiser, x, labels, 1e-4, rng=noise, bound=network.bound)


def products(T, B, M, N, layers):
    """The matrix products of that step, alone and into memory that is there: x W', dy W, dy' x."""
    rng = np.random.default_rng(0)
    widths = [M] + [N] * layers
    x = [rng.normal(size=(T * B, width)).astype(np.float32) for width in widths]
    W = [rng.normal(size=(N, width)).astype(np.float32) for width in widths[:-1]]
    y, dx, dW = np.empty((T * B, N), np.float32), [np.empty_like(v) for v in x], [np.empty_like(w) for w in W]

    def run():
        for k in range(layers):
            np.matmul(x[k], W[k].T, out=y)
        for k in reversed(range(layers)):
            np.matmul(x[k + 1].T, x[k], out=dW[k])
            np.matmul(x[k + 1], W[k], out=dx[k])
    return run


def steps():
    """An update over the time of its matrix products alone."""
    for name, (T, B, M, N, layers, options) in STEPS.items():
        seconds = interleaved({"step": training(T, B, M, N, layers, options), "products": products(T, B, M, N, layers)},
                              rounds=9, untimed=0)
        yield row(f"{name}: step", 1e3 * seconds["step"], "ms", 1)
        yield row(f"{name}: over its products", seconds["step"] / seconds["products"], "x")


def growth():
    """The cost of an update per time step, for T, B, N and the number of layers."""
    for T, B, N, layers in GROWTH:
        seconds = interleaved({"step": training(T, B, 2, N, layers, {})}, rounds=5, untimed=0)["step"]
        yield row(f"T, B, N = {T}, {B}, {N}, {layers} layers: step / T", 1e6 * seconds / T, "us", 1)


def forward_and_backward(layer, x, dy, **how):
    def run():
        _, cache = layer.forward(x)
        layer.backward(dy, cache, **how)
    return run


def peers():
    """Others over ours, forward and backward: our LSTM, PyTorch's and JAX's where they are installed, and the matrix
    products alone, a lower bound for all."""
    for T, B, M, N, layers in ((784, 32, 1, 128, 1), (784, 32, 128, 128, 1), (5000, 50, 2, 128, 1),
                               (784, 32, 1, 128, 6), (50, 128, 512, 512, 1)):
        rng = np.random.default_rng(0)
        x, dy = rng.normal(size=(T, B, M)).astype(np.float32), rng.normal(size=(T, B, N)).astype(np.float32)
        network = StackedIndRNN(M, N, layers, 1, rng, length=T)
        network.layers.pop()                                                  # the map at the last step
        functions = {"ours": forward_and_backward(network, x, dy)}
        if layers == 1:
            functions["our LSTM"] = forward_and_backward(LSTM(M, N, rng), x, dy)
        functions["the products alone"] = products(T, B, M, N, layers)
        functions |= {name: peer(x, dy, layers) for name, peer in PEERS.items() if T < 5000 or "loop" not in name}
        seconds = interleaved(functions, rounds=5, untimed=1)
        size = f"T, B, M, N = {T}, {B}, {M}, {N}, {layers} layer{'s' if layers > 1 else ''}"
        yield row(f"{size}: ours", 1e3 * seconds["ours"], "ms", 1)
        for name in functions:
            if name != "ours":
                yield row(f"{size}: {name} over ours", seconds[name] / seconds["ours"], "x", 1)


def batches():
    """A training batch of the adding problem, its data included: what arXiv 1910.06251 measures in figure 2."""
    for T in (256, 512, 1024):
        rng = np.random.default_rng(0)
        networks = {"IndRNN, 1 layer": StackedIndRNN(2, 128, 1, 1, rng, length=T),
                    "IndRNN, 2 layers": StackedIndRNN(2, 128, 2, 1, rng, length=T)}
        networks["LSTM"] = Chain([LSTM(2, 128, rng), AtLastStep(Linear(128, 1, rng))])

        def batch(network, optimiser):
            x, target = adding_problem(T, 32, rng)
            train_step(network, mean_squared_error, optimiser, x, target, 1e-4, bound=network.bound)

        seconds = interleaved({name: partial(batch, network, Adam(network.parameters))
                               for name, network in networks.items()}, untimed=1)
        for name in networks:
            yield row(f"T = {T}: {name}", 1e3 * seconds[name], "ms", 1)
            if name != "LSTM":
                yield row(f"T = {T}: LSTM over {name}", seconds["LSTM"] / seconds[name], "x", 1)


def streaming():
    """One step of one sequence, as in use."""
    rng = np.random.default_rng(0)
    for norm in (None, "after"):
        network = StackedIndRNN(1, 128, 6, 10, rng, length=784, norm=norm)
        x, state = np.ones((1, 1), np.float32), None
        _, state = network.step(x)
        seconds = interleaved({"step": lambda: network.step(x, state)}, rounds=200)["step"]
        name = "batch normalisation" if norm else "no normalisation"
        yield row(f"6 layers of 128, B = 1, {name}", 1e6 * seconds, "us", 0)


SECTIONS = {"limits": limits, "kernels": kernels, "steps": steps, "streaming": streaming, "growth": growth,
            "peers": peers, "batches": batches}


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


def bench(names, sections=SECTIONS):
    """Yield (section, row) for the named sections, as they are measured."""
    for name in names:
        for measured in sections[name]():
            yield name, measured
