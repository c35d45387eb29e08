"""The PTX in tutorials/ptx, which tutorial 6 shows and executes: a fresh compilation of the same kernels, by whatever
compiler is here, issues as many loads together and computes the same bits."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tutorial6

TESTS = Path(__file__).parent.parent
TEXTS = TESTS.parent / "tutorials/ptx"
sys.path[:0] = [str(TESTS / "gpu"), str(TEXTS)]
import ptx
from compile_kernels import KERNELS, text
from ptx_memory import PTXError

from minindrnn.gpu import compiler


def executed(name, source):
    """What the kernel leaves in its arrays, or how the interpreter stops it."""
    rng, (T, B, N), steps = np.random.default_rng(0), (19, 3, 5), np.array([19, 8, 1])
    a, h, out = rng.normal(size=(3, T, B, N)).astype(np.float32)
    u, h0 = rng.uniform(-1.2, 1.2, N).astype(np.float32), rng.normal(size=(B, N)).astype(np.float32)
    arrays = {"forward": (a, u, h0, steps, out), "backward": (a, u, h0, h, steps, out, h0 + 1, h0 + 2),
              "racing": (h0, u), "tenth": (a, out)}[name.split("_")[-1]]
    if name != "obvious_forward":
        arrays = [array.ravel() for array in arrays]
    try:
        ptx.run(source, dict(enumerate(arrays)), 3, 100)
    except PTXError as error:
        return str(error).rpartition(": ")[2]
    return b"".join(array.tobytes() for array in arrays)


def test_every_kernel_has_its_text_and_no_other():
    assert {path.stem for path in TEXTS.glob("*.ptx")} == set(KERNELS)


@pytest.mark.parametrize("name, old, new", [
    ("obvious_forward", "setp.le.f32", "setp.ge.f32"), ("tuned_forward", "setp.le.f32", "setp.ge.f32"),
    ("tuned_backward", "sub.f32", "add.f32"), ("tenth", "0d3FB999999999999A", "0d3FB99999A0000000"),
    ("racing", "setp.ge.s64", "setp.lt.s64")])
def test_another_program_is_noticed(name, old, new):
    assert old in text(name)
    assert executed(name, text(name).replace(old, new)) != executed(name, text(name))


def test_the_race_is_one():
    assert executed("racing", text("racing")).startswith("data race")


def test_a_fresh_compilation_computes_the_same(tmp_path):
    if reason := compiler.missing():
        pytest.skip(reason)
    done = subprocess.run([sys.executable, TEXTS / "compile_kernels.py", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in KERNELS:
        fresh = (tmp_path / f"{name}.ptx").read_text()
        assert compiler.loads_together(fresh) == compiler.loads_together(text(name)), name
        assert executed(name, fresh) == executed(name, text(name)), name
        assert (".f64 " in fresh) == (".f64 " in text(name)) == (name == "tenth")
