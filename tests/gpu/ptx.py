"""An interpreter of PTX in NumPy: the program that the CUDA compiler made of a kernel, executed without a GPU.

PTX is the assembly language that the compiler hands to the driver of an NVIDIA GPU. Its registers are without limit and
have a type each (%f1 is a float32, %rd1 has 64 bits, %p1 is true or false); its instructions name the type that they
work on (`fma.rn.f32 %f3, %f1, %f2, %f0;`) and may be guarded (`@%p1 bra LABEL;` jumps in the threads where %p1 holds).
Everything that the compiler decides is in it: types, fused multiply-adds, the order of loads and stores, unrolling.

All threads of a block go at once, a register being an array with one element per thread. Threads part at a branch.
The next instruction is always the one with the lowest program counter that some thread waits at, for the threads that
wait there: those ahead are caught up with, and all join again behind the branch. Blocks run one after the other.

Arrays lie in one memory with unused red zones between them. For every four bytes the memory knows whether they belong
to an array, were ever written, and which threads have read and written them; so it stops at an access that is out of
bounds or misaligned, that reads what nobody has written, or that touches what another thread has touched, one of the
two writing. Our kernels have neither barriers nor atomic additions, so each such pair is a data race.

Fused multiply-adds are rounded once, as on the GPU. The functions that a GPU only approximates (ex2, rcp) are computed
to full precision: results agree to rounding there, not in every bit.
"""
import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache

import numpy as np

TYPES = {"pred": np.bool_, "f32": np.float32, "f64": np.float64, "s32": np.int32, "u32": np.uint32, "b32": np.uint32,
         "s64": np.int64, "u64": np.uint64, "b64": np.uint64}
WARP, SECTOR, LARGEST_BLOCK = 32, 32, 1024
RED, BASE = 256, 1 << 20            # bytes between arrays; the address of the memory's first byte
NOBODY, MANY = -1, -2               # as a thread's number
ENDLESS = 200_000                   # instructions of one block


class PTXError(Exception):
    """What a GPU would do wrong in silence: the message names kernel, instruction and thread."""


# ---------------------------------------------------------------------------------------------------------
# Arithmetic: first where a GPU and NumPy differ, then every instruction that only computes.

def to_odd(x, y):
    """x + y in float64, but where inexact the neighbour whose last bit is 1. Such a sum may be rounded once more, to a
    shorter number, without harm: it is never mistaken for the middle between two of them."""
    total = x + y
    part = total - x
    error = (x - (total - part)) + (y - part)                  # what the rounding lost, exactly
    even = (total.view(np.int64) & 1 == 0) & (error != 0) & np.isfinite(total)
    return np.where(even, np.nextafter(total, np.copysign(np.inf, error)), total)


def halves(x):
    """x as the sum of two numbers of 26 bits, whose products are exact."""
    high = x * 134217729.0
    high = high - (high - x)
    return high, x - high


def fma(a, b, c, downwards=False):
    """a * b + c, rounded once. For float32 the product is exact in float64, and a sum rounded to odd there has two bits
    to spare. For float64 the product's error is found from halves of the factors; the sum of the three parts is
    rounded to odd before the last addition. Numbers too large or too small for halves go through fractions."""
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.dtype == np.float32:
        exact = to_odd(a.astype(np.float64) * b, c.astype(np.float64))
        near = exact.astype(np.float32)
        return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near) if downwards else near
    product, (a1, a2), (b1, b2) = a * b, halves(a), halves(b)
    error = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
    low = c + error
    part = low - c
    lower = (c - (low - part)) + (error - part)
    high = product + low
    part = high - product
    result = high + to_odd((product - (high - part)) + (low - part), lower)
    plain = a * b + c
    usual = (np.maximum(abs(a), abs(b)) < 2.0**900) & (abs(product) > 2.0**-900) & np.isfinite(result)
    for i in np.flatnonzero(~usual & np.isfinite(a) & np.isfinite(b) & np.isfinite(c)):
        exact = Fraction(a[i]) * Fraction(b[i]) + Fraction(c[i])
        if exact and abs(exact) < 2**1024 - 2**970:            # from there on a float64 is infinite
            plain[i] = float(exact)
    return np.where(usual, result, plain)


