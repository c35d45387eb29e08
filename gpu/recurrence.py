"""The recurrence of IndRNN on CUDA: the twin of `minindrnn.ops.recurrence`, same equations, same letters.

A kernel is a program for one thread. Thread i owns neuron n = i mod N of sequence b = i div N and runs all steps alone,
with its state in a register. Adjacent threads own adjacent neurons, so at every step they read and write one contiguous
piece of memory.

    Forward   F1  z[t]  = a[t] + u * h[t-1]                    F2  h[t] = act(z[t])
    Backward  B1  dz[t] = (dh[t] + carry) * act'(z[t])         B2  carry = u * dz[t]         B3  da[t] = dz[t]
              B4  du    = sum over t and b of dz[t] * h[t-1]   B5  dh0   = carry after t = 0

B2 is rounded before B1 adds to it. Otherwise the assembler fuses the two in some places only, and the bits depend on
where a sequence is cut. Unlike a product, `fma` with zero is never fused with another instruction. For B4 each thread
sums over its own steps with compensated rounding errors (Kahan), as float64 is slow on many GPUs. A second kernel sums
over b in a fixed order, without atomic additions, so the bits are the same every time.
Source: as for the twin; the kernels are our own.
"""
import math

import numpy as np
from numba import cuda, from_dtype, uint64

from minindrnn.core.expect import FLOATS, expect, expect_choice
from minindrnn.ops.activations import KIND
from minindrnn.ops.recurrence import Cache

from . import device
from .device import described, flat, new, on, read, seen, threads_of_a_block
from .scalars import ONE, ZERO, add

AHEAD = 16         # steps whose loads are issued together


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None, stream=None):
    """a (T, B, N), u (N,), h0 (B, N) or zero  ->  h (T, B, N), cache. As `minindrnn.indrnn_forward`.

    NumPy arrays are copied to the device and back. Arrays on the device, from CuPy, PyTorch, Numba or any library with
    the `__cuda_array_interface__`, are used without a copy. h is of the library of a; of the other libraries, Numba's.

    stream   the number of a CUDA stream, or a Numba stream; else the stream that a is used on

    Raises NoGPU if there is no device, TypeError and ValueError as the CPU function.
    """
    with on(stream, a):
        given, a, u = a, seen(a), seen(u)
        like = ("a", described(a), "TBN")
        expect(*like)
        T, B, N = a.shape
        h0 = device.filled(0, (B, N), a) if h0 is None else seen(h0)
        expect("u", described(u), "N", like)
        expect("h0", described(h0), "BN", like)
        expect_choice("activation", activation, KIND)
        steps = device.steps_of(lengths, T, B, a)
        result = new(a, given)
        h = seen(result)
        launch(TUNED[activation, a.dtype][0], (flat(a), u, flat(h0), steps), (flat(h),))
        return result, Cache(u, h0, h, activation, lengths=steps)            # there, on the device


def indrnn_backward(dh, cache, *, stream=None):
    """dh (T, B, N), cache  ->  da (T, B, N), du (N,), dh0 (B, N). As `minindrnn.indrnn_backward`; arrays as above."""
    with on(stream, dh):
        given, dh, (u, h0, h, activation, steps) = dh, seen(dh), cache
        u, h0, h = map(seen, (u, h0, h))
        like = ("h", described(h), "TBN")
        expect("dh", described(dh), "TBN", like)
        expect("u", described(u), "N", like)                                # the caller may have rebuilt the cache
        expect("h0", described(h0), "BN", like)
        results = [new(array, given) for array in (dh, u, h0)]
        da, du, dh0 = map(seen, results)
        columns = new(h0, dh)                                               # du of each sequence
        launch(TUNED[activation, dh.dtype][1], (flat(dh), u, flat(h0), flat(h), steps), map(flat, (da, columns, dh0)))
        if isinstance(columns, np.ndarray):
            du[...] = columns.sum(axis=0, dtype=np.float64)
        else:
            device.launch(over_sequences, u.size, 32, columns, du)
        return tuple(results)


def launch(kernel, inputs, outputs):
    """Run a kernel with a thread for every number in h0, the third input."""
    columns = inputs[2].size
    device.launch(kernel, columns, threads_of_a_block(columns), *map(read, inputs), *outputs)


# ---------------------------------------------------------------------------------------------------------
# A scalar function for each activation and for its derivative from the output; each activation has its own kernels.

def relu(z):
    return ZERO if z <= ZERO else z


def drelu(dh, h):
    return ZERO if h <= ZERO else dh


def tanh(z):
    return math.tanh(z)


def dtanh(dh, h):
    return dh * (ONE - h * h)


def sigmoid(z):
    e = math.exp(-abs(z))                # at most 1: nothing overflows
    return (e if z < ZERO else ONE) / (ONE + e)


def dsigmoid(dh, h):
    return dh * (h * (ONE - h))


def identity(z):
    return z


def didentity(dh, h):
    return dh


