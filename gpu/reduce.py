"""Sums over the rows of an array, such as T * B rows for the gradient of a bias, with the same bits every time.

A block takes WIDTH columns and ROWS rows. Each column has LANES threads; each thread adds every LANES-th row with
compensated rounding errors, and a tree in shared memory adds the threads' sums. The sums of all blocks are the rows of
the next pass. The order depends only on the number of rows, and there are no atomic additions.
"""
from numba import cuda, from_dtype, uint64

from minindrnn.core.expect import FLOATS

from .device import empty, flat, launch
from .scalars import ZERO, add

WIDTH, LANES, ROWS = 32, 8, 256


def sums(x, N, out=None):
    """x, R rows of N numbers  ->  their sum, (N,), in `out` if given."""
    R = x.size // N
    while True:
        G = -(-R // ROWS)
        part = empty((G, N), x.dtype) if G > 1 or out is None else out
        launch_lanes(SUM[x.dtype], R, N, flat(x), N, flat(part))
        if G == 1:
            return flat(part)
        x, R = part, G


def launch_lanes(kernel, R, N, *arguments):
    """Run a kernel with LANES threads for every column of every ROWS rows."""
    launch(kernel, -(-R // ROWS) * -(-N // WIDTH) * WIDTH * LANES, WIDTH * LANES, *arguments)


@cuda.jit(device=True)
def lane(block, thread, N):
    """For a thread of `launch_lanes`: its column n, its group g of rows, and its place k, l within both."""
    across = (N + WIDTH - 1) // WIDTH
    return block % across * WIDTH + thread % WIDTH, block // across, thread % WIDTH, thread // WIDTH


def _sum(dtype):
    @cuda.jit
    def sum_of_rows(x, N, part):
        lanes = cuda.shared.array((LANES, WIDTH), dtype)
        n, g, k, l = lane(cuda.blockIdx.x, cuda.threadIdx.x, N)
        R = x.size // N
        total, lost = ZERO, ZERO
        if n < N:
            for r in range(g * ROWS + l, min((g + 1) * ROWS, R), LANES):
                total, lost = add(total, lost, x[uint64(r) * uint64(N) + uint64(n)])
        lanes[l, k] = total
        half = LANES // 2
        while half > 0:
            cuda.syncthreads()
            if l < half:
                lanes[l, k] += lanes[l + half, k]
            half //= 2
        if n < N and l == 0:
            part[g * N + n] = lanes[0, k]

    return sum_of_rows


SUM = {dtype: _sum(from_dtype(dtype)) for dtype in FLOATS}
