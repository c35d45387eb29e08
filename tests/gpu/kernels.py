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
import itertools
import types
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import ptx
from numba import cuda, typeof

import minindrnn.gpu
from minindrnn.gpu import compiler
from minindrnn.gpu.recurrence import AHEAD
from minindrnn.ops.activations import KIND

FLOATS = np.dtype(np.float32), np.dtype(np.float64)


class Kernel(NamedTuple):
    module: str
    name: str
    of: Callable                 # module, dtype -> the kernel
    types: str
    writes: str = ""
    together: int = 0            # loads from global memory that must be issued together, at least
    registers: tuple = (0, 0)    # of a thread, float32 and float64, where more than test_compiled.py allows all others

    def arguments(self, dtype):
        """Arrays and numbers of the types that the kernel is called with, one element each."""
        kinds = {"f": dtype, "i": np.dtype(np.int64), "u": np.dtype(np.uint64), "b": np.dtype(bool)}
        for kind, *axes in self.types.split():
            yield np.ones((1,) * int(axes[0]), kinds[kind]) if axes else 1 if kind == "i" else kinds[kind].type(1)


def recurrences():
    for activation in sorted(KIND):
        for form, types_of, together, registers in (               # in float64 each load ahead takes two
                ("OBVIOUS", ("f3 f1 f2 i1 f3", "f3 f1 f2 f3 i1 f3 f2 f2"), (0, 0), (0, 72)),
                ("TUNED", ("f1 f1 f1 i1 f1", "f1 f1 f1 f1 i1 f1 f1 f1"), (AHEAD, 2 * AHEAD), (0, 96))):
            for back, (direction, writes) in enumerate([("forward", "h"), ("backward", "da du dh0")]):
                def of(module, dtype, form=form, activation=activation, back=back):
                    return (module.OBVIOUS[activation] if form == "OBVIOUS" else module.TUNED[activation, dtype])[back]
                name = f"{form.lower()} {activation} {direction}"
                yield Kernel("recurrence", name, of, types_of[back], writes, together[back], registers)


def named(module, name, types_of, writes):
    """A kernel for all dtypes, by its name in the module."""
    return Kernel(module, name, lambda module, dtype: getattr(module, name), types_of, writes)


def typed(module, table, types_of, writes, *key, **limits):
    """A kernel of a table that has one for each dtype."""
    return Kernel(module, " ".join([table.lower(), *key]),
                  lambda module, dtype: getattr(module, table)[(*key, dtype) if key else dtype], types_of,
                  writes, **limits)


