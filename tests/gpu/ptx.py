"""An interpreter of PTX in NumPy: the program that the CUDA compiler made of a kernel, executed without a GPU.

PTX is the assembly language that the compiler hands to the driver of an NVIDIA GPU. Its registers are without limit and
have a type each (%f1 is a float32, %rd1 has 64 bits, %p1 is true or false); its instructions name the type that they
work on (`fma.rn.f32 %f3, %f1, %f2, %f0;`) and may be guarded (`@%p1 bra LABEL;` jumps in the threads where %p1 holds).
Everything that the compiler decides is in it: types, fused multiply-adds, the order of loads and stores, unrolling.

All threads of a block go at once, a register being an array with one element per thread. Threads part at a branch.
The next instruction is always the one with the lowest program counter that some thread waits at, for the threads that
wait there: those ahead are caught up with, and all join again behind the branch. At a barrier a thread waits until no
thread of its block can go on; then all of them must be at the same barrier. Blocks run one after the other.

Arrays and the shared memory of a block are watched byte by byte (ptx_memory.py): accesses out of bounds, misaligned or
of unwritten memory stop the program, and so do data races. What instructions compute is in ptx_arithmetic.py.
"""
import re
from collections import Counter
from functools import lru_cache

import numpy as np
from ptx_arithmetic import OPERATIONS, SOURCES, compare, converted, flushed
from ptx_memory import Memory, PTXError

TYPES = {"pred": np.bool_, "f32": np.float32, "f64": np.float64,
         **{f"{letter}{bits}": np.dtype(f"{'i' if letter == 's' else 'u'}{bits // 8}").type
            for letter in "sub" for bits in (8, 16, 32, 64)}}
WARP, SECTOR, BANKS = 32, 32, 32    # threads; bytes that global memory moves at once; words in a row of shared memory
LARGEST_BLOCK, SHARED = 1024, 48 * 1024                        # threads, and bytes of shared memory, of a block
WAITING, FINISHED = 1 << 32, 1 << 40                           # beyond every program counter
ENDLESS = 200_000                   # instructions of one block


# ---------------------------------------------------------------------------------------------------------
# Reading the text: one statement a line, as the compiler writes it.

@lru_cache(maxsize=64)
def parse(ptx):
    """Name, parameters [(name, type)], registers {prefix: type}, shared arrays {name: bytes, 0 where the launch tells},
    instructions, labels {name: index}.

    An instruction is (text, guarding register or None, whether that is negated, name without types and without rounding
    to nearest, types, whether tiny numbers become 0, operands)."""
    ptx = re.sub(r"//.*", "", ptx)
    name = re.search(r"\.entry\s+([\w$]+)", ptx).group(1)
    parameters = [(p, TYPES[t]) for t, p in re.findall(r"\.param\s+\.(\w+)\s+([\w$]+)", ptx)]
    registers = {prefix: TYPES[t] for t, prefix in re.findall(r"\.reg\s+\.(\w+)\s+(%[a-z]+)", ptx)}
    shared = {array: int(size or 0) for array, size in re.findall(r"\.shared\s[^;]*\s([\w$]+)\[(\d*)\];", ptx)}
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
    return name, parameters, registers, shared, code, labels


@lru_cache(maxsize=4096)
def immediate(text, kind):
    """A number as it stands in the text: 0f and 0d are followed by the bits of a float, the rest are integers."""
    if text[:2] in ("0f", "0d"):
        return np.array(int(text[2:], 16), np.uint32 if text[1] == "f" else np.uint64).view(kind)
    return np.array(int(text, 0)).astype(kind)


# ---------------------------------------------------------------------------------------------------------
# Running it.

def run(ptx, arguments, grid, block, outputs=(), dynamic=0):
    """Run the kernel on `grid` blocks of `block` threads, numbers or tuples (x, y, z), and change its arrays in place.

    arguments: {name: NumPy array or number}, in the kernel's order, in contiguous memory; names are for messages.
    outputs: names of arrays whose content counts as never written. dynamic: bytes of shared memory given at the launch.
    Returns a Counter: instructions (of all threads), barriers (of all blocks); for global memory loads, stores, bytes,
    and the sectors of 32 bytes that the warps touched: 32 * sectors exceeds bytes where threads next to each other use
    memory that is far apart; for shared memory the accesses of warps, and the passes they take: more where threads of a
    warp want different words of the same bank.
    """
    name, parameters, registers, shared, code, labels = parse(ptx)
    grid, block = ((*size, 1, 1)[:3] if isinstance(size, tuple) else (size, 1, 1) for size in (grid, block))
    shared = {array: np.zeros(size or dynamic, np.uint8) for array, size in shared.items()}
    if not 1 <= np.prod(block) <= LARGEST_BLOCK:
        raise PTXError(f"{name}: a block of {np.prod(block)} threads; a GPU takes 1 to {LARGEST_BLOCK}")
    if sum(map(len, shared.values())) > SHARED:
        raise PTXError(f"{name}: {sum(map(len, shared.values()))} bytes of shared memory; a block has {SHARED}")
    memory = Memory({key: value for key, value in arguments.items() if isinstance(value, np.ndarray)}, outputs)
    values, counters = [], Counter()
    for argument, value in arguments.items():                  # Numba passes an array as two pointers of its own ...
        values += [0, 0, value.size, value.itemsize, memory.address(argument), *value.shape, *value.strides] \
            if isinstance(value, np.ndarray) else [value]      # ... its size, its data, its shape and its strides
    if len(values) != len(parameters):
        raise PTXError(f"{name}: {len(parameters)} parameters, but {len(values)} values")
    values = {p: np.array(value).astype(kind) for (p, kind), value in zip(parameters, values)}
    for number in range(np.prod(grid)):
        with np.errstate(all="ignore"):
            run_block(name, code, labels, registers, values, memory, Memory(shared, shared, base=1 << 30), counters,
                      grid, block, number, dynamic)
    for argument, place in memory.places.items():
        array = arguments[argument]
        array[...] = memory.bytes[place].view(array.dtype).reshape(array.shape)
    return counters


