"""Every CUDA kernel, a row each: what the tiers without a GPU look at.

To add a kernel, add a row to KERNELS: its module in minindrnn.gpu, a name to print, how to get it from the module for a
dtype, the types of its arguments, and the arguments that it fills. It is then compiled for every architecture and held
to the limits of test_compiled.py, and wherever a public function launches it there, its PTX is executed in its place,
with the content of what it fills counting as never written. A kernel without a row fails a test.

    types     f3   an array of floats with 3 axes, of the dtype;   f   a number of the dtype
              i1   an array of int64 with 1 axis;   u1   of uint64;   b1   of bool;   i   a whole number
"""
import ast
import importlib
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import ptx

import minindrnn.gpu
from minindrnn.activations import KIND
from minindrnn.gpu import compiler

FLOATS = np.dtype(np.float32), np.dtype(np.float64)


class Kernel(NamedTuple):
    module: str
    name: str
    of: Callable                 # module, dtype -> the kernel
    types: str
    writes: str = ""
    together: int = 0            # loads from global memory that must be issued together, at least

    def arguments(self, dtype):
        """Arrays and numbers of the types that the kernel is called with, one element each."""
        kinds = {"f": dtype, "i": np.dtype(np.int64), "u": np.dtype(np.uint64), "b": np.dtype(bool)}
        for kind, *axes in self.types.split():
            yield np.ones((1,) * int(axes[0]), kinds[kind]) if axes else 1 if kind == "i" else kinds[kind].type(1)


def recurrences():
    for activation in sorted(KIND):
        for form, types_of, together in (("OBVIOUS", ("f3 f1 f2 i1 f3", "f3 f1 f2 f3 i1 f3 f2 f2"), (0, 0)),
                                         ("TUNED", ("f1 f1 f1 i1 f1", "f1 f1 f1 f1 i1 f1 f1 f1"), (8, 16))):
            for back, (direction, writes) in enumerate([("forward", "h"), ("backward", "da du dh0")]):
                def of(module, dtype, form=form, activation=activation, back=back):
                    return (module.OBVIOUS[activation] if form == "OBVIOUS" else module.TUNED[activation, dtype])[back]
                yield Kernel("recurrence", f"{form.lower()} {activation} {direction}", of, types_of[back], writes, together[back])


def named(name):
    """One kernel for all dtypes, by its name in the module."""
    return lambda module, dtype: getattr(module, name)


KERNELS = [
    *recurrences(),
    Kernel("recurrence", "over_sequences", named("over_sequences"), "f2 f1", "du"),
    Kernel("bench", "two_streams", named("two_streams"), "f1 f1", "y"),
    Kernel("bench", "three_streams", named("three_streams"), "f1 f1 f1", "z"),
]


# ---------------------------------------------------------------------------------------------------------
# Modules with faults, and their kernels executed as PTX.

def copied(name, old="", new=""):
    """A fresh copy of a module, one piece of its source replaced wherever it occurs."""
    original = importlib.import_module(name)
    source = Path(original.__file__).read_text()
    assert old in source, f"{name} no longer contains {old!r}"
    module = types.ModuleType(name)
    module.__package__ = original.__package__
    exec(compile(source.replace(old, new), original.__file__, "exec"), module.__dict__)
    return module


def recurrence(form, old="", new="", launch=None):
    """A copy of minindrnn.gpu.recurrence whose public functions use the kernels of a form, launched by
    launch(kernel, arrays), or as the module does it."""
    module = copied("minindrnn.gpu.recurrence", old, new)
    original = module.launch
    axes = {row.of(module, dtype).py_func.__qualname__: [int(kind[1]) for kind in row.types.split()]
            for row in KERNELS if row.module == "recurrence" for dtype in FLOATS}

    def shaped(kernel, a, u, h0, *arrays):
        """The arrays with the axes that the obvious kernels know them by."""
        arrays, B = (a, u, h0, *arrays), h0.size // u.size
        shape = a.size // h0.size, B, u.size
        arrays = [array.reshape(shape[-count:]) if count > 1 else array
                  for array, count in zip(arrays, axes[kernel.py_func.__qualname__], strict=True)]
        (launch or original)(kernel, *arrays)

    module.launch = shaped
    if form == "OBVIOUS":
        module.TUNED = {(name, dtype): pair for name, pair in module.OBVIOUS.items() for dtype in FLOATS}
    return module


class Interpreter:
    """Launches kernels by compiling them and running the PTX; keeps the text and the counters of each."""

    def __init__(self):
        self.texts, self.counters = {}, {}
        self.writes = {row.of(importlib.import_module(f"minindrnn.gpu.{row.module}"), dtype).py_func.__qualname__:
                       row.writes.split() for row in KERNELS for dtype in FLOATS}

    def launch(self, kernel, grid, block, arrays, dynamic=0):
        name = kernel.py_func.__qualname__
        arguments = dict(zip(inspect.signature(kernel.py_func).parameters, arrays, strict=True))
        kinds = [(array.dtype, array.ndim) if isinstance(array, np.ndarray) else type(array) for array in arrays]
        key = kernel, *kinds
        if key not in self.texts:
            self.texts[key] = compiler.compile_ptx(kernel, arrays, (8, 0))
        self.counters[name.split(".")[-1]] = ptx.run(self.texts[key], arguments, grid, block, self.writes[name], dynamic)


def decorated():
    """(module, name within it) of every function of minindrnn.gpu that is compiled as a kernel."""
    def search(node, outer):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                for decorator in child.decorator_list:
                    call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
                    device = any(keyword.arg == "device" for keyword in call.keywords)
                    if ast.unparse(call.func) == "cuda.jit" and not device:
                        yield outer + child.name
                yield from search(child, f"{outer}{child.name}.<locals>.")
            else:
                yield from search(child, outer)

    for path in sorted(Path(minindrnn.gpu.__file__).parent.glob("*.py")):
        for name in search(ast.parse(path.read_text()), ""):
            yield path.stem, name
