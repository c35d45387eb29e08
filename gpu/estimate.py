"""Estimated speed, from the compiled kernels and the published figures of two GPUs, before any run.

A thread runs all T steps alone, so a kernel takes at least the longest of three times, each of which assumes that
everything else is free:

    memory     bytes / bandwidth
    latency    waves * T / AHEAD * LATENCY / clock        AHEAD steps wait for the memory once, together; a wave is
                                                          the blocks that the processors hold at once
    issue      threads * T * instructions / (32 * 4 * processors * clock)      a processor issues for four warps of 32
                                                                               threads each cycle

Sources: datasheets of NVIDIA for A100 SXM 80 GB and H100 SXM; limits of a processor from the CUDA C++ Programming
Guide, table of compute capabilities. LATENCY is an assumption; tutorial 6 measures some 800 cycles on an H200.
"""
import itertools
from dataclasses import dataclass

import numpy as np

from . import compiler
from .recurrence import PAIRS, TUNED, threads_of_a_block

LATENCY = 500                        # cycles from a load of global memory to its value
SHAPES = {"adding": (5000, 50, 128), "MNIST": (784, 32, 128), "NTU": (20, 128, 512), "PTB": (50, 128, 2000)}   # T, B, N
WARP, SCHEDULERS = 32, 4


@dataclass(frozen=True)
class GPU:
    name: str
    capability: tuple
    processors: int
    bandwidth: float                 # bytes a second
    clock: float                     # cycles a second, boost
    shared: int                      # bytes of shared memory of a processor
    warps: int = 64                  # of a processor, at most
    blocks: int = 32
    registers: int = 65536


GPUS = (GPU("A100", (8, 0), 108, 2039e9, 1.41e9, 164 * 1024), GPU("H100", (9, 0), 132, 3350e9, 1.98e9, 228 * 1024))


def resident_blocks(gpu, block, registers, shared=0):
    """The number of blocks of so many threads that a processor holds at once. A warp gets registers in units of 256,
    the four schedulers get equal numbers of warps, and a block takes 1 KiB of shared memory besides its own.

    Example from the CUDA C++ Best Practices Guide: with 37 registers, 75 % of the warps in blocks of 128, 63 % of 320.

    >>> resident_blocks(GPUS[0], 128, 37) * 128 / 2048, resident_blocks(GPUS[0], 320, 37) * 320 / 2048
    (0.75, 0.625)
    """
    warps = -(-block // WARP)
    fit = gpu.registers // (-(-registers * WARP // 256) * 256) // SCHEDULERS * SCHEDULERS
    return min(gpu.blocks, gpu.warps // warps, fit // warps, gpu.shared // (shared + 1024) if shared else gpu.blocks)


@dataclass(frozen=True)
class Figures:
    """Figures of the compiled code of a kernel; instructions and bytes are per thread and step."""
    registers: int
    shared: int
    together: int                    # loads issued together
    ahead: int                       # steps covered by these loads
    instructions: float
    bytes: int


def figures(kernel, arguments, capability):
    """Figures of a kernel that stores one number a step, compiled for arguments like these."""
    ptx = compiler.compile_ptx(kernel, arguments, capability)
    said, code = compiler.assemble(ptx, capability)
    text = compiler.disassemble(code) if compiler.tool("nvdisasm") else ptx
    loop = compiler.main_loop(text)
    loads, stores = sum(map(compiler.is_load, loop)), sum(map(compiler.is_store, loop))
    together = compiler.loads_together(text)
    return Figures(said["registers"], said["shared"], together, together * stores // loads, len(loop) / stores,
                   (loads + stores) * arguments[0].itemsize // stores)


def bounds(gpu, figures, T, B, N):
    """{name: seconds} of the three times."""
    columns = B * N
    block = threads_of_a_block(columns)
    waves = -(-columns // (block * gpu.processors * resident_blocks(gpu, block, figures.registers, figures.shared)))
    return {"memory": T * columns * figures.bytes / gpu.bandwidth,
            "latency": waves * -(-T // figures.ahead) * LATENCY / gpu.clock,
            "issue": T * columns * figures.instructions / (WARP * SCHEDULERS * gpu.processors * gpu.clock)}


def tuned():
    """(name, kernel, arguments of its types) for each tuned kernel."""
    steps = np.ones(1, np.int64)
    for name, dtype, direction in itertools.product(PAIRS, (np.float32, np.float64), ("forward", "backward")):
        one = np.zeros(1, dtype)
        arguments = (one,) * 3 + (steps, one) if direction == "forward" else (one,) * 4 + (steps,) + (one,) * 3
        yield f"{name} {direction} {dtype.__name__}", TUNED[name, np.dtype(dtype)][direction == "backward"], arguments


def report():
    """Yield the lines of the report."""
    readable = compiler.tool("nvdisasm")
    where = "machine code" if readable else "PTX, for want of nvdisasm (pip install nvidia-cuda-nvdisasm)"
    yield ("ESTIMATES from the compiled code and published figures, not measured: that is python -m minindrnn bench "
           "--device cuda.")
    yield "T, B, N: " + "; ".join(f"{name} {T}, {B}, {N}" for name, (T, B, N) in SHAPES.items())
    yield f"a load of global memory: {LATENCY} cycles, an assumption; order and number of instructions: in {where}"
    for gpu in GPUS:
        yield ""
        yield (f"{gpu.name}: {gpu.processors} processors of {gpu.warps} warps at {gpu.clock / 1e9:.2f} GHz; "
               f"{gpu.bandwidth / 1e9:.0f} GB/s")
        yield (f"{'tuned kernel':26}{'registers':>10}{'loads':>8}{'steps':>7}{'instructions':>14}{'bytes':>8}"
               f"{'warps held in blocks of':>28}")
        yield f"{'':26}{'':>10}{'at once':>8}{'ahead':>7}{'a step':>14}{'a step':>8}" + f"{'32':>12}{'64':>8}{'256':>8}"
        found = {}
        for name, kernel, arguments in tuned():
            found[name] = one = figures(kernel, arguments, gpu.capability)
            blocks = {block: resident_blocks(gpu, block, one.registers, one.shared) for block in (32, 64, 256)}
            yield (f"{name:26}{one.registers:>10}{one.together:>8}{one.ahead:>7}{one.instructions:>14.1f}{one.bytes:>8}"
                   + "    " + "".join(f"{block * count // WARP:>8}" for block, count in blocks.items()))
        yield f"{'milliseconds, at least':26}" + "".join(f"{name:>18}" for name in SHAPES)
        for name, one in found.items():
            longest = [max((seconds, bound) for bound, seconds in bounds(gpu, one, *shape).items())
                       for shape in SHAPES.values()]
            yield f"{name:26}" + "".join(f"{1e3 * seconds:>10.3f} {bound:>7}" for seconds, bound in longest)
