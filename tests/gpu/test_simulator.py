"""Tier 1 of the GPU kernels: their logic, in Numba's CUDA simulator, by the same contract suite as every backend.

The simulator must be chosen before Numba is imported, so the suite runs in a process of its own. It shows indexing and
arithmetic; it shows neither float32 rounding as the compiler does it, nor races, nor speed.
"""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minindrnn.gpu
from minindrnn.gpu.recurrence import NoGPU

TESTS = Path(__file__).parent.parent


@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="this is the simulator's process")
def test_the_contract_in_the_simulator():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / "test_contract.py"), "-k", "simulator"],
                          cwd=TESTS.parent, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout and "failed" not in done.stdout


def test_asking_for_a_gpu_without_one_says_what_is_missing(monkeypatch):
    from numba import cuda
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(NoGPU, match="no CUDA device was found: install the cuda12 or cuda13 extra"):
        minindrnn.gpu.indrnn_forward(np.ones((2, 1, 1)), np.ones(1))
