# %% [markdown]
# # 9. Why it is fast
#
# A computer has two limits: how many operations it does in a second, and how many bytes it moves. An IndRNN layer has
# two parts, and each runs into one of them. The matrix product `W x` is limited by arithmetic, the recurrence by
# memory. This tutorial counts the operations and bytes, compares them with measurements, and shows what a fast kernel
# must take care of.
#
# You need tutorials [1](01_one_neuron.ipynb) and [2](02_backward_by_hand.ipynb). Measured numbers come from
# `tutorials/results/bench.jsonl`, written by `python -m minindrnn bench --json` on two cores of a server CPU. Run the
# same command to measure your machine. Everything else here is counted, and is the same on every machine.

# %%
import json
from collections import OrderedDict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minindrnn
from minindrnn import indrnn_backward, indrnn_forward, linear_forward
from minindrnn.bench import sections, timing
from minindrnn.networks.fused import fused_forward
from minindrnn.ops import recurrence_kernels
from minindrnn.ops.activations import IDENTITY

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True,
                     "axes.axisbelow": True})

results = Path(minindrnn.__file__).parent.parent / "tutorials/results/bench.jsonl"
measured = {row["what"]: row["median"] for row in map(json.loads, results.read_text().splitlines())}

# %% [markdown]
# ## How much arithmetic is in a step?
#
# For each element, one neuron of one sequence at one step:
#
# $$h = \mathrm{act}(a + u\, h')$$
#
# $$dz = (dh + \mathrm{carry})\, \mathrm{act}'(z), \qquad \mathrm{carry} = u\, dz, \qquad du \mathrel{+}= dz\, h'$$
#
# with `h'` the state before.
#
# Do not guess. Run the equations on numbers that count their operations.

# %%
class Counting(float):
    done = 0

    def __add__(self, other):
        Counting.done += 1
        return Counting(float(self) + float(other))

    def __mul__(self, other):
        Counting.done += 1
        return Counting(float(self) * float(other))


a, u, before, dh, carry, du = map(Counting, (1, 0.5, 2, 1, 1, 0))
h = max(a + u * before, 0)
forward_flops, Counting.done = Counting.done, 0
dz = dh + carry if h > 0 else 0                    # relu' is 0 or 1: a choice, not a product
carry, du = u * dz, du + dz * before
backward_flops = Counting.done
print("operations an element: forward", forward_flops, " backward", backward_flops)
assert (forward_flops, backward_flops) == (2, 4)

# %% [markdown]
# ## How many bytes move?
#
# `u`, the state and the sums stay in the processor, because every step uses them again. Only arrays as long as the
# sequence must move. Forward reads `a` and writes `h`. Backward reads `dh` and `h` and writes `da`. In float32, with 4
# bytes a number, that is **8 and 12 bytes an element**, if `h` is written over `a` and `da` over `dh`.
#
# Writing elsewhere costs more: before the processor writes a line of the cache, it reads the old one.

# %%
T, B, N = 784, 32, 128
a = np.zeros((T, B, N), np.float32)
h, cache = indrnn_forward(a, np.zeros(N, np.float32), out=a)
assert h is a and cache.h is a                                   # in place; the cache holds no copy
da, _, _ = indrnn_backward(dh := np.zeros_like(a), cache, out=dh)
assert da is dh

forward_bytes, backward_bytes = (a.nbytes + h.nbytes) / a.size, (dh.nbytes + h.nbytes + da.nbytes) / a.size
print("bytes an element: forward", forward_bytes, " backward", backward_bytes)
assert (forward_bytes, backward_bytes) == (8, 12)

# %% [markdown]
# ## Which of the two limits holds?
#
# **Arithmetic intensity** is the number of operations for each byte that moves. If memory delivers `b` bytes a second
# and the cores do `p` operations a second, then
#
# $$\mathrm{operations\ a\ second} \le \min(p,\ b \cdot \mathrm{intensity})$$
#
# This is the *roofline*: a slope on the left, a flat roof on the right. The recurrence has an intensity of 1/4 forward
# and 1/3 backward. A product of `R` rows, `(R, M)` times `(M, N)`, uses every number it loads many times:
#
# $$\frac{2 R M N}{4 (R M + M N + R N)} \approx \frac{N}{4} \quad \mathrm{for\ } M = N \mathrm{\ and\ many\ rows}$$

# %%
def product_intensity(R, M, N):
    return 2 * R * M * N / (4 * (R * M + M * N + R * N))


