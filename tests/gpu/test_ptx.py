"""The interpreter of PTX is right and notices what it says: its arithmetic, a program by hand, and small kernels as the
compiler makes them, whole and broken on purpose.

The kernels (samples.py) need the compiler, and a process of their own, since compiling without a driver bends Numba:
`python test_ptx.py`; pytest -s shows what it prints. All else runs everywhere.
"""
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tutorial6

sys.path[:0] = [str(Path(__file__).parent)]
import ptx
import ptx_arithmetic
import samples
from kernels import copied
from ptx_arithmetic import fma
from ptx_memory import PTXError

from minindrnn.gpu import compiler

FLOATS = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", FLOATS)
def test_fused_multiply_add_is_rounded_once(rng, dtype):
    """No neighbour of the result is nearer to the exact value."""
    digits = np.finfo(dtype).nmant
    a, b = (1 + rng.integers(0, 1 << 12, (2, 600)) * 2.0 ** -rng.integers(10, digits, (2, 600))).astype(dtype)
    c = (rng.choice([-1, 1], 600) * 2.0 ** rng.integers(-3 * digits, 3, 600)).astype(dtype)
    a[1::7] *= dtype(2.0 ** -(120 if dtype == np.float32 else 1015))
    c[::3] = -(a * b)[::3]                                     # leaves what the product's rounding would have lost
    for x, y, z, got in zip(a, b, c, fma(a, b, c)):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        for neighbour in np.nextafter(got, np.array([-np.inf, np.inf], dtype)):
            assert abs(Fraction(float(got)) - exact) <= abs(Fraction(float(neighbour)) - exact), (x, y, z, got)


@pytest.mark.parametrize("dtype, a, b, digits", [(np.float32, 24929, 673, 24), (np.float64, 321, 28059810762433, 53)])
def test_a_hair_beside_the_middle_decides(dtype, a, b, digits):
    """The product is the middle between 1 and the next number; rounding twice would forget c and take 1 every time."""
    assert a * b == 2**digits + 1
    a, b, hair = np.full(3, a, dtype), np.full(3, b * 2.0**-digits, dtype), np.array([2.0**-120, 0, -2.0**-120], dtype)
    assert list(fma(a, b, hair)) == [1 + np.finfo(dtype).eps, 1, 1]
    assert list(fma(-a, b, -hair)) == [-1 - np.finfo(dtype).eps, -1, -1]
    if dtype == np.float32:
        assert list(fma(a, b, hair, downwards=True)) == [1, 1, 1]
        assert list(fma(-a, b, -hair, downwards=True)) == [-1 - np.finfo(dtype).eps] * 3


def test_whole_numbers_are_those_of_python(rng):
    """Products in twice the bits, their halves, rotations, and conversions, beside integers without end."""
    for kind in (np.int32, np.uint32, np.int64, np.uint64):
        bits, limits = 8 * np.dtype(kind).itemsize, np.iinfo(kind)
        a, b = rng.integers(limits.min, limits.max, (2, 50), kind, endpoint=True)
        a[:3], b[:3] = limits.min, (limits.min, limits.max, 1)
        products = [int(x) * int(y) for x, y in zip(a, b)]
        operations = ptx_arithmetic.OPERATIONS
        with np.errstate(over="ignore"):
            assert [int(x) % 2**bits for x in operations["mul.lo"](a, b)] == [x % 2**bits for x in products]
            assert [int(x) for x in operations["mul.hi"](a, b)] == [x >> bits for x in products]
            if bits == 32:
                c = rng.integers(-2**60, 2**60, 50)
                assert [int(x) for x in operations["mul.wide"](a, b)] == products
                assert [int(x) % 2**64 for x in operations["mad.wide"](a, b, c)] == \
                    [(x + int(y)) % 2**64 for x, y in zip(products, c)]
            b[b == 0] = 1
            quotients = [abs(int(x)) // abs(int(y)) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a, b)]
            small = [i for i, x in enumerate(quotients) if x <= limits.max]
            assert [int(x) for x in operations["div"](a[small], b[small])] == [quotients[i] for i in small]
            assert [int(x) for x in operations["rem"](a[small], b[small])] == \
                [int(a[i]) - quotients[i] * int(b[i]) for i in small]
    a, by = rng.integers(0, 2**32, 40, np.uint32), np.arange(40, dtype=np.uint32)
    assert [int(x) for x in ptx_arithmetic.rotated(a, a, by)] == \
        [(int(x) << k | int(x) >> 32 - k) % 2**32 for x, k in zip(a, (by % 32).tolist())]


def test_a_float_beyond_the_integers_becomes_the_last_of_them():
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 1e19, -1e19, 2.0**31 - 1, 7])
    assert list(ptx_arithmetic.converted(x, np.int32)) == \
        [0, *[2**31 - 1, -2**31] * 3, 2**31 - 1, 7]
    assert list(ptx_arithmetic.converted(x, np.uint32)) == [0, 2**32 - 1, 0, 3 * 10**9, 0, 2**32 - 1, 0, 2**31 - 1, 7]
    assert list(ptx_arithmetic.converted(x[:7], np.int64)) == \
        [0, 2**63 - 1, -2**63, 3 * 10**9, -3 * 10**9, 2**63 - 1, -2**63]