def quotient(a, b):
    return a / b if a.dtype.kind == "f" else (a - np.fmod(a, b)) // b


def widened(a, b):
    return a.astype(f"{a.dtype.kind}8") * b


def flushed(x):
    """Numbers too small to be normal become 0."""
    return np.where(abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


OPERATIONS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "mul.lo": lambda a, b: a * b,
    "mul.wide": widened, "div": quotient, "rem": np.fmod, "fma": fma, "fma.rm": lambda a, b, c: fma(a, b, c, True),
    "neg": lambda a: -a, "abs": np.abs, "max": np.fmax, "copysign": lambda a, b: np.copysign(b, a),
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b, "not": lambda a: ~a,
    "shl": lambda a, b: a << b.astype(a.dtype), "shr": lambda a, b: a >> b.astype(a.dtype),
    "selp": lambda a, b, p: np.where(p, a, b), "ex2": np.exp2, "rcp": lambda a: 1 / a,
    "mov": lambda a: a, "cvta.to.global": lambda a: a,
    "cvt": lambda a: a, "cvt.rni": np.rint, "cvt.sat": lambda a: np.clip(np.where(np.isnan(a), 0, a), 0, 1),
}
SOURCES = {"shl": {1: np.uint32}, "shr": {1: np.uint32}, "selp": {2: np.bool_}}      # types other than the instruction's
COMPARE = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
           "ge": np.greater_equal}


def compare(how, a, b):
    """eq ... ge are false where a number is NaN, equ ... geu true; num is true where neither is."""
    unordered = (a != a) | (b != b)
    if how in ("num", "nan"):
        return unordered if how == "nan" else ~unordered
    return COMPARE[how[:2]](a, b) | unordered if how.endswith("u") else COMPARE[how](a, b) & ~unordered


# ---------------------------------------------------------------------------------------------------------
# Reading the text: one statement a line, as the compiler writes it.

@lru_cache(maxsize=64)
def parse(ptx):
    """Name, parameters [(name, type)], registers {prefix: type}, instructions, labels {name: index}.

    An instruction is (text, guarding register or None, whether that is negated, name without types and without rounding
    to nearest, types, whether tiny numbers become 0, operands)."""
    ptx = re.sub(r"//.*", "", ptx)
    name = re.search(r"\.entry\s+([\w$]+)", ptx).group(1)
    parameters = [(p, TYPES[t]) for t, p in re.findall(r"\.param\s+\.(\w+)\s+([\w$]+)", ptx)]
    registers = {prefix: TYPES[t] for t, prefix in re.findall(r"\.reg\s+\.(\w+)\s+(%[a-z]+)", ptx)}
    code, labels = [], {}
    for line in ptx[ptx.index("{") + 1:].splitlines():
        line = " ".join(line.split())
        if line.endswith(":"):
            labels[line[:-1]] = len(code)
        elif line.strip("{} ") and not line.startswith("."):
            match = re.fullmatch(r"(?:@(!?)(%\w+) )?([a-z][\w.]*) ?(.*);", line)
            if match is None:
                raise PTXError(f"{name}: cannot read: {line}")
            unless, guard, opcode, operands = match.groups()
            words = opcode.split(".")
            types = [TYPES[word] for word in words if word in TYPES]
            kept = [word for word in words if word not in TYPES and word not in ("rn", "approx", "ftz", "uni")]
            operands = re.findall(r"\{[^}]*\}|[^,\s]+", operands)
            code.append((line, guard, unless == "!", ".".join(kept), types, "ftz" in words, operands))
    return name, parameters, registers, code, labels


