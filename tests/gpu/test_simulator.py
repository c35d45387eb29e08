"""Tier 1 of the GPU kernels: their logic, in Numba's CUDA simulator, by the same contract suite as every backend.

The simulator must be chosen before Numba is imported, so the suite runs in a process of its own. It shows indexing and
arithmetic; it shows neither float32 rounding as the compiler does it, nor races, nor speed.
"""
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.tutorial6

TESTS = Path(__file__).parent.parent


@pytest.mark.once
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="this is the simulator's process")
def test_the_contract_in_the_simulator():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           str(TESTS / "test_contract.py"), "-k", "simulator"],
                          cwd=TESTS.parent, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout and "failed" not in done.stdout


OBVIOUS_AND_TUNED = """
import numpy as np
from minindrnn.gpu.recurrence import OBVIOUS, TUNED, launch
rng = np.random.default_rng(0)
for T, B, N in ((1, 1, 1), (7, 2, 3), (8, 1, 5), (9, 3, 2), (17, 2, 2), (26, 1, 3)):
    steps = rng.integers(1, T + 1, B)
    for (name, dtype), (forward, backward) in TUNED.items():
        a, dh = rng.normal(size=(2, T, B, N)).astype(dtype)
        u, h0 = rng.uniform(-1.2, 1.2, N).astype(dtype), rng.normal(size=(B, N)).astype(dtype)
        results = []
        for flat, (onward, back) in ((False, OBVIOUS[name]), (True, (forward, backward))):
            h, da, du, dh0 = (np.zeros_like(array) for array in (a, a, h0, h0))
            see = (lambda array: array.reshape(-1)) if flat else (lambda array: array)
            launch(onward, (see(a), u, see(h0), steps), (see(h),))
            launch(back, (see(dh), u, see(h0), see(h), steps), (see(da), see(du), see(dh0)))
            results.append((h, da, du, dh0))
        for one, two in zip(*results):
            assert np.array_equal(one, two), (T, B, N, name, dtype)
print("equal")
"""


@pytest.mark.once
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="this is the simulator's process")
def test_the_tuned_kernels_give_the_bits_of_the_obvious_ones(tmp_path):
    done = subprocess.run([sys.executable, "-c", OBVIOUS_AND_TUNED], cwd=tmp_path,
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "equal\n", done.stderr