# ---------------------------------------------------------------------------------------------------------
# A program by hand: every thread copies a number from its place to a place further on.

PROGRAM = """
.visible .entry shift(
""" + ",\n".join(f"    .param .u64 shift_param_{i}" for i in range(9)) + """
)
{
    .reg .f32 %f<2>;
    .reg .b32 %r<2>;
    .reg .b64 %rd<8>;
    ld.param.u64 %rd1, [shift_param_4];
    ld.param.u64 %rd2, [shift_param_7];
    ld.param.u64 %rd3, [shift_param_8];
    mov.u32 %r1, %tid.x;
    cvt.u64.u32 %rd4, %r1;
    mul.lo.s64 %rd5, %rd4, %rd2;
    add.s64 %rd6, %rd5, %rd3;
    add.s64 %rd7, %rd1, %rd6;
    ld.global.f32 %f1, [%rd7];
    st.global.f32 [%rd7+128], %f1;
    ret;
}
"""


@pytest.mark.parametrize("stride, offset, block, grid, outputs, message", [
    (4, 0, 32, 1, (), None),
    (4, 128, 32, 1, (),
     r"^shift: st.global.f32 \[%rd7\+128\], %f1;: out of bounds, 320 bytes from the start of x, in thread 16$"),
    (-4, 0, 32, 1, (), r"ld.global.*out of bounds, -4 bytes from the start of x, in thread 1$"),
    (4, 2, 32, 1, (), r"misaligned, 2 bytes from the start of x, in thread 0$"),
    (4, 0, 32, 1, ("x",), r"ld.global.*reads what was never written"),
    (0, 0, 32, 1, (), r"st.global.*data race with a thread that writes now"),
    (4, 0, 33, 1, (), r"st.global.*data race with a thread that read"),
    (4, 0, 32, 2, (), r"st.global.*data race with a thread that wrote, 128 bytes from the start of x, in thread 32$"),
    (4, 0, 1025, 1, (), r"^shift: a block of 1025 threads"),
])
def test_the_interpreter_notices(stride, offset, block, grid, outputs, message):
    x = np.arange(80, dtype=np.float32)
    arguments = {"x": x, "stride": stride, "offset": offset}
    if message:
        with pytest.raises(ptx.PTXError, match=message):
            ptx.run(PROGRAM, arguments, grid, block, outputs)
    else:
        counters = ptx.run(PROGRAM, arguments, grid, block, outputs)
        assert list(x) == [*range(32), *range(32), *range(64, 80)]
        assert counters == {"instructions": 32 * 11, "loads": 32, "stores": 32, "bytes": 256, "sectors": 8}


# ---------------------------------------------------------------------------------------------------------
# Another: x backwards, through shared memory.

