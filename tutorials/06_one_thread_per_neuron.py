# %% [markdown]
# # 6. One thread per neuron
#
# [Tutorial 5](05_going_deep.ipynb) stacked many layers. This one goes inside a single layer, to the recurrence. Its
# neurons do not read each other, and neither do the sequences of a batch. So a GPU can give every neuron of every
# sequence a thread of its own. The thread walks through time alone and keeps its state in a register. Here you build
# the kernel, compile it, execute it and take it apart, without a GPU.
#
# You need tutorials [1](01_one_neuron.ipynb) and [2](02_backward_by_hand.ipynb). The kernels are those of
# `gpu/recurrence.py`. They run in two ways, both on the CPU:
#
# * in Numba's **simulator**, which runs them as Python. It must be chosen before Numba is imported.
# * as **PTX**, the assembly language that the CUDA compiler turns them into. `python tutorials/ptx/compile_kernels.py`
#   wrote the texts in `tutorials/ptx`. An interpreter in NumPy, `tests/gpu/ptx.py`, executes them.
#
# The last sections use a GPU, if there is one, and show times measured on an NVIDIA H200. This page times nothing
# itself. The terms:
#
# | word | what it means here |
# | --- | --- |
# | kernel | a function that many threads run at the same time, each with a number of its own |
# | block, warp | a group of threads that start together; 32 of them, which execute each instruction together |
# | register | where a thread keeps a number at hand; a few dozen are cheap |
# | column | the part of one thread: one neuron of one sequence, at all its steps |
# | cycle | one beat of the processor's clock, less than a billionth of a second |

# %%
import json
import os
import re
import subprocess
import sys

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numba import cuda, float32, uint64

import minindrnn
import minindrnn.gpu
from minindrnn import indrnn_backward, indrnn_forward
from minindrnn.gpu import compiler
from minindrnn.gpu.estimate import GPUS, LATENCY, SHAPES
from minindrnn.gpu.recurrence import AHEAD, OBVIOUS, TUNED
from minindrnn.gpu.scalars import ZERO

ROOT = Path(minindrnn.__file__).parent.parent
sys.path += [str(ROOT / "tests/gpu"), str(ROOT / "tutorials/ptx")]
import compile_kernels
import ptx
from ptx_arithmetic import fma
from ptx_memory import PTXError

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True,
                     "axes.axisbelow": True})
F32 = np.dtype(np.float32)
print("Kernels run in the simulator and as PTX from tutorials/ptx, both on the CPU.")

# %% [markdown]
# ## What does one thread do?
#
# First on the CPU. A loop over `i` visits every neuron of every sequence. Inside it are F1 and F2 of [tutorial
# 2](02_backward_by_hand.ipynb) for one neuron, where every name is a single number.

# %%
def relu(z):
    return ZERO if z <= ZERO else z


def twin(a, u, h0, h):
    B, N = h0.shape
    for i in range(B * N):                                       # one after the other
        b, n = i // N, i % N                                     # i owns neuron n of sequence b
        w, before = u[n], h0[b, n]
        for t in range(a.shape[0]):
            before = relu(a[t, b, n] + w * before)               # F1, F2
            h[t, b, n] = before


# %% [markdown]
# Then the kernel. The body is the same, line by line, but the loop over `i` is gone. `cuda.grid(1)` tells each thread
# its own `i`, and all threads run at the same time.

# %%
on_device = cuda.jit(device=True)(relu)


@cuda.jit
def kernel(a, u, h0, h):
    i = cuda.grid(1)                                             # was: for i in range(B * N)
    B, N = h0.shape
    if i >= B * N:                                               # new: threads come in whole blocks
        return
    b, n = i // N, i % N
    w, before = u[n], h0[b, n]                                   # registers
    for t in range(a.shape[0]):
        before = on_device(a[t, b, n] + w * before)              # F1, F2
        h[t, b, n] = before


# %% [markdown]
# | line | on the CPU | in the kernel |
# | --- | --- | --- |
# | `i` | a loop counts it | every thread has its own |
# | `if i >= B * N` | the loop ends by itself | the last block has threads to spare, which must do nothing |
# | `w`, `before` | loaded at the start of a column | the same, and they stay in registers for all of time |
# | `for t` | a loop | a loop: each step needs the one before it |
#
# The brackets before the arguments of a kernel give the number of blocks, and the number of threads in each. The
# obvious kernel in `gpu/recurrence.py` is this one with `lengths`: `OBVIOUS["relu"]` is the pair for relu, forward
# first. All three give the same bits in the simulator.

