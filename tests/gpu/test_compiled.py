"""Tiers 2 and 3 of the GPU kernels: what the CUDA compiler makes of them, looked at and executed without a GPU.

Tier 2   Every kernel compiles for four architectures; nothing is spilled to memory and the registers keep to a budget;
         a float32 kernel computes nothing in float64; the tuned kernels issue the loads of AHEAD steps together;
         a product is rounded alike at every step, wherever a sequence is cut.
Tier 3   The PTX is executed by ptx.py, below the public functions of minindrnn.gpu, and compared with reference.py.
         The other kernels go the same way, operation by operation and in whole steps of training, beside the CPU.
Faults   Kernels broken on purpose: a table tells which tiers must notice each. In tier 1, the simulator, they go
         through the contract or the same operations.

Each is a function of this file that runs in a process of its own, since compiling without a driver bends Numba:
`python test_compiled.py values` and so on. They print what they saw: `pytest -s` shows it. No compiler, no tiers.
"""
import itertools
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "gpu"), str(TESTS)]
import kernels
import operations
import ptx
import reference
from kernels import FLOATS, KERNELS, Interpreter
from ptx_arithmetic import fma
from ptx_memory import PTXError

from minindrnn.gpu import compiler
from minindrnn.gpu.recurrence import AHEAD

# Registers of a thread, at most: four of the largest blocks, of 256, share a processor; three on sm_100, in float64.
REGISTERS = {(7, 5): 64, (8, 0): 64, (9, 0): 64, (10, 0): 80}
FORMS, ACTIVATIONS = ("OBVIOUS", "TUNED"), sorted(reference.ACT)


# ---------------------------------------------------------------------------------------------------------
# Tier 2: one kernel.

def in_float64(text):
    """The instructions on float64. A float32 kernel has none, since even the sum of du is float32, compensated."""
    return sorted({name for name, _ in compiler.instructions(text) if name and ".f64" in name})


def in_32_bits(text):
    """The instructions on the way to an address of global memory that leave 32 bits: beyond 2^31 it is another address.
    Not counted: the number of a thread or a block, and quotients and remainders, which the compiler takes in 32 bits
    where both numbers fit."""
    makers, waiting, seen, found = defaultdict(list), [], set(), set()
    for line, _, _, operation, types, _, operands in ptx.parse(text)[4]:
        if operation in ("ld.global", "st.global"):
            waiting += re.findall(r"%rd\d+", operands[operation == "ld.global"])
        if operands and not operation.startswith("st."):
            for register in re.findall(r"%\w+", operands[0]):
                makers[register].append((line, operation, types, operands[1:]))

    def divides(register):
        return any(operation in ("div", "rem") or operation == "mul.lo" and divides(sources[0])
                   for _, operation, _, sources in makers[register])

    def cuts(register, operation, types, sources):
        if not register.startswith("%rd"):
            return operation not in ("mov", "and", "shr")      # which make no number larger
        if operation in ("and", "shl") and not sources[1].startswith("%"):
            return int(sources[1]) >= (2**31 if operation == "and" else 31)
        return operation == "cvt" and sources[0].startswith("%rd") and types[-1]().itemsize < 8

    while waiting:
        register = waiting.pop()
        for line, operation, types, sources in () if register in seen else makers[register]:
            divided = operation in ("div", "rem") or operation == "sub" and divides(sources[1])
            if operation.startswith("ld.") or divided and not register.startswith("%rd"):
                continue
            if cuts(register, operation, types, sources):
                found.add(line)
            waiting += [source for source in sources if re.match(r"%r", source)]
        seen.add(register)
    return sorted(found)


def looked_at(row, module, dtype, capability):
    """(what the compiler says, what is wrong with it) of the row's kernel in the module."""
    text = compiler.compile_ptx(row.of(module, dtype), tuple(row.arguments(dtype)), capability)
    wrong = [", ".join(in_float64(text))] if dtype == np.float32 and in_float64(text) else []
    wrong += [f"an address in 32 bits: {line}" for line in in_32_bits(text)]
    if not compiler.tool("ptxas"):
        return {}, wrong
    figures, code = compiler.assemble(text, capability)
    most = max(REGISTERS[capability], row.registers[FLOATS.index(dtype)])
    if figures["registers"] > most or figures["stack"] or figures["spills"]:
        wrong.append(str(figures))
    sums = row.name.endswith("identity backward")              # of products, and nothing else
    code = compiler.disassemble(code) if (row.together or sums) and compiler.tool("nvdisasm") else ""
    if code and row.together:
        figures["together"] = compiler.loads_together(code)
        wrong += [f"{figures['together']} loads together"] if figures["together"] < row.together else []
    if sums and (alone := len(re.findall(r"\b[FD]MUL\b", code))):
        wrong.append(f"{alone} products on their own, the others in one instruction with a sum")
    return figures, wrong