def places(size):
    """x, y and z of every number below the product of these sizes, x running fastest."""
    number = np.arange(np.prod(size))
    return number % size[0], number // size[0] % size[1], number // (size[0] * size[1])


def passes(thread, address, size):
    """How often shared memory is asked by warps, and how many passes that takes: one for each word of a bank. Where
    words have 8 bytes, half a warp is served at a time."""
    group, wanted = thread // (WARP * 4 // max(size, 4)), Counter()
    for part, word in set(zip(group, address // 4)):
        wanted[part, word % BANKS] += 1
    asked = set(group)
    return len(asked), sum(max(count for (part, _), count in wanted.items() if part == one) for one in asked)


def run_block(name, code, labels, kinds, values, memory, shared, counters, grid, block, number, dynamic):
    """One block: what a program counter holds that is WAITING or more has been at a barrier, or is FINISHED."""
    threads = int(np.prod(block))
    special = {"%dynamic_smem_size": dynamic} | {f"%{what}.{axis}": value for what, triple in (
        ("tid", places(block)), ("ntid", block), ("ctaid", [place[number] for place in places(grid)]), ("nctaid", grid))
        for axis, value in zip("xyz", triple)}
    registers = {own: np.full(threads, value, np.uint32) for own, value in special.items()}
    registers |= {array: np.full(threads, shared.address(array), np.uint64) for array in shared.places}
    counter, steps = np.zeros(threads, np.int64), 0
    memory.barrier()

    def read(operand, kind):
        if operand not in registers and operand[0] == "%":
            raise PTXError(f"{where}: register {operand} was never written")
        if operand not in registers and re.match(r"[A-Za-z_]", operand):
            raise PTXError(f"{where}: {operand} is not known here: does an array of a thread lie in memory?")
        if operand not in registers:
            return immediate(operand, kind)
        value, size = registers[operand][active], np.dtype(kind).itemsize
        return value.view(kind) if value.itemsize == size else value.astype(f"u{size}").view(kind)     # the lower bits

    def write(register, value):
        if register not in registers:
            registers[register] = np.zeros(threads, kinds[re.match("%[a-z]+", register).group()])
        size = registers[register].itemsize
        value = value if value.itemsize == size else value.astype(f"{value.dtype.kind}{size}")
        registers[register][active] = value.view(registers[register].dtype)

    def access(operand, kind, storing):
        base, _, offset = operand.strip("[]").partition("+")
        place, size = (shared if ".shared" in text else memory), np.dtype(kind).itemsize
        thread = number * threads + active
        at = place.touch(read(base, np.int64) + int(offset or 0), kind, thread, number, storing, where)
        if place is shared:
            counters.update(dict(zip(("accesses", "passes"), passes(active, at * size, size))))
        else:
            counters["stores" if storing else "loads"] += len(at)
            counters["bytes"] += len(at) * size
            counters["sectors"] += len(set(zip(active // WARP, at * size // SECTOR)))
        return place.bytes.view(kind), at

    while (now := counter.min()) < FINISHED:
        if now >= WAITING:                                     # nobody can go on
            if (counter != now).any():
                late = np.argmax(counter != now)
                raise PTXError(f"{name}: {code[now - WAITING - 1][0]}: a barrier for {np.sum(counter == now)} of "
                               f"{threads} threads; thread {number * threads + late} does not come")
            counter -= WAITING
            counters["barriers"] += 1
            memory.barrier()
            shared.barrier()
            continue
        active = np.flatnonzero(counter == now)
        text, guard, unless, operation, types, flush, operands = code[now]
        where, steps = f"{name}: {text}", steps + 1
        if steps > ENDLESS:
            raise PTXError(f"{where}: no end after {ENDLESS} instructions, in thread {number * threads + active[0]}")
        counter[active] += 1
        counters["instructions"] += len(active)
        if guard:
            active = active[read(guard, np.bool_) ^ unless]
            if not len(active):
                continue
        if operation == "bra":
            counter[active] = labels[operands[0]]
        elif operation == "ret":
            counter[active] = FINISHED
        elif operation == "bar.sync" and operands == ["0"]:
            counter[active] += WAITING
        elif operation == "ld.param":
            write(operands[0], values[operands[1].strip("[]")])
        elif operation in ("ld.global", "ld.shared"):
            data, at = access(operands[1], types[0], False)
            write(operands[0], data[at])
        elif operation in ("st.global", "st.shared"):
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
            low, high = (read(half.strip(), np.uint32) for half in operands[1].strip("{} ").split(","))
            write(operands[0], low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32))
        elif operation in OPERATIONS:
            own = SOURCES.get(operation, {})
            sources = [read(operand, own.get(i, types[-1])) for i, operand in enumerate(operands[1:])]
            if flush:
                sources = [flushed(source) for source in sources]
            value = np.asarray(OPERATIONS[operation](*sources))
            value = converted(value, types[0]) if operation.startswith("cvt") else value
            write(operands[0], flushed(value) if flush else value)
        else:
            raise PTXError(f"{where}: this instruction is not known here")