@cuda.jit
def over_sequences(columns, du):
    """columns (B, N)  ->  du (N,), a thread for each neuron: the sum over b of B4."""
    n = cuda.grid(1)
    if n >= du.size:
        return
    total, lost = ZERO, ZERO
    for b in range(columns.shape[0]):
        total, lost = add(total, lost, columns[b, n])
    du[n] = total


def _obvious(act, dact):
    """The kernels to read: the work of a thread, step by step."""
    act, dact = cuda.jit(device=True)(act), cuda.jit(device=True)(dact)

    @cuda.jit
    def forward(a, u, h0, steps, h):
        i = cuda.grid(1)
        B, N = h0.shape
        if i >= B * N:
            return
        b, n = i // N, i % N
        w, before = u[n], h0[b, n]
        for t in range(steps[b]):
            before = act(a[t, b, n] + w * before)              # F1, F2
            h[t, b, n] = before
        for t in range(steps[b], a.shape[0]):
            h[t, b, n] = ZERO

    @cuda.jit
    def backward(dh, u, h0, h, steps, da, du, dh0):
        i = cuda.grid(1)
        B, N = h0.shape
        if i >= B * N:
            return
        b, n = i // N, i % N
        w, carry, total, lost = u[n], ZERO, ZERO, ZERO
        for t in range(steps[b], dh.shape[0]):
            da[t, b, n] = ZERO
        for t in range(steps[b] - 1, -1, -1):
            dz = dact(dh[t, b, n] + carry, h[t, b, n])         # B1
            carry = cuda.fma(w, dz, ZERO)                      # B2
            da[t, b, n] = dz                                   # B3
            total, lost = add(total, lost, dz * (h[t - 1, b, n] if t > 0 else h0[b, n]))    # B4
        du[b, n] = total
        dh0[b, n] = carry                                      # B5

    return forward, backward


def _tuned(act, dact, dtype):
    """The same for speed. Loads of AHEAD steps are issued before the first store. The compiler must assume that a store
    changes later loads, so in the obvious kernel every step waits for the memory once, some 500 cycles. Arrays are
    flat, and a thread's index p moves by B * N a step, without multiplications. p has 64 bits, as T * B * N may exceed
    2^31. It is unsigned, as Numba would test whether a signed index is negative, which takes twice the registers.
    Backward loads h[t-1] once and keeps it for the next step, where it is h[t]. Lengths are at least 1."""
    act, dact = cuda.jit(device=True)(act), cuda.jit(device=True)(dact)

    @cuda.jit
    def forward(a, u, h0, steps, h):
        i, columns = cuda.grid(1), h0.size
        if i >= columns:
            return
        w, before, T = u[i % u.size], h0[i], steps[i // u.size]
        p, stride = uint64(i), uint64(columns)
        ahead = cuda.local.array(AHEAD, dtype)
        for _ in range(T // AHEAD):
            for k in range(AHEAD):
                ahead[k] = a[p + uint64(k) * stride]
            for k in range(AHEAD):
                before = act(ahead[k] + w * before)            # F1, F2
                h[p] = before
                p += stride
        for _ in range(T % AHEAD):
            before = act(a[p] + w * before)
            h[p] = before
            p += stride
        for _ in range(a.size // columns - T):                 # padding
            h[p] = ZERO
            p += stride

    @cuda.jit
    def backward(dh, u, h0, h, steps, da, du, dh0):
        i, columns = cuda.grid(1), h0.size
        if i >= columns:
            return
        w, T = u[i % u.size], steps[i // u.size]
        carry, total, lost = ZERO, ZERO, ZERO
        p, stride = uint64(i + T * columns), uint64(columns)
        for k in range(dh.size // columns - T):                # padding
            da[p + uint64(k) * stride] = ZERO
        p -= stride
        now = h[p]
        dahead, ahead = cuda.local.array(AHEAD, dtype), cuda.local.array(AHEAD, dtype)
        for _ in range((T - 1) // AHEAD):
            for k in range(AHEAD):
                dahead[k] = dh[p - uint64(k) * stride]
                ahead[k] = h[p - uint64(k + 1) * stride]
            for k in range(AHEAD):
                dz = dact(dahead[k] + carry, now)              # B1
                carry = cuda.fma(w, dz, ZERO)                  # B2
                da[p] = dz                                     # B3
                now = ahead[k]
                total, lost = add(total, lost, dz * now)       # B4
                p -= stride
        for left in range((T - 1) % AHEAD, -1, -1):
            dz = dact(dh[p] + carry, now)
            carry = cuda.fma(w, dz, ZERO)
            da[p] = dz
            if left > 0:
                p -= stride
                now = h[p]
            else:
                now = h0[i]
            total, lost = add(total, lost, dz * now)
        du[i] = total
        dh0[i] = carry                                         # B5

    return forward, backward


PAIRS = {"relu": (relu, drelu), "tanh": (tanh, dtanh), "sigmoid": (sigmoid, dsigmoid),
         "identity": (identity, didentity)}
OBVIOUS = {name: _obvious(*pair) for name, pair in PAIRS.items()}
TUNED = {(name, dtype): _tuned(*pair, from_dtype(dtype)) for name, pair in PAIRS.items() for dtype in FLOATS}