# ---------------------------------------------------------------------------------------------------------
# Tier 3: the public functions with the interpreter below them.

def problems(dtype):
    """(name, a, u, h0, dh, lengths): sizes that leave something over at every border, and numbers that are none."""
    for name, (T, B, N), lengths in [("one of everything", (1, 1, 1), None), ("one step, two blocks", (1, 3, 13), None),
                                     ("one neuron", (9, 5, 1), [9, 1, 8, 7, 2]),
                                     ("one sequence", (2 * AHEAD, 1, 33), None),
                                     ("ragged, two blocks", (2 * AHEAD + 1, 5, 9),
                                      [2 * AHEAD + 1, 2 * AHEAD, AHEAD + 1, AHEAD, 1]),
                                     ("full blocks", (9, 8, 32), None),
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


def executed(form, activation, dtype, old="", new=""):
    """What is wrong with the recurrence, or None; first piece of its source replaced by the second."""
    interpreter, module = Interpreter().install(), kernels.recurrence(form, old, new)
    for name, a, u, h0, dh, lengths in problems(dtype):
        h, cache = reference.indrnn_forward(a, u, h0, activation=activation, lengths=lengths)
        try:
            with np.errstate(all="ignore"):
                got, ours = module.indrnn_forward(a.copy(), u, h0, activation=activation, lengths=lengths)
                got = (got, *module.indrnn_backward(dh.copy(), ours))
        except PTXError as error:
            return f"{name}: {error}"
        wrong = differences(dtype, got, (h, *reference.indrnn_backward(dh, cache)))
        if wrong:
            return f"{name}: values of {', '.join(wrong)}"
        if activation in ("relu", "identity"):
            before, steps = h0, np.full(len(h0), len(a)) if lengths is None else np.array(lengths)
            for t in range(len(a)):                            # a multiplication and an addition, rounded once
                with np.errstate(all="ignore"):
                    z = fma(np.broadcast_to(u, h0.shape).ravel(), before.ravel(), a[t].ravel()).reshape(h0.shape)
                before = z if activation == "identity" else np.where(z <= 0, dtype.type(0), z)
                if not np.array_equal(got[0][t][t < steps], before[t < steps], equal_nan=True):
                    return f"{name}: bits of h[{t}]"
        if name == "full blocks":
            for (_, kernel), counters in interpreter.counters.items():
                if ptx.SECTOR * counters["sectors"] > counters["bytes"]:
                    return f"{name}: {kernel}: {counters['sectors']} sectors for {counters['bytes']} bytes"
        moved = sum(lengths) * a.shape[2] if lengths else a.size
        for direction, arrays in (("forward", 1), ("backward", 2)) if form == "TUNED" else ():
            loads = interpreter.counters["recurrence", f"_tuned.<locals>.{direction}"]["loads"]
            if loads > arrays * moved + 3 * h0.size:
                return f"{name}: {direction} loads something twice"
    return None


# ---------------------------------------------------------------------------------------------------------
# The tiers: each returns what is wrong, a line each.

def machine():
    """Tier 2."""
    wrong = []
    if not compiler.tool("ptxas"):
        print("not checked: registers, spills and the order of loads, for want of ptxas")
    elif not compiler.tool("nvdisasm"):
        print("not checked: the order of loads, for want of nvdisasm")
    heads = (f"{'sm_%d%d' % capability:>8}    " for capability in REGISTERS)
    print(f"{'registers (and loads together)':48}" + "".join(heads))
    for row, dtype in itertools.product(KERNELS, FLOATS):
        module, line = kernels.copied(f"minindrnn.gpu.{row.module}"), f"{row.module} {row.name} {dtype}"
        for capability in REGISTERS:
            figures, found = looked_at(row, module, dtype, capability)
            line = f"{line:48}{figures.get('registers', ''):>8}{figures.get('together', ''):>4}"
            wrong += [f"{row.module} {row.name} {dtype} sm_{capability[0]}{capability[1]}: {complaint}"
                      for complaint in found]
        print(line)
    return wrong


def values():
    """Tier 3."""
    wrong = []
    for form, activation, dtype in itertools.product(FORMS, ACTIVATIONS, FLOATS):
        found = executed(form, activation, dtype)
        print(f"{form} {activation} {dtype}: {found or 'as the reference'}")
        wrong += [f"{form} {activation} {dtype}: {found}"] if found else []
    return wrong


def operated(name, dtype):
    """What an operation of minindrnn.gpu, its kernels launched by the installed interpreter, does wrong, or None."""
    try:
        with np.errstate(all="ignore"):
            return operations.different(name, dtype)
    except PTXError as error:
        return str(error)


def every():
    """Tier 3 of all other kernels: operations and whole steps of training, beside the CPU."""
    wrong, interpreter = [], Interpreter().install()
    for name, dtype in itertools.product(operations.OPERATIONS, FLOATS):
        found = operated(name, dtype)
        print(f"{name} {dtype}: {found or 'as on the CPU'}")
        wrong += [f"{name} {dtype}: {found}"] if found else []
    never = {(module, kernel) for module, kernel in set(interpreter.writes) - set(interpreter.counters)
             if module != "bench" and "_obvious" not in kernel}
    return wrong + [f"never launched: {kernel}" for kernel in never]


# By the tiers that must notice: (form or module, activation or operation, what is wrong, old, new).
FAULTS = {
    ("simulator", "execution"): [
        ("OBVIOUS", "relu", "no bounds guard", "        if i >= B * N:\n            return\n", ""),
        ("OBVIOUS", "relu", "forward one step too far", "range(steps[b]):", "range(steps[b] + 1):"),
        ("OBVIOUS", "relu", "backward one step too far", "range(steps[b] - 1, -1, -1)", "range(steps[b], -1, -1)"),
        ("OBVIOUS", "relu", "backward one step too few", "range(steps[b] - 1, -1, -1)", "range(steps[b] - 1, 0, -1)"),
        ("OBVIOUS", "relu", "every sequence writes row 0 of h", "h[t, b, n] = before", "h[t, 0, n] = before"),
        ("OBVIOUS", "relu", "every sequence writes row 0 of du", "du[b, n] = total", "du[0, n] = total"),
        ("OBVIOUS", "relu", "h[t] for h[t-1] in du", "(h[t - 1, b, n] if", "(h[t, b, n] if"),
        ("OBVIOUS", "relu", "carry without u", "cuda.fma(w, dz, ZERO)", "dz"),
        ("TUNED", "relu", "no bounds guard", "        if i >= columns:\n            return\n", ""),
        ("TUNED", "relu", "forward one step too far", "range(T % AHEAD):", "range(T % AHEAD + 1):"),
        ("TUNED", "relu", "a pass lost where T is a multiple of AHEAD", "range(T // AHEAD)", "range((T - 1) // AHEAD)"),
        ("TUNED", "relu", "backward a pass lost where T - 1 is one", "range((T - 1) // AHEAD)",
         "range((T - 2) // AHEAD)"),
        ("TUNED", "relu", "backward a pass too far", "range((T - 1) // AHEAD)", "range((T + 15) // AHEAD)"),
        ("TUNED", "relu", "every sequence writes row 0 of du", "du[i] = total", "du[i % u.size] = total"),
        ("TUNED", "relu", "dh0 not written", "        dh0[i] = carry ", "        carry += carry "),
        ("TUNED", "relu", "da read in place of h", "        now = h[p]\n        dahead",
         "        now = da[p]\n        dahead"),
        ("TUNED", "relu", "h[t] for h[t-1] in du", "p -= stride\n                now = h[p]\n",
         "now = h[p]\n                p -= stride\n"),
        ("TUNED", "relu", "carry without u", "cuda.fma(w, dz, ZERO)", "dz"),
        ("TUNED", "relu", "wrong stride ahead", "a[p + uint64(k) * stride]", "a[p + uint64(k) * uint64(u.size)]"),
        ("TUNED", "relu", "wrong stride", "p += stride", "p += uint64(u.size)"),
        ("TUNED", "relu", "padding of h not written", "            h[p] = ZERO\n", "            pass\n"),
        ("TUNED", "relu", "padding of da not written", "            da[p + uint64(k) * stride] = ZERO\n",
         "            pass\n"),
        ("linear", "linear", "no barrier after filling", "            cuda.syncthreads()\n            for k",
         "            for k"),
        ("linear", "linear", "no barrier after reading", "            cuda.syncthreads()\n        for r",
         "        for r"),
        ("linear", "linear", "a barrier in a branch", "            cuda.syncthreads()\n        for r",
         "            if i0 + row < I:\n                cuda.syncthreads()\n        for r"),
        ("linear", "linear", "no check of rows", "A[p] if i0 + i < I and k0 + k < high", "A[p] if k0 + k < high"),
        ("linear", "linear", "two columns in one place", "b[k, j] = ", "b[k, j // 2] = "),
        ("linear", "linear", "one tile of b only", "at(j0 + j, k0 + k, K)", "at(j, k0 + k, K)"),
        ("reduce", "linear", "no barrier in the tree", "            cuda.syncthreads()\n            if l < half",
         "            if l < half"),
        ("reduce", "linear", "rows of the blocks behind", "min((g + 1) * ROWS, R)", "R"),
        ("batchnorm", "batchnorm", "padding counts", "if t < steps[b]:", "if t >= 0:"),
        ("batchnorm", "batchnorm", "no mask backward", "d = mask * dy ", "d = dy "),
        ("dropout", "dropout", "a bit less", ">> uint64(11)", ">> uint64(12)"),
        ("bounds", "bounds", "every thread adds to the loss", "    if n == 0:", "    if n >= 0:"),
        ("combinators", "steps", "a channel further", "elif n < M:", "elif n <= M:"),
        ("optim", "steps", "gradients not clamped", "clamped(grad[i], limit)", "grad[i]"),
    ],
    ("execution",): [
        ("OBVIOUS", "relu", "neighbouring threads far apart", "b, n = i // N, i % N", "b, n = i % B, i // B"),
        ("OBVIOUS", "relu", "NaN becomes 0", "ZERO if z <= ZERO else z", "max(z, ZERO)"),
        ("TUNED", "relu", "NaN becomes 0", "ZERO if z <= ZERO else z", "max(z, ZERO)"),
        ("losses", "losses", "the largest is not subtracted", "largest = y[k] if y[k] > largest else largest",
         "largest = ZERO"),
    ],
    ("compiler",): [
        ("OBVIOUS", "sigmoid", "constants of Python's float", "from .scalars import ONE, ZERO, add",
         "from .scalars import add\n\nONE, ZERO = 1.0, 0.0"),
        ("TUNED", "tanh", "constants of Python's float", "from .scalars import ONE, ZERO, add",
         "from .scalars import add\n\nONE, ZERO = 1.0, 0.0"),
        ("TUNED", "identity", "products rounded as it happens", "cuda.fma(w, dz, ZERO)", "w * dz"),
        ("TUNED", "relu", "loads not ahead", "AHEAD = 16 ", "AHEAD = 4 "),
        ("TUNED", "relu", "steps ahead known at run time only", "range(AHEAD):\n                ahead",
         "range(min(T, AHEAD)):\n                ahead"),
        ("TUNED", "relu", "places ahead of 32 bits", "a[p + uint64(k) * stride]",
         "a[np.int32(p + uint64(k) * stride)]"),
        ("TUNED", "relu", "the last place of 32 bits", "uint64(i + T * columns)", "uint64(np.int32(i + T * columns))"),
        ("linear", "linear", "places of 32 bits", "uint64(row) * uint64(width) + uint64(column)",
         "(row * width + column) & 0xFFFFFFFF"),
        ("batchnorm", "batchnorm", "places of 32 bits", "uint64(r) * uint64(N) + uint64(n)",
         "(r * N + n) & 0xFFFFFFFF"),
    ],
}


def faults():
    """Kernels broken on purpose: the tiers named for each must notice it."""
    done = subprocess.run([sys.executable, __file__, "simulated"], env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
                          capture_output=True, text=True)
    if done.returncode:
        return [done.stdout + done.stderr]
    simulated, wrong = iter(json.loads(done.stdout.splitlines()[-1])), []
    for tiers, faults in FAULTS.items():
        for form, activation, name, old, new in faults:
            print(f"{form} {name}")
            for tier in tiers:
                said = next(simulated) if tier == "simulator" else BROKEN[tier](form, activation, old, new)
                if said is None and name in ("loads not ahead", "products rounded as it happens") and not (
                        compiler.tool("ptxas") and compiler.tool("nvdisasm")):
                    said = "not checked, for want of ptxas or nvdisasm"
                print(f"    {tier:9}  {said or 'NOT NOTICED'}"[:150])
                wrong += [] if said else [f"{form} {name}: not noticed by the {tier}"]
    print(*(f"{len(faults)} faults for the {' and the '.join(tiers)}" for tiers, faults in FAULTS.items()), sep="\n")
    return wrong


def broken_and_executed(form, activation, old, new):
    if form in FORMS:
        return executed(form, activation, FLOATS[0], old, new)
    operations.broken(form, old, new)
    Interpreter().install()
    return operated(activation, FLOATS[0])


def broken_and_compiled(form, activation, old, new):
    module = kernels.copied(f"minindrnn.gpu.{'recurrence' if form in FORMS else form}", old, new)
    rows = [row for row in KERNELS if row.module == form or row.name.startswith(f"{form.lower()} {activation} ")]
    return next(("; ".join(wrong) for row in rows if (wrong := looked_at(row, module, FLOATS[0], (8, 0))[1])), None)


BROKEN = {"execution": broken_and_executed, "compiler": broken_and_compiled}


def simulated():
    """In the simulator's process: the first test of the contract that fails, for each fault, as one line of JSON."""
    import hypothesis

    import minindrnn.gpu

    class Failed:
        def pytest_runtest_logreport(self, report):
            if report.failed and not self.first:
                name, said = report.nodeid.split("::")[-1].split("[")[0], report.longrepr.reprcrash.message
                self.first = f"{name}: {' '.join(said.split())}"[:130]

    failed, results = Failed(), []
    hypothesis.settings.register_profile("first failure", deadline=None, derandomize=True, max_examples=15,
                                         report_multiple_bugs=False, phases=[hypothesis.Phase.generate])
    whole = [operated_in_the_simulator("linear", name, "", "") for name in operations.OPERATIONS]
    assert not any(whole), whole
    for form, operation, _, old, new in itertools.chain.from_iterable(
            faults for tiers, faults in FAULTS.items() if "simulator" in tiers):
        failed.first = None
        if form not in FORMS:
            results.append(operated_in_the_simulator(form, operation, old, new))
            continue
        module = kernels.recurrence(form, old, new)
        minindrnn.gpu.indrnn_forward, minindrnn.gpu.indrnn_backward = module.indrnn_forward, module.indrnn_backward
        pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile", "first failure", "-W", "ignore",
                     "-k", "simulator", str(TESTS / "test_contract.py")], plugins=[failed])
        results.append(failed.first)
    print(json.dumps(results))
    return []


