"""The kernels that tutorial 6 shows as PTX, and the command that compiles them again, without a GPU:

    python tutorials/ptx/compile_kernels.py [FOLDER]

writes NAME.ptx for each into this folder, or into another one. Needs the compiler of the extra cuda12 or cuda13.
"""
import sys
from pathlib import Path

import numpy as np
from numba import cuda

from minindrnn.core.atomic_file import replacing
from minindrnn.gpu import compiler
from minindrnn.gpu.recurrence import OBVIOUS, TUNED

HERE, CAPABILITY = Path(__file__).resolve().parent, (8, 0)


@cuda.jit
def racing(columns, du):
    """du (N,) += columns (B * N,), a thread for each column: the B threads of a neuron write to the same place."""
    i = cuda.grid(1)
    if i < columns.size:
        du[i % du.size] += columns[i]


@cuda.jit
def tenth(x, y):
    """y = x / 10, where 0.1 is a number of Python."""
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i] * 0.1


def arguments(types):
    """An array of one element for each type: f3 is float32 with three axes, i1 is int64 with one."""
    kinds = {"f": np.float32, "i": np.int64}
    return tuple(np.ones((1,) * int(axes), kinds[kind]) for kind, axes in types.split())


FORWARD, BACKWARD = TUNED["relu", np.dtype(np.float32)]
KERNELS = {"obvious_forward": (OBVIOUS["relu"][0], "f3 f1 f2 i1 f3"), "tuned_forward": (FORWARD, "f1 f1 f1 i1 f1"),
           "tuned_backward": (BACKWARD, "f1 f1 f1 f1 i1 f1 f1 f1"),
           "racing": (racing, "f1 f1"), "tenth": (tenth, "f1 f1")}


def text(name):
    """The PTX of a kernel as this folder holds it."""
    return (HERE / f"{name}.ptx").read_text()


def main(folder=HERE):
    if reason := compiler.missing():
        sys.exit(reason)
    for name, (kernel, types) in KERNELS.items():
        ptx = compiler.compile_ptx(kernel, arguments(types), CAPABILITY)
        with replacing(Path(folder, f"{name}.ptx")) as file:       # without names of Numba's own that nothing refers to
            file.write("".join(line + "\n" for line in ptx.splitlines() if not line.startswith(".common")).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
