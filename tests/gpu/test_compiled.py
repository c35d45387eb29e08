"""Tiers 2 and 3 of the GPU kernels: what the CUDA compiler makes of them, looked at and executed without a GPU.

Tier 2   Every kernel compiles for three architectures; nothing is spilled to memory and the registers keep to a budget;
         a float32 kernel computes nothing in float64; the tuned kernels issue the loads of AHEAD steps together.
Tier 3   The PTX is executed by ptx.py, below the public functions of minindrnn.gpu, and compared with reference.py.
Faults   Kernels broken on purpose go through both; each must be noticed.

Each is a function of this file that runs in a process of its own, since compiling without a driver bends Numba:
`python test_compiled.py values` and so on. They print what they saw: `pytest -s` shows it. No compiler, no tiers: then
only the interpreter itself is tested.
"""
import inspect
import itertools
import re
import subprocess
import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import compiled
import ptx
import reference

CAPABILITIES = (7, 5), (8, 0), (9, 0)
REGISTERS = 64      # of a thread: four of the largest blocks, of 256, share a processor
FORMS, FLOATS = ("OBVIOUS", "TUNED"), (np.float32, np.float64)
ACTIVATIONS = sorted(reference.ACT)
RANKS = {"a": 3, "h": 3, "dh": 3, "da": 3, "h0": 2, "du": 2, "dh0": 2}         # for the obvious kernels; flat for the tuned
TOGETHER = {"forward": 8, "backward": 16}      # loads issued together: 8 steps of one array, and of two


# ---------------------------------------------------------------------------------------------------------
# The public functions with the interpreter below them.