def operated_in_the_simulator(module, name, old, new):
    operations.broken(module, old, new)
    import simulator
    simulator.make_small("minindrnn.gpu")
    try:
        with np.errstate(all="ignore"):
            return operations.different(name, FLOATS[0])
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:130]


TIERS = {"machine": machine, "values": values, "every": every, "faults": faults, "simulated": simulated}


@pytest.fixture(scope="module")
def processes(request, tmp_path_factory):
    """All tiers that are asked for, begun at once: {name: (process, file that it writes to)}."""
    if reason := compiler.missing():
        pytest.skip(reason)
    names = [item.callspec.params["tier"] for item in request.session.items
             if getattr(item, "originalname", None) == "test_compiled_kernels"]
    files = {name: open(tmp_path_factory.mktemp(name) / "said", "w+") for name in names}
    begun = {name: (subprocess.Popen([sys.executable, __file__, name], stdout=file, stderr=subprocess.STDOUT), file)
             for name, file in files.items()}
    yield begun
    for process, file in begun.values():
        process.kill()
        process.wait()
        file.close()


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["machine", "values", "every", "faults"])
def test_compiled_kernels(tier, processes):
    process, file = processes[tier]
    failed = process.wait()
    file.seek(0)
    said = file.read()
    print(said)
    assert not failed, said
    if missing := re.search("^not checked: .*", said, re.MULTILINE):
        pytest.skip(missing.group())


def test_every_kernel_has_a_row():
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        pytest.skip("the simulator's kernels have no names")
    rows = set()
    for row, dtype in itertools.product(KERNELS, FLOATS):
        module = kernels.copied(f"minindrnn.gpu.{row.module}")
        rows.add(kernels.place(row.of(module, dtype)))
    assert rows == set(kernels.decorated())


if __name__ == "__main__":
    failures = TIERS[sys.argv[1]]()
    sys.exit("\n".join(failures) if failures else 0)