@lru_cache(maxsize=4096)
def immediate(text, kind):
    """A number as it stands in the text: 0f and 0d are followed by the bits of a float, the rest are integers."""
    if text[:2] in ("0f", "0d"):
        return np.array(int(text[2:], 16), np.uint32 if text[1] == "f" else np.uint64).view(kind)
    return np.array(int(text, 0)).astype(kind)


# ---------------------------------------------------------------------------------------------------------
# Running it.

class Memory:
    """The arrays among the arguments, one behind the other, and for every four bytes what has happened to them."""

    def __init__(self, arguments, outputs):
        self.places, end = {}, RED
        for name, array in arguments.items():
            if isinstance(array, np.ndarray):
                self.places[name] = slice(end, end + array.nbytes)
                end += -(-array.nbytes // RED) * RED + RED
        self.bytes = np.zeros(end, np.uint8)
        self.inside, self.written = np.zeros((2, end // 4), bool)
        self.reader, self.writer = np.full((2, end // 4), NOBODY)
        for name, place in self.places.items():
            self.bytes[place] = np.ascontiguousarray(arguments[name]).reshape(-1).view(np.uint8)
            self.inside[place.start // 4:place.stop // 4] = True
            self.written[place.start // 4:place.stop // 4] = name not in outputs

    def touch(self, address, kind, thread, write, where):
        """Indices of the addresses in the memory seen as an array of this type. Raises PTXError."""
        def expect(good, complaint):
            if not good.all():
                i = np.argmin(good.all(axis=-1) if good.ndim == 2 else good)
                name = min(self.places, key=lambda name: abs(2 * at[i] - self.places[name].start - self.places[name].stop))
                raise PTXError(f"{where}: {complaint}, {at[i] - self.places[name].start} bytes from the start of {name}, "
                               f"in thread {thread[i]}")

        size, at = np.dtype(kind).itemsize, address - BASE
        expect(at % size == 0, "misaligned")
        words, me = at[:, None] // 4 + np.arange(size // 4), thread[:, None]
        expect((words >= 0) & self.inside.take(words, mode="clip"), "out of bounds")
        reader, writer = self.reader[words], self.writer[words]
        expect((writer == me) | (writer == NOBODY), "data race with a thread that wrote")
        if write:
            expect((reader == me) | (reader == NOBODY), "data race with a thread that read")
            self.written[words], self.writer[words] = True, me
            expect(self.writer[words] == me, "data race with a thread that writes now")
        else:
            expect(self.written[words], "reads what was never written")
            self.reader[words] = me                            # one of them where several read the same
            self.reader[words[(self.reader[words] != me) | (reader != me) & (reader != NOBODY)]] = MANY
        return at // size


def run(ptx, arguments, grid, block, outputs=()):
    """Run the kernel on `grid` blocks of `block` threads and change its arrays in place.

    arguments: {name: NumPy array or int}, in the kernel's order, in contiguous memory; names are for messages.
    outputs: names of arrays whose content counts as never written.
    Returns a Counter: instructions (of all threads), loads, stores, bytes, and the sectors of 32 bytes that the warps
    touched: 32 * sectors exceeds bytes where threads next to each other use memory that is far apart.
    """
    name, parameters, registers, code, labels = parse(ptx)
    if not 1 <= block <= LARGEST_BLOCK:
        raise PTXError(f"{name}: a block of {block} threads; a GPU takes 1 to {LARGEST_BLOCK}")
    memory, values, counters = Memory(arguments, outputs), [], Counter()
    for argument, value in arguments.items():                  # Numba passes an array as two pointers of its own ...
        values += [0, 0, value.size, value.itemsize, BASE + memory.places[argument].start, *value.shape, *value.strides] \
            if isinstance(value, np.ndarray) else [value]      # ... its size, its data, its shape and its strides
    if len(values) != len(parameters):
        raise PTXError(f"{name}: {len(parameters)} parameters, but {len(values)} values")
    values = {p: np.array(value).astype(kind) for (p, kind), value in zip(parameters, values)}
    for number in range(grid):
        with np.errstate(all="ignore"):
            run_block(name, code, labels, registers, values, memory, counters, grid, block, number)
    for argument, place in memory.places.items():
        arguments[argument][...] = memory.bytes[place].view(arguments[argument].dtype).reshape(arguments[argument].shape)
    return counters


def run_block(name, code, labels, kinds, values, memory, counters, grid, block, number):
    """One block. The program counter of a thread that has returned is behind the last instruction."""
    registers = {own: np.full(block, value, np.uint32) for own, value in
                 (("%tid.x", np.arange(block)), ("%ntid.x", block), ("%ctaid.x", number), ("%nctaid.x", grid))}
    counter, steps = np.zeros(block, np.int64), 0

    def read(operand, kind):
        if operand[0] != "%":
            return immediate(operand, kind)
        if operand not in registers:
            raise PTXError(f"{where}: register {operand} was never written")
        return registers[operand][active].view(kind)

    def write(register, value):
        if register not in registers:
            registers[register] = np.zeros(block, kinds[re.match("%[a-z]+", register).group()])
        registers[register][active] = value.view(registers[register].dtype)

    def access(operand, kind, storing):
        base, _, offset = operand.strip("[]").partition("+")
        at = memory.touch(read(base, np.int64) + int(offset or 0), kind, number * block + active, storing, where)
        counters["stores" if storing else "loads"] += len(at)
        counters["bytes"] += len(at) * np.dtype(kind).itemsize
        counters["sectors"] += len(set(zip(active // WARP, at * np.dtype(kind).itemsize // SECTOR)))
        return memory.bytes.view(kind), at

    while (now := counter.min()) < len(code):
        active = np.flatnonzero(counter == now)
        text, guard, unless, operation, types, flush, operands = code[now]
        where, steps = f"{name}: {text}", steps + 1
        if steps > ENDLESS:
            raise PTXError(f"{where}: no end after {ENDLESS} instructions, in thread {number * block + active[0]}")
        counter[active] += 1
        counters["instructions"] += len(active)
        if guard:
            active = active[read(guard, np.bool_) ^ unless]
        if operation == "bra":
            counter[active] = labels[operands[0]]
        elif operation == "ret":
            counter[active] = len(code)
        elif operation == "ld.param":
            write(operands[0], values[operands[1].strip("[]")])
        elif operation == "ld.global":
            data, at = access(operands[1], types[0], False)
            write(operands[0], data[at])
        elif operation == "st.global":
            value = read(operands[1], types[0])
            data, at = access(operands[0], types[0], True)
            data[at] = value
        elif operation.startswith("setp"):
            write(operands[0], compare(operation[5:], read(operands[1], types[0]), read(operands[2], types[0])))
        elif operation == "mov" and operands[0].startswith("{"):       # 64 bits into two registers, the low one first
            pair = np.ascontiguousarray(read(operands[1], np.uint64)).view(np.uint32).reshape(-1, 2)
            for register, value in zip(operands[0].strip("{} ").split(","), pair.T):
                write(register.strip(), np.ascontiguousarray(value))
        elif operation == "mov" and operands[1].startswith("{"):
            low, high = (read(half.strip(), np.uint32).astype(np.uint64) for half in operands[1].strip("{} ").split(","))
            write(operands[0], low | high << np.uint64(32))
        elif operation in OPERATIONS:
            own = SOURCES.get(operation, {})
            sources = [read(operand, own.get(i, types[-1])) for i, operand in enumerate(operands[1:])]
            if flush:
                sources = [flushed(source) for source in sources]
            value = np.asarray(OPERATIONS[operation](*sources))
            value = value.astype(types[0]) if operation.startswith("cvt") else value
            write(operands[0], flushed(value) if flush else value)
        else:
            raise PTXError(f"{where}: this instruction is not known here")
