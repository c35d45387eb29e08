"""Small kernels for the test of the interpreter: what uses shared memory, barriers and whole numbers as bits."""
import numpy as np
from numba import config, cuda, float32, uint32, uint64

TILE = 8
# Exact in float32, where a Python float would turn it into float64; in the simulator it is the other way round.
ZERO = 0.0 if config.ENABLE_CUDASIM else np.float32(0)


@cuda.jit
def product(a, b, c):
    """c = a @ b, a block for TILE x TILE numbers of c, a tile of a and of b at a time in shared memory."""
    x, y = cuda.shared.array((TILE, TILE), float32), cuda.shared.array((TILE, TILE), float32)
    i, j = cuda.threadIdx.y, cuda.threadIdx.x
    row, column = cuda.blockIdx.y * TILE + i, cuda.blockIdx.x * TILE + j
    total = ZERO
    for first in range(0, a.shape[1], TILE):
        x[i, j] = a[row, first + j] if row < a.shape[0] and first + j < a.shape[1] else ZERO
        y[i, j] = b[first + i, column] if first + i < b.shape[0] and column < b.shape[1] else ZERO
        cuda.syncthreads()                                     # both tiles are there
        for k in range(TILE):
            total += x[i, k] * y[k, j]
        cuda.syncthreads()                                     # both tiles were read
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total


@cuda.jit
def block_sum(x, sums):
    """sums[block] = the sum of a block's numbers, by halves; shared memory of the launch."""
    part = cuda.shared.array(0, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    part[t] = x[i] if i < x.size else ZERO
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]


@cuda.jit
def splitmix(seed, out):
    """The first numbers of the generator SplitMix64 (Steele, Lea, Flood 2014)."""
    i = cuda.grid(1)
    if i < out.size:
        z = uint64(seed) + uint64(i + 1) * uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
        out[i] = z ^ (z >> uint64(31))


@cuda.jit
def avalanche(x, out):
    """Every bit of a number of 32 bits changes half of the bits: the last steps of MurmurHash3 (Appleby)."""
    i = cuda.grid(1)
    if i < out.size:
        z = x[i]
        z = uint32((z ^ (z >> uint32(16))) * uint32(0x85EBCA6B))
        z = uint32((z ^ (z >> uint32(13))) * uint32(0xC2B2AE35))
        out[i] = uint32(z ^ (z >> uint32(16)))


@cuda.jit
def thirds(x, positive, out):
    """Whole numbers divided by a constant, bytes, and 64-bit products."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] // 3 + x[i] % 7
        positive[i] = x[i] > 0