bandwidth, peak = measured["memory, 2 streams, one thread"], measured["matrix product, 1500 x 1500 x 1500, float32"]
points = {}                                                      # name: intensity, billion operations a second
for name, flops, moved in (("forward", forward_flops, 8), ("backward", backward_flops, 12)):
    streams = measured[f"memory, {2 if name == 'forward' else 3} streams, one thread"]
    share = measured[f"T, B, N = 5000, 50, 128, float32, {name}"] / 100
    points[f"recurrence, {name}"] = flops / moved, share * streams * flops / moved
for name in ("6 layers of 128", "1 layer of 512", "1 layer of 2000"):
    T, B, M, N, layers, _ = sections.STEPS[name]
    seconds = measured[f"{name}: step"] / measured[f"{name}: over its products"] / 1e3
    flops = 3 * 2 * T * B * (M * N + (layers - 1) * N * N)       # forward, dW, dx
    points[f"products, N = {N}"] = product_intensity(T * B, N, N), flops / seconds / 1e9
assert abs(product_intensity(25_000, 128, 128) - 128 / 4) < 1

# %%
figure, axes = plt.subplots(figsize=(8, 4))
intensity = np.logspace(-1, 3, 100)
axes.loglog(intensity, np.minimum(peak, bandwidth * intensity), color="0.4")
axes.axvline(peak / bandwidth, color="0.4", linestyle=":", linewidth=1)
axes.text(0.7, 9, "limited by memory\n(one thread)", color="0.4")
axes.text(200, 220, "limited by arithmetic\n(both cores)", color="0.4", ha="center")
for (name, point), marker in zip(points.items(), "osD^v"):
    axes.plot(*point, marker, markersize=8, label=name)
axes.set(xlabel="operations a byte", ylabel="billion operations a second", ylim=(3, 500),
         title="Roofline: the recurrence on the slope, the products under the roof")
axes.legend(frameon=False, loc="lower right")
plt.show()

for name, (intensity, rate) in points.items():
    limit = min(peak, bandwidth * intensity)
    assert 0.5 < rate / limit < 1.3
    assert (intensity < peak / bandwidth) == name.startswith("recurrence")

# %% [markdown]
# So faster arithmetic would not help the recurrence; only fewer bytes do. In a layer of 128 it does two operations for
# 256 of the product, and still takes time. Fused passes save some of it.
#
# ## How near to the memory limit are the kernels?
#
# `bench` runs each kernel in turn with a plain loop over the same number of streams, and compares their times. A kernel
# at 100 % takes as long as the plain loop. More is possible, because the plain loop is not the best one.

# %%
sizes = [size for size in sections.SIZES if size[3] == "float32"]
figure, axes = plt.subplots(figsize=(8, 3.6))
for k, name in enumerate(("forward", "backward")):
    share = [measured[f"T, B, N = {T}, {B}, {N}, {dtype}, {name}"] for T, B, N, dtype in sizes]
    axes.bar(np.arange(len(sizes)) + 0.4 * k - 0.2, share, 0.4, label=name, hatch="//" * k, edgecolor="white")
axes.axhline(100, color="0.3", linewidth=1)
starred = ["*" if B * N * 4 % 4096 == 0 else "" for _, B, N, _ in sizes]
axes.set_xticks(range(len(sizes)), [f"{T}, {B},\n{N} {star}" for (T, B, N, _), star in zip(sizes, starred)])
axes.set(xlabel="T, B, N; * rows that are a multiple of 4096 bytes", ylabel="% of the memory limit",
         title="Kernels of the recurrence, one thread", ylim=(0, 145))
axes.legend(frameon=False, loc="upper right", ncols=2)
plt.show()
assert all(measured[f"T, B, N = 5000, 50, 128, float32, {name}"] > 80 for name in ("forward", "backward"))
with_star, without = ([measured[f"T, B, N = {T}, {B}, {N}, float32, backward"]
                       for (T, B, N, _), mark in zip(sizes, starred)
                       if mark == star and T * B * N > 4e6] for star in ("*", ""))
assert max(with_star) < min(without)

# %% [markdown]
# Three pairs are low in both directions: the 13 MB of 784, 32, 128 and of 50, 128, 512 and the 2.6 MB of the last one
# stay in the last cache, at least in part. There the limit is higher, and the other work of a kernel begins to show.
# Among the other pairs, compare the backward bars. Those with a star are lower: their rows are a multiple of 4096 bytes
# apart. A section below tells why that hurts the backward pass.
#
# To measure your own machine, here are the functions that `bench` calls. Each returns times of interleaved rounds.
# This page asserts nothing about time: a busy machine is not a wrong one.

