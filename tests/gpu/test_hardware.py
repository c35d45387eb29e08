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
