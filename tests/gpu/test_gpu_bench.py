"""The bench of the device: every section runs in the simulator, on tiny arrays and by another clock, and moves what it
says; without a GPU it is one line."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from minindrnn.cli.commands import main

SIMULATED = """
import sys
import simulator
from minindrnn.bench import timing
from minindrnn.cli.commands import main
from minindrnn.gpu import bench as device

simulator.make_small("minindrnn.gpu")
device.SIZES, device.COPIED, device.BLOCKS, device.BLOCK = {"small": (9, 2, 3)}, 64, 2, 4
device.LAYERS, device.STEPS = [(4, 2, 2, 3)], {"small": (4, 2, 2, 3, 1, dict(norm="after", dropout=0.1))}
device.seconds(lambda: None)                                   # bogus: the simulator has no clock
device.seconds = timing.wall
original = timing.interleaved
device.interleaved = lambda functions, clock, **options: original(functions, 2, 0, clock)
sys.exit(main(["bench", "--device", "cuda", "--json"]))
"""


@pytest.mark.once
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="this is the simulator's process")
def test_every_section_runs_in_the_simulator(tmp_path, request):
    done = subprocess.run([sys.executable, "-c", SIMULATED], capture_output=True, text=True, cwd=tmp_path,
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(request.path.parent)})
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["section"] for row in rows] == ["limits"] * 2 + ["kernels"] * 6 + ["steps", "peers"]
    assert all(0 < row["low"] <= row["median"] <= row["high"] for row in rows)


MOVED = """
import numpy as np
from numba import cuda
import reference
from minindrnn.gpu import bench as device

device.BLOCKS, device.BLOCK = 2, 4
arrays, original = [], cuda.to_device
cuda.to_device = lambda array: arrays.append(original(array)) or arrays[-1]
functions = device.recurrence(9, 2, 3)
a, dh, h, da, h0, du, dh0, u, steps = arrays
a, dh, u = (array.copy_to_host() for array in (a, dh, u))
expected, cache = reference.indrnn_forward(a, u)
da_expected, du_expected, dh0_expected = reference.indrnn_backward(dh, cache)
for form in ("obvious", "tuned"):
    h[:] = 0
    functions[f"forward, {form}"]()
    assert np.allclose(h.copy_to_host(), expected, atol=1e-5)
    da[:], du[:], dh0[:] = 0, 0, 0
    functions[f"backward, {form}"]()
    for array, wanted in ((da, da_expected), (dh0, dh0_expected)):
        assert np.allclose(array.copy_to_host(), wanted, atol=1e-5)
    assert np.allclose(du.copy_to_host().sum(axis=0), du_expected, atol=1e-5)
functions["two streams"]()
assert np.array_equal(h.copy_to_host(), a)
functions["three streams"]()
assert np.array_equal(da.copy_to_host(), dh + a)
print("as the reference")
"""


@pytest.mark.once
@pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="this is the simulator's process")
def test_what_is_timed_is_the_recurrence(request):
    done = subprocess.run([sys.executable, "-c", MOVED], cwd=request.path.parent.parent, capture_output=True, text=True,
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"})
    assert done.stdout == "as the reference\n", done.stderr


def test_without_a_gpu_it_is_one_line(capsys, monkeypatch):
    from numba import cuda
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--device", "cuda"])
    assert caught.value.code == 2
    said, = capsys.readouterr().err.splitlines()
    assert said.startswith("python -m minindrnn bench: no CUDA device was found: install the cuda12 or cuda13 extra")


def test_sections_are_those_of_the_device(capsys, monkeypatch):
    from numba import cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    with pytest.raises(SystemExit) as caught:
        main(["bench", "streaming", "--device", "cuda"])
    assert caught.value.code == 2
    assert "expected some of the sections limits, kernels, steps, peers, got streaming" in capsys.readouterr().err


@pytest.mark.gpu
def test_memory_is_timed_on_a_gpu(monkeypatch):
    """A GPU copies at more than 10 and less than 100 000 GB/s: the clock is that of the device."""
    from minindrnn.gpu import bench as device
    rows = list(device.limits())
    assert len(rows) == 2 and all(10 < row["median"] < 1e5 for row in rows)
    monkeypatch.setattr(device, "SIZES", {"small": (9, 2, 3)})
    assert all(np.isfinite(row["median"]) for row in device.kernels())