# %%
rng = np.random.default_rng(0)
T, B, N = 9, 3, 8
a = rng.normal(size=(T, B, N)).astype(F32)
u, h0 = rng.uniform(-1, 1, N).astype(F32), rng.normal(size=(B, N)).astype(F32)
steps = np.full(B, T)

h, h1, h2 = np.empty((3, T, B, N), F32)
twin(a, u, h0, h)
kernel[3, 10](a, u, h0, h1)                                      # 3 blocks of 10 threads for 24 columns
OBVIOUS["relu"][0][3, 10](a, u, h0, steps, h2)
assert np.array_equal(h1, h) and np.array_equal(h2, h)
assert np.allclose(h, indrnn_forward(a, u, h0)[0], atol=1e-6)

# %% [markdown]
# ## Which thread owns what?
#
# A thread knows its place in its block, `threadIdx`, and the number of its block, `blockIdx`. `cuda.grid(1)` is
# `blockIdx * blockDim + threadIdx`. The picture shows 3 blocks of 10 threads for 3 sequences of 8 neurons. The number
# in a cell is `i`, and the colour is the block. A block may end in the middle of a row.

# %%
owner = np.full((B, N), -1)
idle = []
for block in range(3):
    for thread in range(10):
        i = block * 10 + thread
        if i < B * N:
            assert owner[i // N, i % N] == -1                    # nobody else's
            owner[i // N, i % N] = i
        else:
            idle.append(i)
assert np.array_equal(owner.ravel(), np.arange(B * N)) and idle == list(range(24, 30))

figure, axes = plt.subplots(figsize=(8, 2.4))
for (b, n), i in np.ndenumerate(owner):
    axes.add_patch(plt.Rectangle((n - 0.5, b - 0.5), 1, 1, color=f"C{i // 10}", alpha=0.55))
    axes.text(n, b, i, ha="center", va="center")
axes.set(xlim=(-0.5, N - 0.5), ylim=(B - 0.5, -0.5), xticks=range(N), yticks=range(B), xlabel="neuron n",
         ylabel="sequence b", title="Threads 0 to 9, 10 to 19, 20 to 23; 24 to 29 return at once")
axes.grid(False)
plt.show()

# %% [markdown]
# ## Why do neighbouring threads own neighbouring neurons?
#
# The hardware runs 32 threads together, a **warp**. When they load, memory does not send 32 single numbers. It sends
# whole **sectors** of 32 bytes each. The cost is the number of sectors that hold the 32 addresses.
#
# With time-major arrays `(T, B, N)` the number of thread `i` at step `t` stands at `t * B * N + i`. The 32 numbers of a
# warp are next to each other: 128 bytes, 4 sectors, nothing wasted. Such an access is called coalesced. With time
# fastest, `(B, N, T)`, the number stands at `i * T + t`: 32 sectors, with 4 used bytes in each. Each row of a picture
# is a thread.

# %%
T, B, N, t = 16, 2, 32, 3
thread = np.arange(32)
layouts = {"(T, B, N): neuron fastest": t * B * N + thread, "(B, N, T): time fastest": thread * T + t}
figure, both = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
for axes, (name, place), sectors in zip(both, layouts.items(), (4, 32)):
    touched = np.unique(4 * place // 32)
    assert len(touched) == sectors
    axes.barh(np.full(sectors, 15.5), 32, left=32 * touched, height=33, align="center", color="C1", alpha=0.3,
              label=f"{sectors} sectors moved")
    axes.scatter(4 * place, thread, s=9, color="C0", label="the number of a thread", zorder=3)
    axes.set(xlim=(0, 4 * T * 32), ylim=(32.5, -1.5), xlabel="address (bytes)", title=name)
    axes.legend(loc="upper right" if sectors == 4 else "lower left", fontsize=9)
both[0].set_ylabel("thread of the warp")
plt.show()

# %% [markdown]
# ## What does the simulator check?
#
# It runs the kernel as Python, with a Python thread for each thread of the GPU. So it finds wrong numbers, and every
# index outside its array. Without the guard, the last block runs past the end of the array:

# %%
@cuda.jit
def unguarded(x, y):
    i = cuda.grid(1)
    y[i] = x[i]


x, y = np.arange(24, dtype=F32), np.zeros(24, F32)
unguarded[2, 12](x, y)
assert np.array_equal(x, y)                                      # 24 threads: no harm
try:
    unguarded[3, 10](x, y)
    raise AssertionError("nothing was noticed")
except IndexError:
    print("IndexError: 30 threads for 24 numbers")

# %% [markdown]
# ## Which faults does it miss?
#
# Here are two kernels with one fault each. Both give the right answer in the simulator.
#
# `racing` adds the columns of all sequences into one `du`: thread `i` does `du[i % N] += columns[i]`. Several threads
# read the same old value, add, and write: on a GPU all but one addition may be lost. The simulator runs the threads one
# after the other.
#
# `tenth` contains a Python number: `y[i] = x[i] * 0.1`. The simulator follows NumPy and stays in float32. The compiler
# reads `0.1` as float64, which is slow on many GPUs, and the bits differ.

# %%
columns, du = rng.normal(size=24).astype(F32), np.zeros(8, F32)
compile_kernels.racing[24, 1](columns, du)                       # one block after the other
assert np.allclose(du, columns.reshape(3, 8).sum(axis=0), atol=1e-6)

x, y = rng.normal(size=24).astype(F32), np.zeros(24, F32)
compile_kernels.tenth[3, 10](x, y)
assert np.array_equal(y, x * F32.type(0.1))

# %% [markdown]
# So execute the compiled kernels. The interpreter watches every byte of memory, and counts sectors.

# %%
racing, tenth = map(compile_kernels.text, ("racing", "tenth"))
for name, text, arrays in [("racing", racing, {"columns": columns, "du": np.zeros(8, F32)}),
                           ("tenth, its guard turned round", tenth.replace("@%p1", "@!%p1"), {"x": x, "y": y.copy()})]:
    try:
        ptx.run(text, arrays, 3, 10)
        raise AssertionError("nothing was noticed")
    except PTXError as error:
        print(f"{name}: {str(error).rpartition(': ')[2].partition(',')[0]}")

compiled = np.zeros(24, F32)
ptx.run(tenth, {"x": x, "y": compiled}, 3, 10)
print("tenth:", *(name for name, _ in compiler.instructions(tenth) if name and ".f64" in name))
assert 0 < np.sum(compiled != y) < 24 and np.allclose(compiled, y, rtol=1e-6)

# %% [markdown]
# | fault | simulator | PTX, executed |
# | --- | --- | --- |
# | index outside its array | noticed | noticed |
# | wrong numbers | noticed | noticed |
# | two threads at one place | right answer | noticed |
# | float64 in a float32 kernel | right answer | visible in the text |
# | addresses far apart | right answer | counted, below |
# | too slow | right answer | partly visible: which instruction waits for which |

# %% [markdown]
# ## What did the compiler do?
#
# Here is the loop over time as PTX. A loop goes from a label to the jump back to it; this one has the most
# multiplications. The code prints only instructions on float32.

# %%
def loop(text):
    """[(name, operands)] of the loop with most fused multiply-adds."""
    listed, best = compiler.instructions(text), []
    starts = {operands: i for i, (name, operands) in enumerate(listed) if name is None}
    for i, (name, operands) in enumerate(listed):
        if name and compiler.is_jump(name) and starts.get(operands.split()[-1], i) < i:
            body = listed[starts[operands.split()[-1]] + 1:i + 1]
            best = max(best, body, key=lambda body: sum(name == "fma.rn.f32" for name, _ in body))
    return best


obvious, tuned = (compile_kernels.text(name) for name in ("obvious_forward", "tuned_forward"))
for name, operands in [line for line in loop(obvious) if ".f32" in line[0]][:10]:
    print(f"{name:<15}{operands}")

# %% [markdown]
# Read the first step: load `a[t]`; F1 is one instruction, a **fused multiply-add**, `u * h + a`; F2 is two: compare
# with 0, and select; store `h[t]`. The second step starts right after it. The register that holds `h` is an operand of
# the next F1, so the state never goes to memory and back. The loop holds four steps: the compiler has **unrolled** it,
# to count and jump once for four steps.

# %%
KINDS = {"load": "ld.global", "F1": "fma", "F2": r"(setp|selp)\S*f32", "store": "st.global",
         "whole numbers, 64 bits": r"\S*64$", "jump": "bra"}


def counted(text):
    """{kind: instructions of one step}."""
    names = [name for name, _ in loop(text)]
    stores = sum(map(compiler.is_store, names))
    assert sum(bool(re.match(how, name)) for name in names for how in KINDS.values()) == len(names)
    return {kind: sum(bool(re.match(how, name)) for name in names) / stores for kind, how in KINDS.items()}


# %%
figure, axes = plt.subplots(figsize=(8, 2.6))
for y, text in enumerate((obvious, tuned)):
    counts = np.array(list(counted(text).values()))
    for k, (kind, left) in enumerate(zip(KINDS, np.cumsum(counts) - counts)):
        axes.barh(y, counts[k], left=left, color=f"C{k}", label=None if y else kind)
    axes.text(counts.sum() + 0.2, y, f"{counts.sum():.1f}", va="center")
axes.set(yticks=(0, 1), yticklabels=("obvious", "tuned"), ylim=(1.5, -0.5), xlim=(0, 35),
         xlabel="instructions of PTX", title="One step of one thread")
axes.legend(fontsize=9, loc="lower right", ncols=3)
plt.show()
assert [name for name, _ in loop(obvious)].count("st.global.f32") == 4
for text in obvious, tuned:
    assert [counted(text)[kind] for kind in ("load", "F1", "F2", "store")] == [1, 1, 2, 1]
    assert ".f64" not in text and not re.search(r"\b(mul|add)\S*f32", text)        # all F1 are fused

# %% [markdown]
# Most instructions of the obvious kernel do not compute the neuron. They compute addresses, with whole numbers of 64
# bits. `a[t, b, n]` stands at `(t * B + b) * N + n`, with two multiplications, and the same again for `h[t, b, n]`.
# Besides, Python allows `a[-1]`: Numba tests whether an index is negative, and then adds the size (`shr`, `and`,
# `add`). 64 bits are necessary, because an array may have more than $2^{31}$ elements.

# %%
assert 5000 * 256 * 2048 > 2**31                                 # T, B, N
assert counted(obvious)["whole numbers, 64 bits"] > 4 * counted(tuned)["whole numbers, 64 bits"]
names = [name for name, _ in loop(obvious)]
assert names.count("mul.lo.s64") == 4 * (2 + 2) and "shr.s64" in names
assert not {"mul.lo.s64", "shr.s64"} & set(dict(loop(tuned)))

# %% [markdown]
# ## Does the compiled program compute the same?
#
# Execute it on the CPU. A fused multiply-add rounds once; Python on the CPU rounds the product and then the sum. So the
# compiled kernel does not give the bits of the simulator. It gives those of a recurrence with fused multiply-adds.

# %%
T, B, N = 40, 3, 32
a = rng.normal(size=(T, B, N)).astype(F32)
u, h0 = rng.uniform(-1, 1, N).astype(F32), rng.normal(size=(B, N)).astype(F32)
steps = np.full(B, T)

fused, twice, before, also = np.empty_like(a), np.empty_like(a), h0, h0
for t in range(T):
    fused[t] = before = np.maximum(fma(np.broadcast_to(u, (B, N)), before, a[t]), 0)
    twice[t] = also = np.maximum(u * also + a[t], 0)

h = np.full_like(a, np.nan)
counters = ptx.run(obvious, {"a": a, "u": u, "h0": h0, "steps": steps, "h": h}, B, N, outputs=("h",))
assert np.array_equal(h, fused)                                  # every bit
different = np.sum(h != twice)
assert 0 < different < h.size / 2 and np.allclose(h, twice, atol=1e-5)
assert counters["sectors"] == B * (2 * T * 4 + 4 + 4 + 2)        # a and h: 4 for a warp; u, h0; twice steps[b]
print(f"{different} of {h.size} numbers have other last bits when rounded twice")

# %% [markdown]
# ## Why must loads go ahead of stores?
#
# A load from a GPU's memory takes some 500 cycles. That number is an assumption here, as it is in
# `python -m minindrnn.gpu report`. While a thread waits, it may execute instructions that do not need the value. But it
# takes its instructions in order, and the compiler may not move a load ahead of a store: `h` and `a` might share
# memory, and then the store would change the next value to load. So the order in the text decides. **L** is a load,
# **F** a multiply-add, **S** a store:

# %%
LETTERS = {"ld.global.f32": "L", "fma.rn.f32": "F", "st.global.f32": "S"}
for name, text in ("obvious", obvious), ("tuned", tuned):
    order = "".join(LETTERS.get(instruction, "") for instruction, _ in loop(text))
    print(f"{name:<8} {order}")
    assert order == {"obvious": "LFS" * 4, "tuned": "L" * AHEAD + "FS" * AHEAD}[name]

# %% [markdown]
# A model makes this visible. An instruction starts one cycle after the one before it, but not before its operands are
# ready. The result of a load is ready after 500 cycles, any other result after 4. The model goes through the compiled
# loop, register by register. It is a **model of one thread, not a measurement**.

# %%
def timeline(body, passes):
    """The cycles in which loads start, and those in which stores do."""
    there, now, loads, stores = {}, 0, [], []
    for name, operands in body * passes:
        registers = re.findall(r"%\w+", operands)
        store = compiler.is_store(name)
        sources = registers if store or compiler.is_jump(name) else registers[1:]
        now = max([now + 1] + [there.get(register, 0) for register in sources])
        if compiler.is_load(name):
            there[registers[0]] = now + LATENCY
            loads.append(now)
        elif store:
            stores.append(now)
        elif not compiler.is_jump(name):
            there[registers[0]] = now + 4
    return np.array(loads), np.array(stores)


# %%
figure, both = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True)
last = []
for axes, name, text, passes in zip(both, ("obvious", "tuned"), (obvious, tuned), (4, 1)):
    loads, stores = timeline(loop(text), passes)
    axes.barh(range(16), LATENCY, left=loads, height=0.6, label="a load on its way")
    axes.scatter(stores, range(16), marker="|", s=60, color="C1", label="a store", zorder=3)
    axes.set(ylabel="number of the load", ylim=(16, -1), title=f"{name}: 16 steps in {stores[-1]} cycles, by the model")
    axes.legend(loc="upper right" if name == "obvious" else "center right", fontsize=9)
    last.append(stores[-1])
both[1].set_xlabel("cycles")
plt.show()
assert 1 < last[0] / (16 * LATENCY) < 1.5 and AHEAD == 16 and 0 < (last[1] - LATENCY) / 16 < 20

# %% [markdown]
# By the model, the obvious kernel waits for memory once a step, and then for its chains of whole numbers. The tuned one
# waits once in 16 steps, and then takes less than 20 cycles for each. For long sequences and few columns the waits
# count most:
#
# $$\text{obvious} \gtrsim T \cdot \text{latency}, \qquad \text{tuned} \gtrsim \frac{T \cdot \text{latency}}{16}$$
#
# No kernel can be faster than moving the bytes: 4 read and 4 written for each of `T * B * N`. All lines are
# **estimates** from published figures of an H100.

# %%
gpu = GPUS[-1]
_, B, N = SHAPES["adding"]
T = np.array([100, 1000, 10_000])
waiting, moving = T * LATENCY / gpu.clock * 1e3, T * B * N * 8 / gpu.bandwidth * 1e3

figure, axes = plt.subplots(figsize=(8, 3))
axes.loglog(T, waiting, marker="o", label="T * latency: a load a step")
axes.loglog(T, waiting / AHEAD, marker="s", label=f"T * latency / {AHEAD}: {AHEAD} loads together")
axes.loglog(T, moving, linestyle="--", label="bytes / bandwidth")
axes.set(xlabel="T (steps)", ylabel="milliseconds (estimate)",
         title=f"{gpu.name}, {B} sequences of {N} neurons, float32")
axes.legend(frameon=False)
plt.show()
assert np.all(waiting > 10 * moving) and np.all(moving < waiting / AHEAD)

# %% [markdown]
# ## The tuned kernel
#
# It has four changes, each for a reason shown above:
#
# 1. The loads of `AHEAD` steps, 16, come first, into as many registers. Then F1, F2 and a store follow for each.
# 2. Arrays are flat. A thread's place `p` moves by `B * N` a step: one addition, no multiplication.
# 3. `p` has 64 bits, since there may be many elements. It has no sign, so no test for negative numbers is necessary.
# 4. The last `T % AHEAD` steps run one by one.
#
# `local.array` sounds like memory. But its size is known and the compiler unrolls the loops over `k`, so it becomes
# registers.

# %%
@cuda.jit
def faster(a, u, h0, T, h):
    i, columns = cuda.grid(1), h0.size
    if i >= columns:
        return
    w, before = u[i % u.size], h0[i]
    p, stride = uint64(i), uint64(columns)
    ahead = cuda.local.array(AHEAD, float32)
    for _ in range(T // AHEAD):
        for k in range(AHEAD):
            ahead[k] = a[p + uint64(k) * stride]                 # no store between them
        for k in range(AHEAD):
            before = on_device(ahead[k] + w * before)            # F1, F2
            h[p] = before
            p += stride
    for _ in range(T % AHEAD):
        before = on_device(a[p] + w * before)
        h[p] = before
        p += stride


# %%
T, B, N = 19, 3, 8
a = rng.normal(size=(T, B, N)).astype(F32)
u, h0 = rng.uniform(-1, 1, N).astype(F32), rng.normal(size=(B, N)).astype(F32)
flat, steps = (a.ravel(), u, h0.ravel()), np.full(B, T)

h, h1, h2, compiled = np.full((4, *a.shape), np.nan, F32)
kernel[3, 10](a, u, h0, h)
faster[3, 10](*flat, T, h1.ravel())
TUNED["relu", F32][0][3, 10](*flat, steps, h2.ravel())           # the package's, which knows lengths
assert np.array_equal(h1, h) and np.array_equal(h2, h)           # in the simulator: the bits of the obvious one

ptx.run(obvious, {"a": a, "u": u, "h0": h0, "steps": steps, "h": h}, 3, 10)
arguments = dict(zip(("a", "u", "h0", "steps", "h"), (*flat, steps, compiled.ravel())))
ptx.run(tuned, arguments, 3, 10, outputs=("h",))
assert np.array_equal(compiled, h)                               # and compiled likewise
assert ".local" not in tuned                                     # the array became registers

# %% [markdown]
# `ravel` gives a view here, so the kernel writes into `compiled`.
#
# ## How is `du` summed?
#
# The backward kernel is built the same way, from B1 to B5. Only B4 is new:
#
# $$du = \sum_t \sum_b dz_t * h_{t-1}$$
#
# This is a sum of `T * B` terms, and many threads contribute to one number. Two things may go wrong: the order of the
# terms, and their rounding.
#
# **Order.** Floating-point addition is not associative. If threads add to `du` as they come (atomic additions), each
# run may give different bits. Here are the sums of the same 1000 terms in 20 orders:

# %%
terms = rng.normal(size=1000).astype(F32)
sums = {np.cumsum(rng.permutation(terms))[-1] for _ in range(20)}            # cumsum adds one by one
assert len(sums) > 5 and len({np.cumsum(terms)[-1] for _ in range(20)}) == 1
print(len(sums), "different sums of the same terms")

# %% [markdown]
# So the kernels do not add atomically. A thread sums over its own steps and writes one number. A second kernel,
# `over_sequences`, adds up the `B` numbers of a neuron from the first to the last. Same order, same bits, every time.
#
# **Rounding.** A float32 keeps 24 bits. A small term loses its last bits when it is added to a large total. After 5000
# terms of about the same size the total is some 2^12 times as large as a term, so each new term loses its last 12 bits.
# float64 would do, but it is slow on many GPUs. Kahan's sum computes the lost part and adds it to the next term:

# %%
def add(total, lost, term):
    term = term - lost                                           # the lost part comes back
    larger = total + term                                        # here it loses its last bits
    return larger, (larger - total) - term                       # and here they are


# %%
terms = rng.random((100_000, 32), F32)                           # 32 sums at once
exact, plain = np.cumsum(terms, axis=0, dtype=np.float64), np.cumsum(terms, axis=0)
total, lost, T, errors = np.zeros(32, F32), np.zeros(32, F32), np.unique(np.logspace(0.5, 5, 40).astype(int)), []
for t, term in enumerate(terms, start=1):
    total, lost = add(total, lost, term)
    if t in T:
        errors.append([np.max(np.abs(found / exact[t - 1] - 1)) for found in (plain[t - 1], total)])
errors = np.array(errors)

figure, axes = plt.subplots(figsize=(8, 3.2))
axes.loglog(T, np.maximum(errors[:, 0], 1e-9), marker="o", markersize=4, label="float32, one by one")
axes.loglog(T, np.maximum(errors[:, 1], 1e-9), marker="s", markersize=4, label="float32, compensated")
axes.axhline(2.0**-24, linestyle="--", color="0.3", label="half a unit in the last place of 1")
axes.set(xlabel="T (terms)", ylabel="largest relative error", ylim=(5e-9, 1e-3),
         title="The sum of T numbers between 0 and 1")
axes.legend(frameon=False, loc="upper left")
plt.show()
assert errors[:, 1].max() <= 2.0**-23 and errors[-1, 0] > 20 * errors[-1, 1]

# %% [markdown]
# By the rules of algebra, the second number that `add` returns is 0. A compiler that may use these rules (*fast math*)
# would delete it. Numba does not let it: the PTX has all three subtractions and the addition of every step. Execute it
# and compare with the CPU, which sums in float64.

# %%
text = compile_kernels.text("tuned_backward")
names = [name for name, _ in loop(text)]
stores = sum(map(compiler.is_store, names))
assert names.count("sub.f32") == 3 * stores and compiler.loads_together(text) == 2 * AHEAD

T, B, N = 600, 1, 8
a, dh = rng.random((2, T, B, N), F32)
u, h0 = rng.uniform(0.5, 0.9, N).astype(F32), np.ones((B, N), F32)
h, da, du, dh0 = np.empty_like(a), np.empty_like(a), np.empty_like(u), np.empty_like(h0)
ptx.run(tuned, dict(zip(("a", "u", "h0", "steps", "h"), (a.ravel(), u, h0.ravel(), np.full(B, T), h.ravel()))), 1, N)
arrays = (dh.ravel(), u, h0.ravel(), h.ravel(), np.full(B, T), da.ravel(), du, dh0.ravel())
ptx.run(text, dict(zip(("dh", "u", "h0", "h", "steps", "da", "du", "dh0"), arrays)), 1, N, outputs=("da", "du", "dh0"))

before = np.concatenate([h0[None], h[:-1]])
one_by_one = np.cumsum((da * before)[::-1, 0], axis=0)[-1]                   # B4, from the last step to the first
exact = np.sum(da[:, 0].astype(np.float64) * before[:, 0], axis=0)
for name, found in ("one by one", one_by_one), ("compiled kernel", du):
    print(f"{name:<16} largest relative error {np.max(np.abs(found / exact - 1)):.1e}")
assert np.max(np.abs(du / exact - 1)) < 2e-7 < np.max(np.abs(one_by_one / exact - 1))
for found, expected in zip((da, du, dh0), indrnn_backward(dh, indrnn_forward(a, u, h0)[1])):
    assert np.allclose(found, expected, rtol=1e-5)

# %% [markdown]
# ## And on a GPU?
#
# The public functions choose kernel and grid by themselves. The code calls them once in the simulator, and once without
# it in a separate process, which finds the GPU, if there is one.

# %%
PROGRAM = """
import numpy as np
from numba import cuda
import minindrnn, minindrnn.gpu
from minindrnn.gpu import compiler
if not cuda.is_available() or compiler.missing():
    raise SystemExit("no GPU here, or no compiler for it")
rng = np.random.default_rng(0)
a, u = rng.normal(size=(50, 3, 40)).astype(np.float32), rng.uniform(-1, 1, 40).astype(np.float32)
runs = [(h, *backward(h, cache)) for forward, backward in (
    (module.indrnn_forward, module.indrnn_backward) for module in (minindrnn, minindrnn.gpu))
    for h, cache in [forward(a, u)]]
assert all(np.allclose(x, y, rtol=1e-4, atol=1e-4) for x, y in zip(*runs))
raise SystemExit("a GPU: it agrees with the CPU")
"""
a, u = rng.normal(size=(9, 2, 5)).astype(F32), rng.uniform(-1, 1, 5).astype(F32)
assert np.allclose(minindrnn.gpu.indrnn_forward(a, u)[0], indrnn_forward(a, u)[0], atol=1e-6)

environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
said = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True).stderr
assert said.splitlines()[-1] in ("no GPU here, or no compiler for it", "a GPU: it agrees with the CPU"), said
print(said.splitlines()[-1])

# %% [markdown]
# PTX is not yet machine code. An assembler, `ptxas`, makes that, and it may still move and fuse instructions. Here it
# did. At most steps it fused B2 and the next step's B1, `dh + u * dz`, into one instruction, which rounds once. At the
# last step of each round of the loop it kept two, which round twice. So the last bits depended on where a sequence was
# cut, and only a GPU showed it. Now B2 is `fma(u, dz, 0)`, which the assembler does not fuse.
# `tests/gpu/test_compiled.py` checks the assembler's work: registers, how many loads stand together, and that every
# product is rounded in the same way.
#
# ## How long does a GPU take?
#
# The times of `tutorials/results/bench-gpu-ahead.jsonl` are from an NVIDIA H200, by
# `python -m minindrnn bench kernels --device cuda --json` with `AHEAD` set to 8, 16 and 32. Two numbers describe all
# three: a wait for every `AHEAD` steps, and a time of its own for each step:
#
# $$\text{time} = T \left(\frac{\text{latency}}{\text{AHEAD}} + \text{own}\right)$$

# %%
T, B, N = SHAPES["adding"]
lines = (ROOT / "tutorials/results/bench-gpu-ahead.jsonl").read_text().splitlines()
took = {row["ahead"]: T * B * N * 8 / row["median"] for row in map(json.loads, lines)        # nanoseconds
        if row["what"].startswith("adding")}
aheads, step = np.array(list(took)), np.array(list(took.values())) / T
latency, own = np.linalg.lstsq(np.column_stack([1 / aheads, np.ones(3)]), step, rcond=None)[0]
print(f"a wait takes {latency:.0f} ns, a step itself {own:.0f} ns")
for ahead, measured in took.items():
    print(f"{ahead:>3} ahead: measured {measured / 1e6:.3f} ms, by the line {T * (latency / ahead + own) / 1e6:.3f} ms")
assert np.allclose(latency / aheads + own, step, rtol=0.03)
assert 380 < latency < 430 and 22 < own < 25
cycles = np.array([latency, own]) * gpu.clock / 1e9              # if the H200 keeps the clock of the H100
assert 750 < cycles[0] < 850 and 40 < cycles[1] < 50

# %% [markdown]
# So a wait is some 800 cycles rather than 500. Each step then takes some 45 of its own, which no load ahead removes.
# More steps ahead would still help here. They hurt short sequences, because the last `T % AHEAD` steps run one by one:
# for `T = 20`, 32 ahead are slower than 16.

# %%
figure, axes = plt.subplots(figsize=(8, 3.4))
speeds = {shape: {row["ahead"]: row["median"] for row in map(json.loads, lines)
                  if row["what"].startswith(shape)} for shape in SHAPES}
for shape, speed in speeds.items():
    axes.plot(list(speed), list(speed.values()), marker="o",
              label=f"{shape}: T, B, N = {', '.join(map(str, SHAPES[shape]))}")
axes.set(xlabel="steps ahead", ylabel="GB/s, forward", xticks=aheads, ylim=(0, 3500),
         title="NVIDIA H200, float32, measured")
axes.legend(frameon=False, fontsize=9, loc="center left")
plt.show()
assert speeds["NTU"][32] < speeds["NTU"][8] < speeds["NTU"][16]

# %% [markdown]
# ## Exercises
#
# 1. How many sectors does the first warp touch if `N` is 20, so that its 32 threads own all neurons of one sequence and
#    0 to 11 of the next? And if every sequence were padded to 24 neurons?
# 2. Move the guard: write `if i < B * N:` around the loads only, and store without it. Does the simulator notice? In
#    which grids?
# 3. Write the backward kernel by yourself: B1 to B5, one thread, `du` of each column. Compare with
#    `OBVIOUS["relu"][1]`.
#
# The answers to 1 and 3 follow, checked. Try first.

# %%
thread = np.arange(32)
assert len(np.unique(4 * thread // 32)) == 4                                 # rows follow each other without a gap
padded = thread // 20 * 24 + thread % 20
assert len(np.unique(4 * padded // 32)) == 5                                 # a sector more, partly empty


# %%
@cuda.jit
def backward(dh, u, h0, h, da, du, dh0):
    i = cuda.grid(1)
    B, N = h0.shape
    if i >= B * N:
        return
    b, n = i // N, i % N
    carry = total = ZERO
    for t in range(dh.shape[0] - 1, -1, -1):
        dz = ZERO if h[t, b, n] <= ZERO else dh[t, b, n] + carry             # B1
        carry = u[n] * dz                                                    # B2
        da[t, b, n] = dz                                                     # B3
        total += dz * (h[t - 1, b, n] if t > 0 else h0[b, n])                # B4
    du[b, n], dh0[b, n] = total, carry                                       # B5


T, B, N = 9, 3, 8
a, dh = rng.normal(size=(2, T, B, N)).astype(F32)
u, h0 = rng.uniform(-1, 1, N).astype(F32), rng.normal(size=(B, N)).astype(F32)
h, cache = indrnn_forward(a, u, h0)
ours, theirs = ([np.empty_like(x) for x in (a, h0, h0)] for _ in range(2))
backward[3, 10](dh, u, h0, h, *ours)
OBVIOUS["relu"][1][3, 10](dh, u, h0, h, np.full(B, T), *theirs)
assert all(np.allclose(x, y, atol=1e-5) for x, y in zip(ours, theirs))
assert np.allclose(ours[1].sum(axis=0), indrnn_backward(dh, cache)[1], atol=1e-5)
print("both agree")

# %% [markdown]
# Next: [break the gradient](07_break_the_gradient.ipynb).
