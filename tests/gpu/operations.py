"""Every operation of minindrnn.gpu beside its twin on the CPU, on whatever stands in for the device.

OPERATIONS[name](dtype) yields (what, got, expected), where `got` may be on the device. Names are those of the modules,
but for "steps", whole steps of training: there the parameters are compared after two of them. `broken` imports
minindrnn.gpu anew with a fault in one of its modules.
"""
import importlib
import importlib.machinery
import inspect
import re
import sys
import textwrap

import numpy as np
from numba import config, cuda

import minindrnn
import minindrnn.gpu
from minindrnn.core.layer import leaves
from minindrnn.ops.bounds import penalty
from minindrnn.ops.dropout import dropout_backward, dropout_forward
from minindrnn.training.step import train_step

# T, B, M, N, lengths: what leaves something over at every border; the large ones are several tiles and groups of rows.
SIZES = [(1, 1, 1, 1, None), (3, 5, 7, 9, [3, 1, 2, 3, 3]), (5, 4, 2, 3, None)]
LARGE = [] if config.ENABLE_CUDASIM else [(13, 41, 5, 66, None), (2, 3, 40, 70, [2, 1, 2])]


def module(name):
    return importlib.import_module(f"minindrnn.gpu.{name}")


def arrays(rng, dtype, *shapes):
    """(on the host, on the device) of random numbers, for each shape."""
    for shape in shapes:
        array = rng.normal(size=shape).astype(dtype)
        yield array, cuda.to_device(array)


def linear(dtype):
    rng = np.random.default_rng(0)
    for T, B, M, N, lengths in SIZES + LARGE:
        (x, x_), (W, W_), (b, b_), (dy, dy_) = arrays(rng, dtype, (T, B, M), (N, M), (N,), (T, B, N))
        y, cache = minindrnn.linear_forward(x, W, b, lengths=lengths)
        y_, cache_ = module("linear").linear_forward(x_, W_, b_, lengths=lengths)
        yield "y", y_, y
        yield from zip(("dx", "dW", "db"), module("linear").linear_backward(dy_, cache_),
                       minindrnn.linear_backward(dy, cache))


def batchnorm(dtype):
    rng = np.random.default_rng(0)
    large = [] if config.ENABLE_CUDASIM else [(90, 3, 35, None)]
    for T, B, N, lengths in [(2, 1, 1, None), (3, 5, 7, [3, 1, 2, 3, 3]), *large]:
        for statistics in ("batch", "running"):
            (x, x_), (gamma, gamma_), (beta, beta_), (dy, dy_), (mean, mean_) = arrays(
                rng, dtype, (T, B, N), (N,), (N,), (T, B, N), (1, N))
            var = rng.uniform(0.5, 2, (1, N)).astype(dtype)
            mask = (rng.random((B, N)) < 0.7).astype(dtype) * 2
            options = dict(statistics=statistics, lengths=lengths)
            y, cache = minindrnn.batchnorm_forward(x, gamma, beta, mean, var, mask=mask, **options)
            var_, mask_, device = cuda.to_device(var), cuda.to_device(mask), module("batchnorm")
            y_, cache_ = device.batchnorm_forward(x_, gamma_, beta_, mean_.ravel(), var_.ravel(), mask=mask_, **options)
            yield "y", y_, y
            yield from zip(("dx", "dgamma", "dbeta"), device.batchnorm_backward(dy_, cache_),
                           minindrnn.batchnorm_backward(dy, cache))


def dropout(dtype):
    rng = np.random.default_rng(0)
    for T, B, N in ((1, 1, 1), (3, 4, 13)):
        (x, x_), (dy, dy_) = arrays(rng, dtype, (T, B, N), (T, B, N))
        y, cache = dropout_forward(x, 0.4, np.random.default_rng(1))
        y_, cache_ = module("dropout").dropout_forward(x_, 0.4, np.random.default_rng(1))
        yield "y", y_, y
        yield "dx", module("dropout").dropout_backward(dy_, cache_), dropout_backward(dy, cache)


def losses(dtype):
    rng = np.random.default_rng(0)
    for shape, target in (((3, 5), rng.normal(size=(3, 5)).astype(dtype)), ((4, 7), np.array([0, 6, -1, 3])),
                          ((2, 3, 4), np.array([[0, 3, -1], [1, 2, 3]]))):
        name = "mean_squared_error" if target.dtype == dtype else "cross_entropy"
        y = (100 * rng.normal(size=shape)).astype(dtype)       # exp of which is infinite in float32
        y_, loss_ = cuda.to_device(y), cuda.to_device(np.zeros(1, dtype))
        loss, dy = getattr(minindrnn, name)(y, target)
        yield "dy", getattr(module("losses"), name)(y_, target, loss_), dy
        yield "loss", loss_, np.array([loss], dtype)


def bounds(dtype):
    u = np.array([0.5, 1.5, -2.0, -0.9, np.nextafter(dtype.type(1), dtype.type(2))], dtype)
    for bound in (1.0, 3.0):
        (start, loss_), (gradient, du_) = arrays(np.random.default_rng(0), dtype, (1,), (5,))
        module("bounds").penalty(cuda.to_device(u), bound, 0.1, loss_, du_)
        loss, du = penalty(u, bound)
        yield "loss", loss_, (start + 0.1 * loss).astype(dtype)
        yield "du", du_, (gradient + 0.1 * du).astype(dtype)