# %%
T, B, N = 100, 32, 128
seconds = timing.interleaved(sections.recurrence(T, B, N, "float32"), rounds=5)
rows = [timing.row(name, 1e9 * times / (T * B * N), "ns an element") for name, times in seconds.items()]
assert {row["what"] for row in rows} == {"two streams", "forward", "three streams", "backward"}
assert all(row["median"] > 0 for row in rows)
# for row in rows: print(timing.line(row))                       # take away the first # to see your numbers

# %% [markdown]
# ## What is a whole update made of?
#
# Forward, loss, backward, clipping, Adam, projection. The bars show the share of its matrix products, for layers of
# different width. The products grow with `N^2`, the passes over arrays with `N`.

# %%
names = [name for name in sections.STEPS if f"{name}: step" in measured]
over = np.array([measured[f"{name}: over its products"] for name in names])
figure, axes = plt.subplots(figsize=(8, 2.8))
axes.barh(names, 100 / over, label="matrix products")
axes.barh(names, 100 - 100 / over, left=100 / over, hatch="//", edgecolor="white", label="all the rest")
axes.set(xlabel="% of the update", xlim=(0, 100))
axes.invert_yaxis()
figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
plt.show()
assert np.all(over < 1.6)

# %% [markdown]
# ## Why can the products be so fast?
#
# `W x[t]` does not depend on any state. So all steps of all sequences go through **one** product, with `T B` rows. A
# product for each step gives the same numbers:

# %%
rng = np.random.default_rng(0)
T, B, M, N = 50, 4, 16, 8
x, W, b = rng.normal(size=(T, B, M)), rng.normal(size=(N, M)), rng.normal(size=N)
y, _ = linear_forward(x, W, b)                                   # one product of 200 rows
for t in range(T):
    assert np.allclose(y[t], x[t] @ W.T + b)                     # 50 products of 4 rows

# %% [markdown]
# An LSTM has a second product, `U h[t-1]`, that cannot be done this way: `h[t-1]` is known only when step `t - 1` is
# finished. So there are `T` small products of `B` rows, one after the other, and each reads the whole of `U` again.
# Both products are four times as wide, for three gates and the candidate. For each step of each sequence, the number of
# operations, forward and backward, is
#
# $$\mathrm{IndRNN:}\ \ 6 M N + 6 N \qquad\qquad \mathrm{LSTM:}\ \ 24\, (M + N)\, N$$
#
# For the LSTM this counts only its products.

# %%
def operations(M, N):
    """IndRNN, LSTM: of one layer, one step, one sequence."""
    indrnn = 3 * 2 * M * N + (forward_flops + backward_flops) * N
    return indrnn, 3 * 2 * (M + N) * 4 * N


U_rows, all_rows = product_intensity(32, 128, 512), product_intensity(784 * 32, 128, 512)
print(f"operations a byte: one step {U_rows:.0f}, all steps at once {all_rows:.0f}")
assert 3 * U_rows < all_rows

sizes = [(784, 32, 1, 128), (5000, 50, 2, 128), (784, 32, 128, 128), (50, 128, 512, 512)]
labels, more, longer, rates = [], [], [], []
for T, B, M, N in sizes:
    name = f"T, B, M, N = {T}, {B}, {M}, {N}, 1 layer"
    ours, ratio = measured[f"{name}: ours"] / 1e3, measured[f"{name}: our LSTM over ours"]
    labels.append(f"{T}, {B},\n{M}, {N}")
    more.append(operations(M, N)[1] / operations(M, N)[0])
    longer.append(ratio)
    rates.append([T * B * operations(M, N)[k] / (ours * (1, ratio)[k]) / 1e9 for k in (0, 1)])

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
place = np.arange(len(sizes))
for k, (values, label) in enumerate(((more, "operations"), (longer, "time, measured"))):
    left.bar(place + 0.4 * k - 0.2, values, 0.4, label=label, hatch="//" * k, edgecolor="white")
left.set(yscale="log", ylim=(1, 1000), ylabel="LSTM over IndRNN", title="How much more")
for k, label in enumerate(("IndRNN", "LSTM")):
    right.bar(place + 0.4 * k - 0.2, [rate[k] for rate in rates], 0.4, label=label, hatch="//" * k, edgecolor="white")
