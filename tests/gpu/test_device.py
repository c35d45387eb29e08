"""Arrays of other libraries in and out of minindrnn.gpu, in the simulator.

The simulator's device arrays lack the `__cuda_array_interface__`, and it cannot open that of others. So `Foreign`
lends its own (its memory being the host's), and `open_interface` stands in for `numba.cuda.as_cuda_array`; all between
the two is the real thing. A CPU tensor of PyTorch needs neither.
"""
import ctypes
import importlib.util
import os
import subprocess
import sys
import types
from math import prod
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent)]
import operations

import minindrnn
import minindrnn.gpu
from minindrnn.gpu import device
from minindrnn.gpu.device import NoGPU
from minindrnn.gpu.recurrence import OBVIOUS, TUNED, launch, over_sequences

simulated = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
simulator = pytest.mark.skipif(not simulated, reason="in the simulator's process")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.skipif(simulated, reason="this is the simulator's process")
def test_in_the_simulator():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
                          cwd=Path(__file__).parents[2],
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout


def test_asking_for_a_gpu_without_one_says_what_is_missing(monkeypatch):
    from numba import cuda
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(NoGPU, match="no CUDA device was found: install the cuda12 or cuda13 extra"):
        minindrnn.gpu.indrnn_forward(np.ones((2, 1, 1)), np.ones(1))


def test_small_grids_are_launched_in_silence(tmp_path):
    bold = "\x1b[1mGrid size 4 will likely result in GPU under-utilization due to low occupancy.\x1b[0m"
    program = ("import minindrnn.gpu.recurrence as module, warnings; module.over_sequences[1, 32]; "
               f"warnings.warn('{bold}')")
    done = subprocess.run([sys.executable, "-c", program],
                          cwd=tmp_path, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "0"}, capture_output=True, text=True)
    assert done.returncode == 0 and "Grid size" not in done.stderr, done.stderr


class Foreign:
    """An array that only its interface tells about, as CuPy's arrays and PyTorch's tensors on a GPU."""

    def __init__(self, array, stream=None):
        self.array, self.stream, self.shape, self.dtype = array, stream, array.shape, array.dtype

    @property
    def __cuda_array_interface__(self):
        strides = None if self.array.flags.c_contiguous else self.array.strides
        return ({"shape": self.array.shape, "typestr": self.array.dtype.str, "strides": strides, "version": 3,
                 "data": (self.array.ctypes.data, False)} | ({"stream": self.stream} if self.stream else {}))


class Stream(int):
    """Stands in for a Numba stream."""


@pytest.fixture
def waited(monkeypatch):
    """Streams that were waited for; opening interfaces works within."""
    from numba import cuda
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
    waited = []

    def open_interface(array, sync=True):
        facts = array.__cuda_array_interface__
        dtype = np.dtype(facts["typestr"])
        pieces = (ctypes.c_char * (prod(facts["shape"]) * dtype.itemsize)).from_address(facts["data"][0])
        if sync and facts.get("stream"):
            waited.append(facts["stream"])
        strides = facts["strides"]
        return FakeCUDAArray(np.ndarray(facts["shape"], dtype, pieces, strides=strides), facts.get("stream", 0))
    monkeypatch.setattr(cuda, "as_cuda_array", open_interface, raising=False)
    monkeypatch.setattr(cuda, "external_stream", Stream, raising=False)
    return waited


def problem(dtype, T=11, B=3, N=5):
    rng = np.random.default_rng(1)
    a, dh = rng.normal(size=(2, T, B, N)).astype(dtype)
    return a, rng.uniform(-1.2, 1.2, N).astype(dtype), rng.normal(size=(B, N)).astype(dtype), dh


def results(module, a, u, h0, dh, **options):
    h, cache = module.indrnn_forward(a, u, h0, **options)
    return h, *module.indrnn_backward(dh, cache)