def steps(dtype):
    """Stacked, residual and dense networks, every option that has a kernel of its own."""
    deep = dict(length=4, norm="after", dropout=0.2)
    for build, options, how in [
            (lambda rng: minindrnn.StackedIndRNN(2, 5, 2, 3, rng, length=4, norm="before", dropout=0.3, dtype=dtype),
             dict(decay=0.01), dict(lengths=[4, 1, 3], clip=0.05)),
            (lambda rng: minindrnn.StackedIndRNN(2, 5, 1, 3, rng, length=4, dtype=dtype), {}, dict(penalty=0.1)),
            (lambda rng: minindrnn.ResidualIndRNN(2, 5, 2, 3, rng, dtype=dtype, **deep), {}, {}),
            (lambda rng: minindrnn.DenseIndRNN(2, 3, [2, 1], 3, rng, dtype=dtype, **deep), {},
             dict(lengths=[4, 1, 3]))]:
        loss = minindrnn.mean_squared_error if "penalty" in how else minindrnn.cross_entropy
        networks = [build(np.random.default_rng(1)) for _ in range(2)]
        optimisers = [minindrnn.Adam(network.parameters, **options) for network in networks]
        for network in networks:                               # somewhere else than where it starts
            for _, parameter in leaves(network.parameters):
                parameter.value += 0.3 * np.random.default_rng(2).normal(size=parameter.value.shape).astype(dtype)
        twin, rng = module("twin").Twin(networks[1], loss, optimisers[1]), np.random.default_rng(3)
        for k in range(2):
            x, labels = rng.normal(size=(4, 3, 2)).astype(dtype), rng.integers(0, 3, 3)
            target = rng.normal(size=(3, 3)).astype(dtype) if "penalty" in how else labels
            seeds = [np.random.default_rng(4 + k) for _ in range(2)]
            value, _ = train_step(networks[0], loss, optimisers[0], x, target, 0.01, rng=seeds[0], bound=0.8, **how)
            value_, _ = twin.train_step(x, target, 0.01, rng=seeds[1], bound=0.8, **how)
            yield "loss", np.array(float(value_), dtype), np.array(value, dtype)
        twin.fetch()
        for (path, parameter), (_, parameter_) in zip(*(leaves(network.parameters) for network in networks)):
            if not (path in ("0.b", "1.b") and "clip" in how):          # no gradient but rounding, before a norm
                yield path, parameter_.value, parameter.value
        for (path, buffer), (_, buffer_) in zip(*(leaves(network.buffers) for network in networks)):
            if not (path in ("0.mean", "1.mean") and "clip" in how):
                yield path, buffer_, buffer
        x = rng.normal(size=(4, 3, 2)).astype(dtype)
        if "clip" not in how:                                  # nor a bias without a mean to match it
            yield "y", twin.forward(x)[0], networks[0].forward(x)[0]


OPERATIONS = {"linear": linear, "batchnorm": batchnorm, "dropout": dropout, "losses": losses, "bounds": bounds,
              "steps": steps}


def recurrence_of_pytorch():
    """The class Recurrence that the docstring of minindrnn.gpu shows."""
    names = {}
    exec(textwrap.dedent(re.search(r"( +import torch.*?)\n\n    h = ", inspect.getdoc(minindrnn.gpu), re.DOTALL)[1]),
         names)
    return names["Recurrence"]


def different(name, dtype):
    """What of an operation is not equal to rounding, 1e-12 or 1e-5 of the largest element; or None."""
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for what, got, expected in OPERATIONS[name](dtype):
        got = got.copy_to_host() if hasattr(got, "copy_to_host") else got
        if got.dtype != expected.dtype or got.shape != expected.shape:
            return f"{what}: {got.dtype} {got.shape}, expected {expected.dtype} {expected.shape}"
        error = np.max(np.abs(got - expected)) / max(1, np.max(np.abs(expected)))
        if not error <= tolerance:
            return f"values of {what}, {expected.shape}: {error:.0e}"
    return None


class Fault(importlib.machinery.SourceFileLoader):
    """Loads a module with one piece of its source replaced."""

    def __init__(self, name, path, old, new):
        super().__init__(name, path)
        self.old, self.new = old, new

    def get_code(self, name):
        source = self.get_data(self.path).decode()
        assert self.old in source, f"{name} no longer contains {self.old!r}"
        return self.source_to_code(source.replace(self.old, self.new), self.path)


class Finder:
    def __init__(self, name, old, new):
        self.name, self.old, self.new = name, old, new

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = Fault(name, spec.origin, self.old, self.new)
        return spec


def broken(name, old, new):
    """Import minindrnn.gpu anew, with a fault in one of its modules."""
    for loaded in [loaded for loaded in sys.modules if loaded.startswith("minindrnn.gpu")]:
        del sys.modules[loaded]
    finder = Finder(f"minindrnn.gpu.{name}", old, new)
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module("minindrnn.gpu")
        importlib.import_module("minindrnn.gpu.twin")
        importlib.import_module("minindrnn.gpu.bench")
    finally:
        sys.meta_path.remove(finder)