right.axhline(peak, color="0.3", linewidth=1)
right.set(ylabel="billion operations a second", title="How fast each of them", ylim=(0, 1.25 * peak))
right.text(-0.4, 1.03 * peak, "one large product", color="0.3")
for axes in (left, right):
    axes.set_xticks(place, labels, fontsize=10)
    axes.set_xlabel("T, B, M, N")
    axes.legend(frameon=False, loc="upper right" if axes is left else "center left")
plt.show()
assert all(ratio > 5 for ratio in longer)
assert all(rates[k][0] > rates[k][1] for k in (2, 3))            # where both are limited by products

# %% [markdown]
# Where there are as many inputs as neurons, in the last two pairs, the LSTM has about 8 times the operations and takes
# more than 8 times as long. It also does them at a lower rate, because its products are small and wait for each other.
# Where there are one or two inputs, in the first two pairs, IndRNN has hardly any arithmetic. Its rate is low there,
# because bytes limit it, and it is still the faster one by far.
#
# ## In which order should the loops run?
#
# Arrays are `(T, B, N)`, neurons last. A column is one neuron of one sequence; columns never interact. So any order of
# columns is right, and so is any cut: blocks of columns give the same bits as all at once.

# %%
T, B, N = 40, 3, 20
a, u = rng.normal(size=(T, B, N)), rng.uniform(-1, 1, N)
h, _ = indrnn_forward(a, u)
for low in range(0, N, 7):
    part = slice(low, low + 7)
    piece, _ = indrnn_forward(np.ascontiguousarray(a[:, :, part]), u[part].copy())
    assert np.array_equal(piece, h[:, :, part])
assert a.strides[-1] == a.itemsize and a.strides[0] == B * N * a.itemsize     # next neuron: 8 bytes; next step: a row

# %% [markdown]
# But memory comes in lines of 64 bytes, 16 neurons in float32. The obvious order, neuron by neuron with time inside,
# touches a new line with every access. When it comes to the next neuron, the line is gone. Here is a model of the first
# cache of many processors: 64 sets of 8 lines each. The address decides the set, and the line unused for longest
# leaves.

# %%
def misses(addresses):
    """How often a line of 64 bytes is not in a cache of 64 sets of 8 lines."""
    sets, missed = [OrderedDict() for _ in range(64)], 0
    for line in addresses:
        ways = sets[line % 64]
        if line in ways:
            ways.move_to_end(line)
        else:
            missed += 1
            ways[line] = True
            if len(ways) > 8:
                ways.popitem(last=False)
    return missed


T, C = 784, 272                                                  # steps, columns
line = (np.arange(T)[:, None] * C + np.arange(C)) * 4 // 64      # of each element, (T, C)
inside, outside = misses(line.T.ravel().tolist()), misses(line.ravel().tolist())
print(f"lines fetched for each that is needed: time inside {inside / (line.size / 16):.1f}, "
      f"time outside {outside / (line.size / 16):.1f}")
assert outside == line.size // 16 and inside == line.size

# %% [markdown]
# So time is the outer loop and the columns the inner one. This order also suits the vector unit: 8 neighbouring columns
# are 8 numbers at once, and no number waits for another. On a GPU the same order means that neighbouring threads read
# neighbouring addresses.
#
# ## Why several steps in one pass?
#
# With time outside, each step reads `u`, and reads and writes the state and the sums. They are in the cache, but each
# access costs an instruction. So the kernels do four steps before they go on to the next column. Here the kernels
# themselves run, uncompiled, on arrays that count.

# %%
class Counted:
    """An array that counts how often its elements are read and written."""
    touched = 0

    def __init__(self, *shape):
        self.values = np.ones(shape)

    def __getitem__(self, place):
        Counted.touched += 1
        return self.values[place]

    def __setitem__(self, place, value):
        Counted.touched += 1
        self.values[place] = value


def touches(kernel, flags, *numbers_of_rows):
    """Accesses for each step of one column; a single row is given as it is, several as a tuple."""
    rows = [Counted(1) if count == 1 else tuple(Counted(1) for _ in range(count)) for count in numbers_of_rows]
    Counted.touched = 0
    getattr(kernel, "py_func", kernel)(IDENTITY, *flags, *rows, Counted(7, 1), 1)
    return Counted.touched / numbers_of_rows[0]