BACKWARDS = """
.visible .shared .align 4 .b8 tile[128];
.visible .entry backwards(
""" + ",\n".join(f"    .param .u64 backwards_param_{i}" for i in range(7)) + """
)
{
    .reg .pred %p<2>;
    .reg .f32 %f<3>;
    .reg .b32 %r<4>;
    .reg .b64 %rd<9>;
    ld.param.u64 %rd1, [backwards_param_4];
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, %ctaid.x;
    setp.lt.u32 %p1, %r1, 16;
    mul.wide.u32 %rd2, %r1, 4;
    mul.wide.u32 %rd3, %r2, 128;
    add.s64 %rd4, %rd1, %rd2;
    add.s64 %rd4, %rd4, %rd3;
    mov.u64 %rd5, tile;
    add.s64 %rd6, %rd5, %rd2;
    sub.s64 %rd7, %rd5, %rd2;
    ld.global.f32 %f1, [%rd4];
    st.shared.f32 [%rd6], %f1;
    bar.sync 0;
    ld.shared.f32 %f2, [%rd7+124];
    st.global.f32 [%rd4], %f2;
    ret;
}
"""


@pytest.mark.parametrize("old, new, message", [
    ("bar.sync 0;", "",
     r"ld.shared.f32 %f2, \[%rd7\+124\];: data race with a thread that wrote, 124 bytes from the start of tile, "
                        r"in thread 0$"),
    ("bar.sync 0;", "@%p1 bar.sync 0;",
     r"ld.shared.*data race with a thread that wrote, 60 bytes from the start of tile, in thread 16$"),
    ("ret;", "@%p1 bar.sync 0;\n    ret;",
     r"^backwards: @%p1 bar.sync 0;: a barrier for 16 of 32 threads; thread 16 does not come$"),
    ("bar.sync 0;", "@%p1 ret;\n    bar.sync 0;", r"a barrier for 16 of 32 threads; thread 0 does not come$"),
    ("bar.sync 0;", "@%p1 bra L;\n    bar.sync 0;\nL:\n    bar.sync 0;",
     r"a barrier for 16 of 32 threads; thread 0 does not"),
    ("st.shared", "@%p1 st.shared",
     r"ld.shared.*reads what was never written, 124 bytes from the start of tile, in thread 0$"),
    ("+124]", "+128]", r"ld.shared.*out of bounds, 128 bytes from the start of tile, in thread 0$"),
    ("+124]", "+122]", r"ld.shared.*misaligned, 122 bytes from the start of tile, in thread 0$"),
    ("%rd1, %rd2;", "%rd1, 0;",
     r"st.global.*data race with a thread that writes now, 0 bytes from the start of x, in thread 0$"),
    ("st.global.f32 [%rd4], %f2", "st.global.f32 [%rd1], %f2", r"st.global.*data race with a thread that"),
    (".b8 tile[128]", ".b8 tile[49156]", r"^backwards: 49156 bytes of shared memory; a block has 49152$"),
    ("ret;", "bar.sync 1;\n    ret;", r"bar.sync 1;: this instruction is not known here$"),
])
def test_the_interpreter_notices_in_shared_memory(old, new, message):
    assert old in BACKWARDS
    with pytest.raises(PTXError, match=message):
        ptx.run(BACKWARDS.replace(old, new), {"x": np.arange(64, dtype=np.float32)}, 2, 32)


def test_barriers_put_the_threads_of_a_block_in_order_but_no_blocks():
    """The same through global memory: right within a block, a race where blocks share the place."""
    through = BACKWARDS.replace("st.shared.f32 [%rd6]", "st.global.f32 [%rd4]").replace("ld.shared", "ld.global")
    through = through.replace("mov.u64 %rd5, tile", "add.s64 %rd5, %rd1, %rd3")
    barriers = through.replace("    st.global.f32 [%rd4], %f2", "    bar.sync 0;\n    st.global.f32 [%rd4], %f2")
    x = np.arange(64, dtype=np.float32)
    with pytest.raises(PTXError,
                       match="st.global.*data race with a thread that read, 0 bytes from the start of x, in thread 0"):
        ptx.run(through, {"x": x}, 2, 32)
    ptx.run(barriers, {"x": x}, 2, 32)
    assert list(x) == [*range(31, -1, -1), *range(63, 31, -1)]
    with pytest.raises(PTXError,
                       match="data race with a thread that (wrote|read), 0 bytes from the start of x, in thread 32"):
        ptx.run(barriers.replace("mul.wide.u32 %rd3, %r2, 128", "mul.wide.u32 %rd3, %r2, 0"), {"x": x}, 2, 32)