@simulator
@pytest.mark.parametrize("kind", ["numba", "interface"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lengths", [None, [11, 1, 7]])
def test_arrays_on_the_device_are_used_where_they_are(kind, dtype, lengths, waited):
    from numba import cuda
    own = cuda.to_device if kind == "numba" else Foreign
    *arrays, dh = problem(dtype)
    if lengths:
        arrays[0][np.arange(11)[:, None] >= lengths] = np.nan
        dh[np.arange(11)[:, None] >= lengths] = np.nan
    for h0 in (arrays[2], None):
        wanted = results(minindrnn.gpu, *arrays[:2], h0, dh, lengths=lengths)
        got = results(minindrnn.gpu, own(arrays[0]), own(arrays[1]), None if h0 is None else own(h0), own(dh),
                      lengths=lengths)
        for name, one, two in zip(("h", "da", "du", "dh0"), got, wanted):
            assert type(one) is type(cuda.to_device(dh)) and one.dtype == dtype
            if name == "du":                               # a sum over three sequences: compensated, or in float64
                np.testing.assert_allclose(one.copy_to_host(), two, rtol=1e-6 if dtype == np.float32 else 1e-14)
            else:
                np.testing.assert_array_equal(one.copy_to_host(), two)
    assert not waited


@simulator
def test_arrays_of_the_host_are_only_read():
    arrays, lengths = problem(np.float64), np.array([11, 1, 7])
    for array in (*arrays, lengths):
        array.flags.writeable = False
    for got, wanted in zip(results(minindrnn.gpu, *arrays, lengths=lengths),
                           results(minindrnn, *arrays, lengths=lengths)):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


@simulator
@pytest.mark.parametrize("see, kernels", [
    (np.asarray, OBVIOUS["relu"]), (np.ravel, TUNED["relu", np.dtype(np.float32)])])
def test_du_keeps_its_digits_over_many_steps(see, kernels):
    T, u, steps = 20_000, np.array([0.5], np.float32), np.array([20_000])
    a, dh, da = np.full((T, 1, 1), 0.3, np.float32), np.ones((T, 1, 1), np.float32), np.zeros((T, 1, 1), np.float32)
    h0, du, dh0 = np.zeros((3, 1, 1), np.float32)
    h, _ = minindrnn.indrnn_forward(a, u)
    launch(kernels[1], (see(dh), u, see(h0), see(h), steps), (see(da), see(du), see(dh0)))
    _, exact, _ = minindrnn.indrnn_backward(dh.astype(float),
                                            minindrnn.indrnn_forward(a.astype(float), u.astype(float))[1])
    np.testing.assert_allclose(du[0], exact, rtol=2e-7)


@simulator
def test_du_keeps_its_digits_over_many_sequences():
    columns, du = np.full((30_000, 2), 0.1, np.float32), np.zeros(2, np.float32)
    device.launch(over_sequences, 2, 32, columns, du)
    np.testing.assert_allclose(du, 3000, rtol=1e-7)


@simulator
@pytest.mark.parametrize("change, error, message", [
    ({"u": np.zeros(3)}, ValueError, "u: expected (N,) = (4,), got (3,); a has shape (T, B, N) = (6, 2, 4)"),
    ({"h0": np.zeros((2, 3))}, ValueError,
     "h0: expected (B, N) = (2, 4), got (2, 3); a has shape (T, B, N) = (6, 2, 4)"),
    ({"a": np.zeros((6, 0, 4))}, ValueError, "a: expected at least one element along each of (T, B, N), got (6, 0, 4)"),
    ({"a": np.zeros((6, 2, 4), int)}, TypeError, "a: expected float32 or float64, got int64"),
    ({"u": np.zeros(4, np.float32)}, TypeError, "u: expected float64 like a, got float32"),
    ({"a": np.zeros((4, 2, 6)).T}, ValueError,
     "a: expected a C-contiguous array (T, B, N), got strides (8, 48, 96); use np.ascontiguousarray(a)"),
])
@pytest.mark.parametrize("kind", ["numba", "interface"])
def test_errors_are_those_of_numpy_arrays(change, error, message, kind, waited):
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
    arrays = {"a": np.zeros((6, 2, 4)), "u": np.zeros(4), "h0": np.zeros((2, 4))} | change
    own = FakeCUDAArray if kind == "numba" else Foreign
    with pytest.raises(error) as caught:
        minindrnn.gpu.indrnn_forward(*(own(array) for array in arrays.values()))
    assert str(caught.value) == message


@simulator
@pytest.mark.parametrize("given, of_a, of_u, runs_on, waits_for", [
    (None, None, None, 0, []),               # nobody says anything: the default stream
    (None, 7, 7, 7, []),                     # that of a, where u is used as well
    (None, 7, None, 7, []),
    (None, 7, 9, 7, [9]),                    # u is used on another one
    (5, 7, 7, 5, [7, 7]),                    # the caller's word goes first
    (5, 5, 5, 5, []),
    (None, 1, 1, 1, []),                     # 1 is the default stream by its other name
    (0, 1, 1, 0, []),
])
def test_kernels_run_on_the_stream_of_their_arrays(given, of_a, of_u, runs_on, waits_for, waited, monkeypatch):
    launches, kind = [], type(over_sequences)
    configured = kind.__getitem__

    def noted(kernel, configuration):
        launches.append(int(configuration[2]))
        return configured(kernel, configuration)
    monkeypatch.setattr(kind, "__getitem__", noted)
    a, u, _, dh = problem(np.float64)
    _, cache = minindrnn.gpu.indrnn_forward(Foreign(a, of_a), Foreign(u, of_u), stream=given)
    assert launches == [runs_on] and waited == waits_for and device._stream.get() == 0
    minindrnn.gpu.indrnn_backward(Foreign(dh, of_a), cache, stream=given)
    assert launches == [runs_on] * 3


@simulator
def test_cupy_and_pytorch_make_their_own_results(waited, monkeypatch):
    """Their own functions are asked for new arrays, since they know their memory best."""
    class Tensor(Foreign):
        is_cuda, device = True, "cuda:0"

        def new_empty(self, shape):
            return Tensor(np.empty(shape, self.dtype))

    class Array(Foreign):
        pass
    Tensor.__module__, Array.__module__ = "torch", "cupy"
    current = types.SimpleNamespace(cuda_stream=3)
    monkeypatch.setitem(sys.modules, "torch",
                        types.SimpleNamespace(cuda=types.SimpleNamespace(current_stream=lambda device: current)))
    monkeypatch.setitem(sys.modules, "cupy",
                        types.SimpleNamespace(empty=lambda shape, dtype: Array(np.empty(shape, dtype))))
    arrays = problem(np.float32)
    for kind in (Tensor, Array):
        for got, wanted in zip(results(minindrnn.gpu, *map(kind, arrays)), results(minindrnn, *arrays)):
            assert type(got) is kind
            np.testing.assert_allclose(got.array, wanted, rtol=1e-5, atol=1e-5)
    assert device.stream_of(Tensor(arrays[0])) == 3 and device.stream_of(Array(arrays[0])) == 0


@simulator
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_function_for_pytorch_has_the_right_gradient():
    import torch
    function = operations.recurrence_of_pytorch()
    a, u, h0, dh = map(torch.from_numpy, problem(np.float64, T=4, B=2, N=3))
    for activation in ("tanh", "sigmoid", "relu", "identity"):
        inputs = [tensor.clone().requires_grad_() for tensor in (a, u, h0)]
        assert torch.autograd.gradcheck(lambda *x: function.apply(*x, activation), inputs)
    h = function.apply(*inputs)
    h.backward(dh.transpose(1, 2).contiguous().transpose(1, 2))
    for got, wanted in zip((h.detach(), *(x.grad for x in inputs)),
                           results(minindrnn, *(x.numpy() for x in (a, u, h0, dh)))):
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    with pytest.raises(RuntimeError, match="requires grad"):
        minindrnn.gpu.indrnn_forward(*inputs)