forward = {1: touches(recurrence_kernels.advance, (False,), 1), 4: touches(recurrence_kernels.advance4, (False,), 4)}
backward = {1: touches(recurrence_kernels.retreat, (False, False), 1, 2),
            4: touches(recurrence_kernels.retreat4, (False, False), 4, 5)}
print("accesses for each step, by steps in a pass: forward", forward, " backward", backward)
assert forward[4] < 0.6 * forward[1] and backward[4] <= 0.5 * backward[1]

# %% [markdown]
# ## Why do rows of 4096 bytes hurt?
#
# 64 sets of 64 bytes are 4096 bytes: addresses that far apart fall into the same set, which holds 8 lines. A backward
# pass of four steps reads four rows of `dh` and five of `h`. If a row is a multiple of 4096 bytes, as with `B = 32` and
# `N = 128`, these are nine lines for a set of eight, and each throws out the line that is needed next. Three steps need
# seven.
#
# A vector unit of 32 bytes takes 8 numbers at a time, so the accesses go round all rows twice for each line.

# %%
def lines_of_a_pass(row_bytes, steps):
    """Addresses, as lines, of one backward pass over a block: vectors of 32 bytes, round all its rows."""
    rows = [k * row_bytes for k in range(steps)] + [(1 << 22) + k * row_bytes for k in range(steps + 1)]
    return [(row + offset) // 64 for offset in range(0, row_bytes, 32) for row in rows]


fetched = {}
for row_bytes in (4096, 4096 + 64):
    for steps in (3, 4):
        needed = (2 * steps + 1) * row_bytes // 64
        fetched[row_bytes, steps] = misses(lines_of_a_pass(row_bytes, steps)) / needed
        print(f"rows of {row_bytes} bytes, {steps} steps in a pass: {fetched[row_bytes, steps]:.1f} lines fetched "
              "for each that is needed")
assert fetched[4096, 4] == 2 and fetched[4096, 3] == fetched[4160, 3] == fetched[4160, 4] == 1

# %% [markdown]
# With such a cache three steps in a pass would do better. But many processors today have 12 lines in a set, where nine
# fit, and there four steps are faster. So the package has one backward kernel, of four steps, for rows of any length.
#
# ## What does float32 cost in digits?
#
# float32 moves half the bytes of float64, but it keeps 7 digits. `du` is a sum of `T B` products. A sum of `T` similar
# terms is `T` times as large as one term, so in float32 each new term loses its last digits. The cure costs almost
# nothing: add some hundred terms in float32, and their sum to a float64. The gradient of `W` is summed in the same way,
# some thousand rows at a time.

# %%
def errors(T, rng):
    """Relative errors of du, in float32: one after the other, and ours. The truth is the same products in float64."""
    a, dh = rng.uniform(0, 1, (2, T, 1, 8)).astype(np.float32)
    u = np.full(8, 0.5, np.float32)
    h, cache = indrnn_forward(a, u)
    da, du, _ = indrnn_backward(dh, cache)
    terms = da[1:, 0] * h[:-1, 0]
    truth = np.sum(da[1:, 0].astype(np.float64) * h[:-1, 0], axis=0)
    one_by_one = np.cumsum(terms, axis=0)[-1]                    # NumPy's cumsum adds in order
    return [np.max(np.abs(value - truth) / truth) for value in (one_by_one, du)]


steps = np.unique(np.logspace(1, 6, 16).astype(int))
naive, ours = np.array([errors(T, np.random.default_rng(0)) for T in steps]).T
figure, axes = plt.subplots(figsize=(8, 3.2))
axes.loglog(steps, naive, marker="o", markersize=4, label="one after the other, float32")
axes.loglog(steps, ours, marker="s", markersize=4, label="ours: 384 terms in float32, then float64")
axes.axhline(2.0**-24, color="0.4", linestyle=":", label="half a unit in the last place")
axes.set(xlabel="steps T", ylabel="relative error of du", title="A sum that keeps its digits, whatever the length")
axes.legend(frameon=False)
plt.show()
assert ours.max() < 1e-6 and naive[-1] > 20 * ours[-1]

# %% [markdown]
# ## What do several processes exchange?
#
# The recurrence takes one thread. To use more cores, or more machines, let each of `R` processes, called ranks, have
# the whole network and a part of the sequences of a batch: `mpiexec -n 4 python -m minindrnn train ...`. The sequences
# of a batch meet at two places only, and there a sum goes over all ranks.
#
# * **The gradient.** The loss is a mean over the sequences, so its gradient is one, too. A rank with `b` of `B`
#   sequences has the mean over its own; times `b / B` it is this rank's part, and the parts add up. The mean of the
#   means would be another number, unless all ranks have equally many.
# * **Batch statistics.** Mean and variance are those of the whole batch. They follow from the count, mean and variance
#   of each rank:
#
# $$\mu = \frac{\sum_r n_r \mu_r}{\sum_r n_r}, \qquad
# \sigma^2 = \frac{\sum_r n_r (\sigma_r^2 + (\mu_r - \mu)^2)}{\sum_r n_r}$$
#
# Then every rank makes the same update. What is random is drawn for the whole batch, and each rank takes its part. So
# the result does not depend on the number of ranks, but for rounding. Here are three ranks with unequal parts:

# %%
x, labels = rng.normal(size=(20, 7, 2)), rng.integers(0, 3, 7)
network = minindrnn.StackedIndRNN(2, 8, 2, 3, rng, length=20, dtype=np.float64)


def gradient_of(part):
    """Of the first W, by the sequences of a part of the batch alone."""
    y, cache = network.forward(np.ascontiguousarray(x[:, part]))
    _, dy = minindrnn.cross_entropy(y, labels[part])
    return network.backward(dy, cache)[1][0]["W"]


parts = [slice(0, 1), slice(1, 3), slice(3, 7)]
gradients, sizes = [gradient_of(part) for part in parts], [1, 2, 4]
whole = gradient_of(slice(0, 7))
assert np.allclose(sum(b / 7 * gradient for b, gradient in zip(sizes, gradients)), whole, atol=1e-14)
assert not np.allclose(np.mean(gradients, axis=0), whole, atol=1e-4)

n, mean, var = (np.array([np.atleast_1d(f(x[:, part])) for part in parts]) for f in (
    lambda part: part[..., 0].size, lambda part: part.mean(axis=(0, 1)), lambda part: part.var(axis=(0, 1))))
mu = (n * mean).sum(axis=0) / n.sum()
assert np.allclose(mu, x.mean(axis=(0, 1))) and np.allclose((n * (var + (mean - mu)**2)).sum(axis=0) / n.sum(),
                                                            x.var(axis=(0, 1)))

# %% [markdown]
# What limits it? With `R` ranks the work of each is `1 / R`, but what they exchange is not. Gradients are as many bytes
# as there are parameters, however many ranks share the batch. A sum is some `2 log2(R)` messages deep, and each of them
# takes its time even if it is empty. So the time of an update is
#
# $$\frac{\text{work}}{R} + 2 \log_2(R) \cdot \text{sums} \cdot \text{latency}
# + 2\,\frac{R - 1}{R}\,\frac{\text{bytes}}{\text{bandwidth}}$$
#
# Short sequences and small networks end first: there is little work between two sums. Which ranks share a core with
# another program matters as well, as all wait for the last one. To measure your machine:
# `mpiexec -n 2 python -m minindrnn bench ranks`.
#
# ## What follows for other code?
#
# * Count bytes and operations first. They tell which limit holds, and when to stop.
# * Take everything out of the time loop that does not depend on the state.
# * Write over what is no longer needed.
# * Compare with a limit measured in the same minute on the same machine, not with a slow loop.
#
# ## Exercises
#
# 1. With batch normalisation in a pass of its own, forward reads and writes the array once more, and reads it a third
#    time for the statistics. How many bytes an element move now, and how many if the recurrence itself normalises?
# 2. A bias is added as `y += b` after the product. How many bytes an element does that line cost? What does
#    `fused_forward(a, u, b=b)` save?
# 3. From which number of rows on is a product with `M = N = 128` limited by arithmetic, with the two limits of the
#    figure? Is one step with `B = 32` beyond it?
#
# The answers follow, checked. Try first.

# %%
separate, fused = 4 + 8 + 8, 4 + 8                               # 1: statistics, normalise, recur; or two in one
assert (separate, fused) == (20, 12)

T, B, N = 30, 2, 4                                               # 2: 8 bytes, as many as the forward recurrence itself
a, u, b = rng.normal(size=(T, B, N)), rng.uniform(-1, 1, N), rng.normal(size=N)
assert np.allclose(indrnn_forward(a + b, u)[0], fused_forward(a, u, b=b)[0])

enough = next(R for R in range(1, 1000) if product_intensity(R, 128, 128) > peak / bandwidth)
print(f"from {enough} rows on")                                  # 3: the LSTM's products do not lack bytes; they wait
assert enough < 32
