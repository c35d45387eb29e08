"""The PTX in tutorials/ptx, which tutorial 6 shows and executes: a fresh compilation of the same kernels, by whatever
compiler is here, issues as many loads together and computes the same bits."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).parent.parent
TEXTS = TESTS.parent / "tutorials/ptx"
sys.path[:0] = [str(TESTS / "gpu"), str(TEXTS)]
import ptx
from compile_kernels import KERNELS, text
from ptx_memory import PTXError

from minindrnn.gpu import compiler


def executed(name, source):
    """What the kernel leaves in its arrays, or how the interpreter stops it."""
    rng, (T, B, N) = np.random.default_rng(0), (19, 3, 5)
    shape, steps = (T, B, N) if name == "obvious_forward" else -1, np.array([19, 8, 1])
    a, h = rng.normal(size=(2, T, B, N)).astype(np.float32)
    u, h0 = rng.uniform(-1.2, 1.2, N).astype(np.float32), rng.normal(size=(B, N)).astype(np.float32)
    da, columns, dh0 = np.zeros_like(a), np.zeros_like(h0), np.zeros_like(h0)
    arrays = {"obvious_forward": (a, u, h0, steps, da), "tuned_forward": (a, u, h0, steps, da),
              "tuned_backward": (a, u, h0, h, steps, da, columns, dh0), "racing": (h0, u), "tenth": (a, da)}[name]
    arrays = {str(i): array if shape != -1 else array.ravel() for i, array in enumerate(arrays)}
    try:
        ptx.run(source, arrays, 4, 4 if "forward" in name or "backward" in name or name == "racing" else 100)
    except PTXError as error:
        return str(error).rpartition(": ")[2]
    return b"".join(array.tobytes() for array in arrays.values())


def test_every_kernel_has_its_text_and_no_other():
    assert {path.stem for path in TEXTS.glob("*.ptx")} == set(KERNELS)


@pytest.mark.parametrize("name, old, new", [
    ("obvious_forward", "selp.f32", "selp.f32 "), ("obvious_forward", "setp.le.f32", "setp.ge.f32"),
    ("tuned_forward", "setp.le.f32", "setp.ge.f32"), ("tuned_backward", "sub.f32", "add.f32"),
    ("tenth", "0d3FB999999999999A", "0d3FB99999A0000000"), ("racing", "bra 	$L__BB0_8", "bra 	$L__BB0_7")])
def test_another_program_is_noticed(name, old, new):
    assert old in text(name)
    assert (executed(name, text(name).replace(old, new)) == executed(name, text(name))) == (old == new.strip())


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
