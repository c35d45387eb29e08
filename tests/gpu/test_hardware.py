"""Tier 4: on an NVIDIA GPU, where there is one, every operation and whole steps of training beside the CPU.

`pytest -m gpu` runs these, the contract of the recurrence (tests/test_contract.py) and the bench of the device. Without
a GPU they are skipped; in the simulator and as compiled PTX the same operations go through test_compiled.py.
"""
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent)]
import operations

import minindrnn
import minindrnn.gpu

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float64)], ids=str)
@pytest.mark.parametrize("name", operations.OPERATIONS)
def test_as_on_the_cpu(name, dtype):
    assert operations.different(name, dtype) is None


def test_a_step_twice_gives_the_same_bits():
    """No sum depends on the order in which threads happen to run."""
    once, again = ([got.copy_to_host() if hasattr(got, "copy_to_host") else np.array(got)
                    for _, got, _ in operations.steps(np.dtype(np.float32))] for _ in range(2))
    assert all(np.array_equal(one, two) for one, two in zip(once, again, strict=True))


def drawn(dtype, T=50, B=3, N=40):
    """a, u, h0, dh of the recurrence."""
    rng = np.random.default_rng(1)
    a, dh = rng.normal(size=(2, T, B, N)).astype(dtype)
    return a, rng.uniform(-1, 1, N).astype(dtype), rng.normal(size=(B, N)).astype(dtype), dh


def results(module, a, u, h0, dh):
    h, cache = module.indrnn_forward(a, u, h0)
    return h, *module.indrnn_backward(dh, cache)


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_arrays_of_other_libraries(library):
    """They are used where they are, on the stream their library works on, and results are of their kind."""
    other = pytest.importorskip(library)
    arrays = drawn(np.float32)
    if library == "torch":
        stream = other.cuda.Stream()
        with other.cuda.stream(stream):
            got = [array.cpu().numpy()
                   for array in results(minindrnn.gpu, *(other.from_numpy(array).cuda() for array in arrays))]
    else:
        with other.cuda.Stream(non_blocking=True):
            got = [array.get() for array in results(minindrnn.gpu, *map(other.asarray, arrays))]
    for one, wanted in zip(got, results(minindrnn, *arrays), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-5, atol=1e-5)


def test_the_function_for_pytorch_has_the_right_gradient():
    torch = pytest.importorskip("torch")
    function = operations.recurrence_of_pytorch()
    a, u, h0, _ = drawn(np.float64, T=4, B=2, N=3)
    for activation in minindrnn.ops.activations.KIND:
        inputs = [torch.from_numpy(array).cuda().requires_grad_() for array in (a, u, h0)]
        assert torch.autograd.gradcheck(lambda *x: function.apply(*x, activation), inputs)
