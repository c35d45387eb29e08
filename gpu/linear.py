"""The affine map of every step of every sequence: the twin of `minindrnn.ops.linear`.

Forward   F1  y[t] = W x[t] + b
Backward  B1  dx[t] = W' dy[t]
          B2  dW    = sum over t and b of dy[t] x[t]'
          B3  db    = sum over t and b of dy[t]

One kernel computes all three products, or cuBLAS if CuPy is installed (extras cublas12, cublas13).
"""
import importlib.util

from numba import config, cuda, from_dtype, uint64

from minindrnn.core.expect import FLOATS, expect
from minindrnn.core.layer import Layer, expect_known
from minindrnn.ops.linear import Cache

from .device import described, empty, filled, flat, launch
from .padding import without_padding
from .reduce import sums
from .scalars import ZERO

SIDE, PER = 16, 4       # a block has SIDE x SIDE threads and makes a tile of C: PER x PER numbers a thread
ROWS = 512              # dW: rows of one product; the products are added with compensated rounding errors
CUBLAS = importlib.util.find_spec("cupy") is not None and not config.ENABLE_CUDASIM


def linear_forward(x, W, b=None, *, lengths=None):
    """x (T, B, M), W (N, M), b (N,) or zero  ->  y (T, B, N), cache. As `minindrnn.linear_forward`, on the device."""
    like = ("W", described(W), "NM")
    expect(*like)
    expect("x", described(x), "TBM", like)
    if b is not None:
        expect("b", described(b), "N", like)
    x = without_padding(x, lengths)
    (T, B, M), N = x.shape, W.shape[0]
    y = empty((T, B, N), x.dtype)
    product(x, W, y, T * B, N, M, "NT", bias=b)                                              # F1
    return without_padding(y, lengths), Cache(x, W, b, lengths)


def linear_backward(dy, cache):
    """dy (T, B, N), cache  ->  dx (T, B, M), dW (N, M), db (N,), None if there was no b."""
    x, W, b, lengths = cache
    (T, B, M), N = x.shape, W.shape[0]
    expect("dy", described(dy), "TBN", like=("W", described(W), "NM"))
    expect("dy", described(dy), "TBN", like=("x", described(x), "TBM"))
    dy, dx = without_padding(dy, lengths), empty((T, B, M), x.dtype)
    product(dy, W, dx, T * B, M, N, "NN")                                                    # B1
    parts = empty((-(-T * B // ROWS), N, M), x.dtype)
    product(dy, x, parts, N, M, T * B, "TN")                                                 # B2
    dW = sums(parts, N * M).reshape(N, M)
    return dx, dW, None if b is None else sums(dy, N)                                        # B3


def product(A, B, C, I, J, K, layout, bias=None):
    """C (I, J) = A B + bias, or, if C is (G, I, J), one product for each ROWS of the K terms.

    layout   "NT": A is (I, K), B is (J, K);  "NN": (I, K) and (K, J);  "TN": (K, I) and (K, J)
    """
    if CUBLAS:
        return cublas(A, B, C, I, J, K, layout, bias)
    tile, terms = SIDE * PER, ROWS if layout == "TN" else K
    blocks = -(-I // tile) * -(-J // tile) * -(-K // terms)
    bias = filled(0, (J,), C) if bias is None else bias
    launch(PRODUCT[layout, C.dtype], blocks * SIDE**2, SIDE**2, flat(A), flat(B), bias, flat(C), I, J, K, terms)


def cublas(A, B, C, I, J, K, layout, bias):
    """The same through CuPy, which takes Numba's arrays directly; nvmath-python does not."""
    import cupy
    A = cupy.asarray(A).reshape((K, I) if layout[0] == "T" else (I, K))
    B = cupy.asarray(B).reshape((J, K) if layout[1] == "T" else (K, J))
    A, B, C = A.T if layout[0] == "T" else A, B.T if layout[1] == "T" else B, cupy.asarray(C).reshape(-1, I, J)
    if len(C) == 1:
        cupy.matmul(A, B, out=C[0])
    else:
        G, whole = K // ROWS, K // ROWS * ROWS                 # first all products of ROWS terms, in one call
        cupy.matmul(A[:, :whole].reshape(I, G, ROWS).swapaxes(0, 1), B[:whole].reshape(G, ROWS, J), out=C[:G])
        if whole < K:
            cupy.matmul(A[:, whole:], B[whole:], out=C[G])
    if bias is not None:
        C += cupy.asarray(bias)


class Linear(Layer):
    """y[t] = W x[t] + b."""

    def __init__(self, parameters):
        self.parameters = parameters

    def forward(self, x, state=None, *, lengths=None, **unused):
        expect_known(unused)
        return linear_forward(x, self["W"], self["b"], lengths=lengths)

    def backward(self, dy, cache, *, overwrite=False):
        dx, dW, db = linear_backward(dy, cache)
        return dx, {"W": dW, "b": db}


# ---------------------------------------------------------------------------------------------------------
# Kernels

@cuda.jit(device=True)
def at(row, column, width):
    return uint64(row) * uint64(width) + uint64(column)


def _product(layout, dtype):
    """A block moves along K, SIDE terms at a time: it copies a piece of A and one of B into shared memory, where SIDE
    threads read each number. Adjacent threads read adjacent numbers: along K or, if K is the first axis, along I or J.
    A row of a piece is one longer than a tile, so that the writes of a column spread over the banks."""
    a_along_k, b_along_k = layout[0] == "N", layout[1] == "T"

    @cuda.jit
    def product(A, B, bias, C, I, J, K, terms):
        tile = SIDE * PER
        across, down = (J + tile - 1) // tile, (I + tile - 1) // tile
        block, thread = cuda.blockIdx.x, cuda.threadIdx.x
        i0, j0, g = block // across % down * tile, block % across * tile, block // (across * down)
        row, col = thread // SIDE, thread % SIDE
        low, high = g * terms, min((g + 1) * terms, K)
        a = cuda.shared.array((SIDE, TILE1), dtype)
        b = cuda.shared.array((SIDE, TILE1), dtype)
        c = cuda.local.array((PER, PER), dtype)
        for r in range(PER):
            for s in range(PER):
                c[r, s] = ZERO
        for k0 in range(low, high, SIDE):
            for r in range(PER):
                k, i = (col, row + r * SIDE) if a_along_k else (row, col + r * SIDE)
                p = at(i0 + i, k0 + k, K) if a_along_k else at(k0 + k, i0 + i, I)
                a[k, i] = A[p] if i0 + i < I and k0 + k < high else ZERO
                k, j = (col, row + r * SIDE) if b_along_k else (row, col + r * SIDE)
                p = at(j0 + j, k0 + k, K) if b_along_k else at(k0 + k, j0 + j, J)
                b[k, j] = B[p] if j0 + j < J and k0 + k < high else ZERO
            cuda.syncthreads()
            for k in range(SIDE):
                for r in range(PER):
                    for s in range(PER):
                        c[r, s] += a[uint64(k), uint64(row + r * SIDE)] * b[uint64(k), uint64(col + s * SIDE)]
            cuda.syncthreads()
        for r in range(PER):
            for s in range(PER):
                i, j = i0 + row + r * SIDE, j0 + col + s * SIDE
                if i < I and j < J:
                    C[at(g * I + i, j, J)] = c[r, s] + bias[j]

    return product


TILE1 = SIDE * PER + 1
PRODUCT = {(layout, dtype): _product(layout, from_dtype(dtype)) for layout in ("NT", "NN", "TN") for dtype in FLOATS}
