"""The recurrence of IndRNN on CUDA: the twin of `minindrnn.recurrence`, same equations, same letters.

A kernel is a program for one thread. Thread i owns neuron n = i mod N of sequence b = i div N and walks through time
alone, its state in a register; threads next to each other own neurons next to each other, so that at every step they
read and write one contiguous piece of memory.

    Forward   F1  z[t]  = a[t] + u * h[t-1]                    F2  h[t] = act(z[t])
    Backward  B1  dz[t] = (dh[t] + carry) * act'(z[t])         B2  carry = u * dz[t]         B3  da[t] = dz[t]
              B4  du    = sum over t and b of dz[t] * h[t-1]   B5  dh0   = carry after t = 0

For B4 each thread sums over its own time, in float64; the sum over b is taken afterwards in a fixed order: no atomic
additions, so the same bits every time. Arrays are NumPy's, copied to the device and back.
"""
import math

import numpy as np
from numba import config, cuda

from minindrnn.activations import KIND
from minindrnn.recurrence import equal_lengths
from minindrnn.shapes import expect, expect_choice

THREADS = 128      # of a block
# Exact in both types, where a Python float would turn float32 into float64; in the simulator it is the other way round.
ZERO, ONE = (0.0, 1.0) if config.ENABLE_CUDASIM else (np.float32(0), np.float32(1))


class NoGPU(RuntimeError):
    """There is no CUDA device to run on."""


def indrnn_forward(a, u, h0=None, *, activation="relu", lengths=None):
    """a (T, B, N), u (N,), h0 (B, N) or zero  ->  h (T, B, N), cache. As `minindrnn.indrnn_forward`.

    Raises NoGPU where there is no device, otherwise as there.
    """
    like = ("a", a, "TBN")
    expect(*like)
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    expect("u", u, "N", like)
    expect("h0", h0, "BN", like)
    expect_choice("activation", activation, KIND)
    steps = np.empty(B, np.int64)
    for first, last, length in equal_lengths(lengths, T, B):
        steps[first:last] = length
    h = np.zeros_like(a)
    _launch(KERNELS[activation][0], a, u, h0, steps, h)
    return h, (u, h0, h, activation, steps)


def indrnn_backward(dh, cache):
    """dh (T, B, N), cache  ->  da (T, B, N), du (N,), dh0 (B, N). As `minindrnn.indrnn_backward`."""
    u, h0, h, activation, steps = cache
    expect("dh", dh, "TBN", like=("h", h, "TBN"))
    da, du, dh0 = np.zeros_like(dh), np.zeros(h0.shape), np.empty_like(h0)
    _launch(KERNELS[activation][1], dh, u, h0, h, steps, da, du, dh0)
    return da, du.sum(axis=0).astype(u.dtype), dh0


def _launch(kernel, *arrays):
    if not cuda.is_available():
        raise NoGPU("no CUDA device was found: install the cuda12 or cuda13 extra on a machine with an NVIDIA GPU and "
                    "its driver, or set NUMBA_ENABLE_CUDASIM=1 to run the simulator")
    _, B, N = arrays[0].shape
    kernel[-(-B * N // THREADS), THREADS](*arrays)


# ---------------------------------------------------------------------------------------------------------
# One scalar function for each activation and its derivative from the output; a kernel is made for each.

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


def _compile(act, dact):
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

    @cuda.jit
    def backward(dh, u, h0, h, steps, da, du, dh0):
        i = cuda.grid(1)
        B, N = h0.shape
        if i >= B * N:
            return
        b, n = i // N, i % N
        w, carry, total = u[n], ZERO, 0.0
        for t in range(steps[b] - 1, -1, -1):
            dz = dact(dh[t, b, n] + carry, h[t, b, n])         # B1
            carry = w * dz                                     # B2
            da[t, b, n] = dz                                   # B3
            total += dz * (h[t - 1, b, n] if t > 0 else h0[b, n])     # B4
        du[b, n] = total
        dh0[b, n] = carry                                      # B5

    return forward, backward


KERNELS = {"relu": _compile(relu, drelu), "tanh": _compile(tanh, dtanh),
           "sigmoid": _compile(sigmoid, dsigmoid), "identity": _compile(identity, didentity)}
