"""The estimates on paper: formulas beside published examples, what is read from a program, and the whole report."""
import importlib.util
import os
import re
import subprocess
import sys

import pytest

from minindrnn.gpu import compiler
from minindrnn.gpu.__main__ import main
from minindrnn.gpu.estimate import GPUS, SHAPES, WARP, Figures, bounds, resident_blocks, tuned
from minindrnn.gpu.recurrence import AHEAD, threads_of_a_block

A100, H100 = GPUS


@pytest.mark.parametrize("block, registers, shared, warps", [
    (128, 37, 0, 48), (320, 37, 0, 40),                        # CUDA C++ Best Practices Guide, "Calculating Occupancy"
    (512, 64, 0, 32), (512, 65, 0, 16),                        # CUDA C++ Programming Guide, "Multiprocessor Level"
    (256, 32, 0, 64), (1024, 32, 0, 64), (1024, 33, 0, 32),    # at most 32 registers let all 64 warps in
    (32, 32, 0, 32), (64, 32, 0, 64),                          # at most 32 blocks
    (256, 32, 48 * 1024, 24), (256, 32, 163 * 1024, 8), (256, 32, 164 * 1024, 0),      # 1 KiB of each block is taken
])
def test_warps_that_a_processor_holds(block, registers, shared, warps):
    assert resident_blocks(A100, block, registers, shared) * -(-block // WARP) == warps


def test_figures_of_the_gpus_give_the_published_peaks():
    """19.5 and 67 TFLOPS in float32: two operations a cycle in each of 64 and 128 lanes of a processor."""
    assert round(2 * 64 * A100.processors * A100.clock / 1e12, 1) == 19.5
    assert round(2 * 128 * H100.processors * H100.clock / 1e12) == 67


def test_bounds_of_an_example():
    figures = Figures(registers=32, shared=0, together=8, ahead=8, instructions=10.5, bytes=8)
    found = bounds(A100, figures, *SHAPES["adding"])
    assert found["memory"] == pytest.approx(5000 * 50 * 128 * 8 / 2039e9)
    assert found["latency"] == pytest.approx(5000 / 8 * 500 / 1.41e9)
    assert found["issue"] == pytest.approx(5000 * 50 * 128 / 32 * 10.5 / (4 * 108 * 1.41e9))
    waves = -(-128 * 2000 // (256 * 108 * 8))
    assert threads_of_a_block(128 * 2000) == 256 and waves == 2
    assert bounds(A100, figures, *SHAPES["PTB"])["latency"] == pytest.approx(waves * 7 * 500 / 1.41e9)


MACHINE = """
.text.forward:
        /*0000*/                   LDG.E R1, desc[UR6][R2.64] ;
.L_x_1:
        /*0010*/                   LDG.E R4, desc[UR6][R2.64] ;
        /*0020*/              @!P0 LDG.E R5, desc[UR6][R2.64+0x4] ;
        /*0030*/                   FFMA R4, R4, R5, R1 ;
        /*0040*/                   STG.E desc[UR6][R2.64], R4 ;
        /*0050*/               @P1 BRA `(.L_x_1) ;
        /*0060*/                   LDG.E R4, desc[UR6][R2.64] ;
        /*0070*/                   LDG.E R5, desc[UR6][R2.64] ;
.L_x_2:
        /*0080*/                   LDG.E R5, desc[UR6][R2.64] ;
        /*0090*/                   BRA `(.L_x_2) ;
"""
PTX = """
\tld.global.f32 \t%f1, [%rd1];
$L__BB0_1:
\tld.global.f32 \t%f2, [%rd1];
\t@%p1 st.global.f32 \t[%rd1], %f2;
\t@%p1 bra \t$L__BB0_1;
\tbra.uni \t$L__BB0_2;
$L__BB0_2:
\tret;
"""


def test_what_is_read_from_a_program():
    assert compiler.instructions(MACHINE)[1:4] == [(None, ".L_x_1"), ("LDG.E", "R4, desc[UR6][R2.64] "),
                                                   ("LDG.E", "R5, desc[UR6][R2.64+0x4] ")]
    assert compiler.main_loop(MACHINE) == ["LDG.E", "LDG.E", "FFMA", "STG.E", "BRA"]
    assert compiler.loads_together(MACHINE) == 2
    assert compiler.main_loop(PTX) == ["ld.global.f32", "st.global.f32", "bra"]
    assert compiler.loads_together(PTX) == 1 and compiler.main_loop("\tret;") == []


def test_without_a_compiler_the_report_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["report"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == ("python -m minindrnn.gpu report: no CUDA compiler: numba-cuda is not installed "
                                       "(pip install 'minindrnn[cuda12]' or 'minindrnn[cuda13]')\n")


def test_wrong_input_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["reprot"])
    assert caught.value.code == 2
    said, = capsys.readouterr().err.splitlines()
    assert said.startswith("python -m minindrnn.gpu: argument COMMAND: invalid choice: 'reprot'")


def test_the_report():
    """All tuned kernels on both GPUs: as many steps ahead as it says, one number read and one written a step, three
    backward."""
    if reason := compiler.missing() or (None if compiler.tool("ptxas") else "no ptxas"):
        pytest.skip(reason)
    done = subprocess.run([sys.executable, "-m", "minindrnn.gpu", "report"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == ("ESTIMATES from the compiled code and published figures, not measured: that is python -m "
                       "minindrnn bench --device cuda.")
    names = [name for name, _, _ in tuned()]
    assert len(names) == 16
    for name in names:
        rows = re.findall(rf"^{name} +(.*)$", done.stdout, re.M)
        figures, times = rows[::2], rows[1::2]
        assert len(figures) == len(times) == 2
        for row in figures:
            registers, together, ahead, instructions, size, *warps = map(float, row.split())
            arrays, width = (3, 8 if "64" in name else 4) if "backward" in name else (2, 8 if "64" in name else 4)
            assert 16 <= registers <= (96 if "64" in name else 64) and instructions > 5 and len(warps) == 3
            assert (together, ahead, size) == (AHEAD * (arrays - 1), AHEAD, arrays * width)
        for row in times:
            assert re.fullmatch(r"(\d+\.\d{3} +(memory|latency|issue) *){4}", row)
    print(done.stdout)


def test_the_report_in_the_simulator():
    done = subprocess.run([sys.executable, "-m", "minindrnn.gpu", "report"], capture_output=True, text=True,
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "python -m minindrnn.gpu report: the simulator has no compiler: unset NUMBA_ENABLE_CUDASIM\n"