def test_shared_memory_is_counted():
    """A warp asks twice a block, and every word lies in a bank of its own; where all lie in one, 32 passes."""
    x = np.arange(64, dtype=np.float32)
    counters = ptx.run(BACKWARDS, {"x": x}, 2, 32)
    assert list(x) == [*range(31, -1, -1), *range(63, 31, -1)]
    assert counters["accesses"] == counters["passes"] == 4 and counters["barriers"] == 2
    same = BACKWARDS.replace("[128]", "[4096]").replace("mul.wide.u32 %rd2, %r1, 4", "mul.wide.u32 %rd2, %r1, 128")
    counters = ptx.run(same.replace("+124]", "+3968]"), {"x": np.zeros(1024, np.float32)}, 1, 32)
    assert counters["accesses"] == 2 and counters["passes"] == 64


# ---------------------------------------------------------------------------------------------------------
# Compiled kernels: a product of matrices by tiles, a sum by halves, generators of random numbers.

def check_product(module, rng):
    conflicts = 0
    for M, K, N in ((1, 1, 1), (8, 8, 8), (13, 21, 10), (9, 7, 17)):
        a, b = rng.normal(size=(M, K)).astype(np.float32), rng.normal(size=(K, N)).astype(np.float32)
        c, tile = np.zeros((M, N), np.float32), samples.TILE
        counters = executed(module.product, {"a": a, "b": b, "c": c}, (-(-N // tile), -(-M // tile)),
                            (tile, tile), ("c",))
        assert np.allclose(c, a @ b, rtol=0, atol=1e-5), f"values of {M} x {K} x {N}"
        conflicts += counters["passes"] - counters["accesses"]
    assert conflicts == 0, f"{conflicts} passes more than accesses"


def check_sum(module, rng):
    for size, threads in ((1, 32), (64, 64), (150, 64)):
        x, blocks = rng.normal(size=size).astype(np.float32), -(-size // threads)
        sums = np.zeros(blocks, np.float32)
        executed(module.block_sum, {"x": x, "sums": sums}, blocks, threads, ("sums",), 4 * threads)
        parts = [x[i:i + threads].sum() for i in range(0, size, threads)]
        assert np.allclose(sums, parts, rtol=0, atol=1e-5), f"values of {size}"


def check_numbers(module, rng):
    out = np.zeros(40, np.uint64)
    executed(module.splitmix, {"seed": 1234567, "out": out}, 2, 32, ("out",))
    mask, expected = 2**64 - 1, []
    for i in range(1, 41):
        z = 1234567 + i * 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        expected.append(z ^ z >> 31)
    assert [int(z) for z in out] == expected and expected[0] == 6457827717110365317, "values"
    x, out = rng.integers(0, 2**32, 40, np.uint32), np.zeros(40, np.uint32)
    executed(module.avalanche, {"x": x, "out": out}, 2, 32, ("out",))
    expected = []
    for z in map(int, x):
        z = (z ^ z >> 16) * 0x85EBCA6B % 2**32
        z = (z ^ z >> 13) * 0xC2B2AE35 % 2**32
        expected.append(z ^ z >> 16)
    assert [int(z) for z in out] == expected, "values"
    x, positive, out = rng.integers(-2**62, 2**62, 40), np.zeros(40, bool), np.zeros(40, np.int64)
    executed(module.thirds, {"x": x, "positive": positive, "out": out}, 2, 32, ("positive", "out"))
    assert np.array_equal(out, x // 3 + x % 7) and np.array_equal(positive, x > 0), "values"


def executed(kernel, arguments, *launch):
    return ptx.run(compiler.compile_ptx(kernel, arguments.values(), (8, 0)), arguments, *launch)


BARRIER = "        cuda.syncthreads()                                     # both tiles "
FAULTS = [
    (check_product, "the first barrier is missing", BARRIER + "are", "  #", "data race"),
    (check_product, "the second barrier is missing", BARRIER + "were", "  #", "data race"),
    (check_product, "a barrier in a branch", BARRIER + "were", "        if row < a.shape[0]:\n    " + BARRIER,
     "a barrier for"),
    (check_product, "leaves before the barrier", "    total = ZERO\n",
     "    total = ZERO\n    if row >= a.shape[0]:\n        return\n", "a barrier for"),
    (check_product, "every other row of a", "a[row, first + j]", "a[row * 2, first + j]", "out of bounds"),
    (check_product, "two threads fill one place", "y[i, j] = ", "y[i, j // 2] = ", "data race"),
    (check_product, "a column is not filled", "        y[i, j] = ", "        if j > 0:\n            y[i, j] = ",
     "never written"),
    (check_product, "the tile of b turned", "x[i, k] * y[k, j]", "x[i, k] * y[j, k]", "values"),
    (check_product, "rows of a tile too far apart", "x[i, k]", "x[i + 1, k]", "out of bounds"),
    (check_product, "tiles overlap", "range(0, a.shape[1], TILE)", "range(0, a.shape[1], TILE // 2)", "values"),
    (check_product, "no check of a's columns", "row < a.shape[0] and first + j < a.shape[1]", "row < a.shape[0]",
     "out of bounds"),
    (check_product, "no check of c", "    if row < c.shape[0] and column < c.shape[1]:", "    if row >= 0:",
     "out of bounds"),
    (check_product, "rows of a tile in one bank", "array((TILE, TILE), float32), ", "array((TILE, 32), float32), ",
     "passes more"),
    (check_product, "more shared memory than there is", "array((TILE, TILE), float32), ", "array((512, 32), float32), ",
     "a block has"),
    (check_sum, "no barrier after filling", "else ZERO\n    cuda.syncthreads()\n    half", "else ZERO\n    half",
     "data race"),
    (check_sum, "no barrier between the halves", "        cuda.syncthreads()\n        half", "        half",
     "data race"),
    (check_sum, "a barrier in a branch", "part[t + half]\n        cuda", "part[t + half]\n            cuda",
     "a barrier for"),
    (check_sum, "the last half is left out", "while half > 0", "while half > 1", "values"),
    (check_sum, "one thread too many", "if t < half", "if t <= half", "out of bounds"),
    (check_sum, "one place further", "part[t] = ", "part[t + 1] = ", "out of bounds"),
    (check_sum, "nothing beyond the end", "    part[t] = x[i] if i < x.size else ZERO\n",
     "    if i < x.size:\n        part[t] = x[i]\n", "never written"),
    (check_numbers, "a shift too short", "uint64(30)", "uint64(29)", "values"),
    (check_numbers, "a factor of 32 bits", "uint64(0xBF58476D1CE4E5B9)", "uint64(0x1CE4E5B9)", "values"),
]


def compiled_samples():
    """What is wrong, a line each."""
    wrong = []
    for check in (check_product, check_sum, check_numbers):
        check(copied("samples"), np.random.default_rng(0))
    for check, name, old, new, expected in FAULTS:
        try:
            check(copied("samples", old, new), np.random.default_rng(0))
            said = "NOT NOTICED"
        except (PTXError, AssertionError) as error:
            said = str(error).splitlines()[0]
        print(f"{check.__name__[6:]:8} {name:32} {said}")
        wrong += [] if expected in said else [f"{name}: expected {expected}: {said}"]
    return wrong


def test_compiled_samples():
    if reason := compiler.missing():
        pytest.skip(reason)
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    failures = compiled_samples()
    sys.exit("\n".join(failures) if failures else 0)