KERNELS = [
    *recurrences(),
    named("recurrence", "over_sequences", "f2 f1", "du"),
    # 16 sums and 8 factors in registers, in float64 two of them each: two blocks of 256 share a processor.
    *(typed("linear", "PRODUCT", "f1 f1 f1 f1 i i i i", "C", layout, registers=(96, 96))
      for layout in ("NT", "NN", "TN")),
    typed("reduce", "SUM", "f1 i f1", "part"),
    typed("batchnorm", "POWERS", "f1 f1 f1 f1 i1 f1", "part"),
    typed("batchnorm", "PRODUCTS", "f1 f1 f1 f1 i1 f1", "part"),
    named("batchnorm", "average", "f1 f1 f f1", "mean"),
    named("batchnorm", "variance", "f1 f f1 f1", "rest var"),
    named("batchnorm", "normalise", "f1 f1 f1 f1 f f1 f1 f1 i1 f1", "y"),
    named("batchnorm", "gains", "f1 f1 f1 f f1 f1", "dgamma dbeta"),
    named("batchnorm", "spread", "f1 f1 f1 f1 f1 f f1 f1 f1 f f1 i1 f1", "dx"),
    named("batchnorm", "move", "f1 f1 f f f1 f1", ""),
    named("dropout", "keep", "u u f f1", "mask"),
    named("dropout", "multiply", "f1 f1 f1", "y"),
    named("combinators", "plus", "f1 i f1 i i1 f1", "z"),
    named("combinators", "join", "f1 f1 i i i1 f1", "z"),
    named("padding", "second", "f1 i i i1 f1", "y"),
    named("combinators", "pick", "f1 i i1 f1", "y"),
    named("combinators", "place", "f1 i i1 f1", "x"),
    named("losses", "squares", "f1 f1 f f1 f1", "terms dy"),
    named("losses", "log_sums", "f1 i1 f f1 f1", "terms dy"),
    named("bounds", "squares", "f1 f f1", "square"),
    named("bounds", "pull", "f1 f f f1 f1 f1", ""),
    named("optim", "adam", "f1 f1 f1 f1 f f f f f f f f", ""),
    named("bench", "two_streams", "f1 f1", "y"),
    named("bench", "three_streams", "f1 f1 f1", "z"),
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


def recurrence(form, old="", new=""):
    """A copy of minindrnn.gpu.recurrence whose public functions use the kernels of a form."""
    module = copied("minindrnn.gpu.recurrence", old, new)
    launch = module.launch
    axes = {place(row.of(module, dtype)): [int(kind[1]) for kind in row.types.split()]
            for row in KERNELS if row.module == "recurrence" for dtype in FLOATS}

    def shaped(kernel, inputs, outputs):
        """The arrays with the axes that the obvious kernels know them by."""
        a, u, h0, *_ = inputs
        shape = a.size // h0.size, h0.size // u.size, u.size
        arrays = [array.reshape(shape[-count:]) if count > 1 else array
                  for array, count in zip((*inputs, *outputs), axes[place(kernel)], strict=True)]
        launch(kernel, arrays[:len(inputs)], arrays[len(inputs):])

    if form == "OBVIOUS":
        module.launch = shaped
        module.TUNED = {(name, dtype): pair for name, pair in module.OBVIOUS.items() for dtype in FLOATS}
    return module


class Interpreter:
    """Launches kernels by compiling them and running the PTX; keeps the text and the counters of each."""

    def __init__(self):
        self.texts, self.counters, self.writes, self.types = {}, {}, {}, set()
        for row, dtype in itertools.product(KERNELS, FLOATS):
            kernel = row.of(importlib.import_module(f"minindrnn.gpu.{row.module}"), dtype)
            self.writes[place(kernel)] = row.writes.split()
            self.types.add((place(kernel), *map(typeof, row.arguments(dtype))))

    def launch(self, kernel, grid, block, arrays):
        arrays = [array.host if isinstance(array, DeviceArray) else getattr(array, "value", array) for array in arrays]
        arguments = dict(zip(inspect.signature(kernel.py_func).parameters, arrays, strict=True))
        key = kernel, *((array.dtype, array.ndim) if isinstance(array, np.ndarray) else type(array) for array in arrays)
        if key not in self.texts:
            found = place(kernel), *map(typeof, arrays)
            assert found in self.types, f"{found}: launched for other types than its row has"
            self.texts[key] = compiler.compile_ptx(kernel, arrays, (8, 0))
        self.counters[place(kernel)] = ptx.run(self.texts[key], arguments, grid, block, self.writes[place(kernel)])

    def install(self):
        """From now on, in this process, kernel[grid, block](...) comes here, and device arrays are DeviceArrays."""
        importlib.import_module("minindrnn.gpu.linear").CUBLAS = False
        kind = type(minindrnn.gpu.recurrence.over_sequences)
        kind.__getitem__ = lambda kernel, launch: lambda *arrays: self.launch(kernel, *launch[:2], arrays)
        cuda.is_available, cuda.synchronize = lambda: True, lambda: None
        cuda.current_context = lambda: types.SimpleNamespace(device=types.SimpleNamespace(id=0))
        cuda.to_device = lambda array: DeviceArray(array.copy())
        cuda.device_array = lambda shape, dtype, stream=0: DeviceArray(
            np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype))
        return self


def place(kernel):
    """The module of a kernel and its name within it."""
    return kernel.py_func.__module__.split(".")[-1], kernel.py_func.__qualname__


class DeviceArray:
    """What stands in for Numba's array on the device: an array on the host that is seen only through its methods."""

    def __init__(self, host):
        self.host = host

    def __getattr__(self, name):
        if name not in ("shape", "dtype", "size", "ndim", "strides", "itemsize"):
            raise AttributeError(name)
        return getattr(self.host, name)

    def __getitem__(self, index):
        return DeviceArray(self.host[index])

    def ravel(self):
        return self.reshape(-1)

    def reshape(self, *shape):
        return DeviceArray(self.host.reshape(*shape, copy=False))

    def copy_to_host(self, host=None):
        if host is None:
            return self.host.copy()
        host[...] = self.host

    def copy_to_device(self, host):
        self.host[...] = host.host if isinstance(host, DeviceArray) else host


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