class Device:
    """Stands in for `launch` of a module like minindrnn.gpu.recurrence: compiles the kernel, runs the PTX, counts."""

    def __init__(self, module, form):
        self.module, self.form, self.texts, self.counters = module, form, {}, {}
        module.launch = self.launch
        if form == "OBVIOUS":
            module.TUNED = {(name, np.dtype(dtype)): pair for name, pair in module.OBVIOUS.items() for dtype in FLOATS}

    def launch(self, kernel, *arrays):
        arguments = dict(zip(inspect.signature(kernel.py_func).parameters, arrays, strict=True))
        if self.form == "OBVIOUS":
            arguments = {name: array.reshape(self.shape[-RANKS[name]:]) if name in RANKS else array for name, array in arguments.items()}
        key = kernel, arrays[0].dtype
        if key not in self.texts:
            self.texts[key] = compiled.compile_ptx(kernel, arguments.values(), (8, 0))
        columns = self.shape[1] * self.shape[2]
        block = self.module.threads_of_a_block(columns)
        outputs = {"forward": ("h",), "backward": ("da", "du", "dh0")}[kernel.py_func.__name__]
        self.counters[kernel.py_func.__name__] = ptx.run(self.texts[key], arguments, -(-columns // block), block, outputs)

    def run(self, a, u, h0, dh, activation, lengths):
        """h, da, du, dh0."""
        self.shape = a.shape
        h, cache = self.module.indrnn_forward(a, u, h0, activation=activation, lengths=lengths)
        return h, *self.module.indrnn_backward(dh, cache)


def problems(dtype):
    """(name, a, u, h0, dh, lengths): sizes that leave something over at every border, and numbers that are none."""
    for name, (T, B, N), lengths in [("one of everything", (1, 1, 1), None), ("one step, two blocks", (1, 3, 13), None),
                                     ("one neuron", (9, 5, 1), [9, 1, 8, 7, 2]), ("one sequence", (16, 1, 33), None),
                                     ("ragged, two blocks", (19, 3, 13), [19, 8, 1]), ("full blocks", (9, 8, 32), None),
                                     ("NaN and inf", (11, 2, 5), [11, 9])]:
        rng = np.random.default_rng(T * B * N)
        a, dh = rng.normal(size=(2, T, B, N)).astype(dtype)
        if name == "NaN and inf":
            a[2, 0, 0], a[8, 1, 1], a[4, 0, 2], a[4, 1, 3] = np.nan, np.nan, np.inf, -np.inf
            dh[5, 0, 3], dh[7, 1, 2], dh[1, 0, 4] = np.nan, np.inf, -np.inf
        yield name, a, rng.uniform(-1.4, 1.4, N).astype(dtype), rng.normal(size=(B, N)).astype(dtype), dh, lengths


def differences(dtype, got, expected):
    """Names of the results that are not equal to rounding: 1e-13 or 1e-5 of the largest element."""
    tolerance = 1e-13 if dtype == np.float64 else 1e-5
    return [name for name, x, y in zip(("h", "da", "du", "dh0"), got, expected)
            if x.dtype != y.dtype or not np.allclose(x, y, rtol=0, equal_nan=True,
                                                     atol=tolerance * max([1.0, *abs(y[np.isfinite(y)])]))]


def in_float64(text):
    """The instructions on float64. A float32 kernel has none, since even the sum of du is float32, compensated."""
    return sorted({opcode for opcode in compiled.opcodes(text) if ".f64" in opcode})


def defect(module, form, activation, dtype):
    """(which check, what it says) of the first check that does not hold, or None."""
    device = Device(module, form)
    for name, a, u, h0, dh, lengths in problems(dtype):
        h, cache = reference.indrnn_forward(a, u, h0, activation=activation, lengths=lengths)
        try:
            with np.errstate(all="ignore"):
                got = device.run(a.copy(), u, h0, dh.copy(), activation, lengths)
        except ptx.PTXError as error:
            return "interpreter", f"{name}: {error}"
        wrong = differences(dtype, got, (h, *reference.indrnn_backward(dh, cache)))
        if wrong:
            return "values", f"{name}: {', '.join(wrong)}"
        if activation in ("relu", "identity"):
            before, steps = h0, np.full(len(h0), len(a)) if lengths is None else np.array(lengths)
            for t in range(len(a)):                            # a multiplication and an addition, rounded once
                with np.errstate(all="ignore"):
                    z = ptx.fma(np.broadcast_to(u, h0.shape).ravel(), before.ravel(), a[t].ravel()).reshape(h0.shape)
                before = z if activation == "identity" else np.where(z <= 0, dtype(0), z)
                if not np.array_equal(got[0][t][t < steps], before[t < steps], equal_nan=True):
                    return "bits", f"{name}: h[{t}]"
        if name == "full blocks":
            for direction, counters in device.counters.items():
                if ptx.SECTOR * counters["sectors"] > counters["bytes"]:
                    return "coalescing", f"{direction}: {counters['sectors']} sectors for {counters['bytes']} bytes"
        moved = sum(lengths) * a.shape[2] if lengths else a.size
        for direction, arrays in (("forward", 1), ("backward", 2)) if form == "TUNED" else ():
            if device.counters[direction]["loads"] > arrays * moved + 3 * h0.size:
                return "loads", f"{name}: {direction} loads something twice"
    for (kernel, _), text in device.texts.items():
        if dtype == np.float32 and (wide := in_float64(text)):
            return "opcodes", f"{kernel.py_func.__name__}: {', '.join(wide)}"
        if form == "TUNED" and compiled.tool("ptxas") and compiled.tool("nvdisasm"):
            together = compiled.loads_together(compiled.assemble(text, (8, 0))[1])
            if together < TOGETHER[kernel.py_func.__name__]:
                return "machine code", f"{kernel.py_func.__name__}: {together} loads together"
    return None


# ---------------------------------------------------------------------------------------------------------
# The tiers: each returns what is wrong, a line each.

def recurrence(old="", new=""):
    """A fresh copy of the module with the kernels, one piece of its source replaced wherever it occurs."""
    import minindrnn.gpu.recurrence as original
    source = Path(original.__file__).read_text()
    assert old in source, f"the module no longer contains {old!r}"
    module = types.ModuleType(original.__name__)
    exec(compile(source.replace(old, new), original.__file__, "exec"), module.__dict__)
    return module


def arguments_of(form, direction, dtype):
    """Arrays of the types that a kernel is called with, one element each."""
    three, two = (np.zeros((1,) * (rank if form == "OBVIOUS" else 1), dtype) for rank in (3, 2))
    one, steps = np.zeros(1, dtype), np.ones(1, np.int64)
    return (three, one, two, steps, three) if direction == "forward" else (three, one, two, three, steps, three, two, two)


def machine():
    """Tier 2."""
    wrong, module = [], recurrence()
    if not compiled.tool("ptxas"):
        print("not checked: registers, spills and the order of loads, for want of ptxas")
    elif not compiled.tool("nvdisasm"):
        print("not checked: the order of loads, for want of nvdisasm")
    print(f"{'kernel':35}" + "".join(f"{'sm_%d%d' % capability:>11}{'':4}" for capability in CAPABILITIES) + "   registers, loads together")
    for form, activation, dtype, direction in itertools.product(FORMS, ACTIVATIONS, FLOATS, ("forward", "backward")):
        pair = module.OBVIOUS[activation] if form == "OBVIOUS" else module.TUNED[activation, np.dtype(dtype)]
        kernel = pair[direction == "backward"]
        name = f"{form.lower()} {activation} {direction} {dtype.__name__}"
        row = f"{name:35}"
        for capability in CAPABILITIES:
            text = compiled.compile_ptx(kernel, arguments_of(form, direction, dtype), capability)
            where = f"{name} sm_%d%d: " % capability
            if dtype == np.float32 and (wide := in_float64(text)):
                wrong.append(where + ", ".join(wide))
            if not compiled.tool("ptxas"):
                continue
            figures, code = compiled.assemble(text, capability)
            row += f"{figures['registers']:>11}"
            if figures["registers"] > REGISTERS or figures["stack"] or figures["spills"]:
                wrong.append(where + str(figures))
            if form == "TUNED" and compiled.tool("nvdisasm"):
                together = compiled.loads_together(code)
                row += f"{together:4}"
                if together < TOGETHER[direction]:
                    wrong.append(where + f"{together} loads together")
        print(row)
    return wrong


def values():
    """Tier 3."""
    wrong = []
    for form, activation, dtype in itertools.product(FORMS, ACTIVATIONS, FLOATS):
        found = defect(recurrence(), form, activation, dtype)
        print(f"{form} {activation} {dtype.__name__}: {found or 'as the reference'}")
        wrong += [f"{form} {activation} {dtype.__name__}: {found}"] if found else []
    return wrong


FAULTS = [
    ("OBVIOUS", "relu", "no bounds guard", "        if i >= B * N:\n            return\n", ""),
    ("OBVIOUS", "relu", "forward one step too far", "range(steps[b]):", "range(steps[b] + 1):"),
    ("OBVIOUS", "relu", "backward one step too far", "range(steps[b] - 1, -1, -1)", "range(steps[b], -1, -1)"),
    ("OBVIOUS", "relu", "backward one step too few", "range(steps[b] - 1, -1, -1)", "range(steps[b] - 1, 0, -1)"),
    ("OBVIOUS", "relu", "every sequence writes row 0 of h", "h[t, b, n] = before", "h[t, 0, n] = before"),
    ("OBVIOUS", "relu", "every sequence writes row 0 of du", "du[b, n] = total", "du[0, n] = total"),
    ("OBVIOUS", "relu", "h[t] for h[t-1] in du", "(h[t - 1, b, n] if", "(h[t, b, n] if"),
    ("OBVIOUS", "relu", "carry without u", "carry = w * dz", "carry = dz"),
    ("OBVIOUS", "relu", "neighbouring threads far apart", "b, n = i // N, i % N", "b, n = i % B, i // B"),
    ("OBVIOUS", "relu", "NaN becomes 0", "ZERO if z <= ZERO else z", "max(z, ZERO)"),
    ("OBVIOUS", "sigmoid", "constants of Python's float", "(np.float32(0), np.float32(1))", "(0.0, 1.0)"),
    ("TUNED", "relu", "no bounds guard", "        if i >= columns:\n            return\n", ""),
    ("TUNED", "relu", "forward one step too far", "range(T % AHEAD):", "range(T % AHEAD + 1):"),
    ("TUNED", "relu", "backward a pass too far", "range((T - 1) // AHEAD)", "range((T + 7) // AHEAD)"),
    ("TUNED", "relu", "every sequence writes row 0 of du", "du[i] = total", "du[i % u.size] = total"),
    ("TUNED", "relu", "dh0 not written", "        dh0[i] = carry ", "        carry += carry "),
    ("TUNED", "relu", "da read in place of h", "        now = h[p]\n        dahead", "        now = da[p]\n        dahead"),
    ("TUNED", "relu", "h[t] for h[t-1] in du", "p -= stride\n                now = h[p]\n", "now = h[p]\n                p -= stride\n"),
    ("TUNED", "relu", "carry without u", "carry = w * dz", "carry = dz"),
    ("TUNED", "relu", "wrong stride ahead", "a[p + uint64(k) * stride]", "a[p + uint64(k) * uint64(u.size)]"),
    ("TUNED", "relu", "wrong stride", "p += stride", "p += uint64(u.size)"),
    ("TUNED", "relu", "NaN becomes 0", "ZERO if z <= ZERO else z", "max(z, ZERO)"),
    ("TUNED", "tanh", "constants of Python's float", "(np.float32(0), np.float32(1))", "(0.0, 1.0)"),
    ("TUNED", "relu", "loads not ahead", "AHEAD = 8 ", "AHEAD = 4 "),
]


def faults():
    """Kernels broken on purpose."""
    wrong = []
    for form, activation, name, old, new in FAULTS:
        found = defect(recurrence(old, new), form, activation, np.float32)
        print(f"{form:8} {name:36} {found[0] + ': ' + found[1] if found else 'NOT NOTICED'}")
        seen = found or (name == "loads not ahead" and not (compiled.tool("ptxas") and compiled.tool("nvdisasm")))
        wrong += [] if seen else [f"{form} {name}: not noticed"]
    return wrong


TIERS = {"machine": machine, "values": values, "faults": faults}


@pytest.mark.parametrize("tier", TIERS)
def test_compiled_kernels(tier):
    if reason := compiled.available():
        pytest.skip(reason)
    done = subprocess.run([sys.executable, __file__, tier], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    if missing := re.search("^not checked: .*", done.stdout, re.MULTILINE):
        pytest.skip(missing.group())


# ---------------------------------------------------------------------------------------------------------
# The interpreter itself, which needs no compiler.

@pytest.mark.parametrize("dtype", FLOATS)
def test_fused_multiply_add_is_rounded_once(rng, dtype):
    """No neighbour of the result is nearer to the exact value."""
    digits = np.finfo(dtype).nmant
    a, b = (1 + rng.integers(0, 1 << 12, (2, 600)) * 2.0 ** -rng.integers(10, digits, (2, 600))).astype(dtype)
    c = (rng.choice([-1, 1], 600) * 2.0 ** rng.integers(-3 * digits, 3, 600)).astype(dtype)
    a[1::7] *= dtype(2.0 ** -(120 if dtype == np.float32 else 1015))
    c[::3] = -(a * b)[::3]                                     # leaves what the product's rounding would have lost
    for x, y, z, got in zip(a, b, c, ptx.fma(a, b, c)):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        for neighbour in np.nextafter(got, np.array([-np.inf, np.inf], dtype)):
            assert abs(Fraction(float(got)) - exact) <= abs(Fraction(float(neighbour)) - exact), (x, y, z, got)


@pytest.mark.parametrize("dtype, a, b, digits", [(np.float32, 24929, 673, 24), (np.float64, 321, 28059810762433, 53)])
def test_a_hair_beside_the_middle_decides(dtype, a, b, digits):
    """The product is the middle between 1 and the next number; rounding twice would forget c and take 1 every time."""
    assert a * b == 2**digits + 1
    a, b, hair = np.full(3, a, dtype), np.full(3, b * 2.0**-digits, dtype), np.array([2.0**-120, 0, -2.0**-120], dtype)
    assert list(ptx.fma(a, b, hair)) == [1 + np.finfo(dtype).eps, 1, 1]
    assert list(ptx.fma(-a, b, -hair)) == [-1 - np.finfo(dtype).eps, -1, -1]
    if dtype == np.float32:
        assert list(ptx.fma(a, b, hair, downwards=True)) == [1, 1, 1]
        assert list(ptx.fma(-a, b, -hair, downwards=True)) == [-1 - np.finfo(dtype).eps] * 3


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
    (4, 128, 32, 1, (), r"^shift: st.global.f32 \[%rd7\+128\], %f1;: out of bounds, 320 bytes from the start of x, in thread 16$"),
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


if __name__ == "__main__":
    failures = TIERS[sys.argv[1]]()
    sys.exit("\n".join(failures) if failures else 0)
