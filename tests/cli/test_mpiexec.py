"""The program on real ranks: mpiexec starts it, one rank is heard, and however it ends, all of them end."""
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minindrnn.training.checkpoint import load
from minindrnn.training.run import checkpoint_of

HERE = Path(sys.executable).parent
MPIEXEC = shutil.which("mpiexec", path=f"{HERE}{os.pathsep}{os.environ.get('PATH', '')}")
pytestmark = [pytest.mark.compiled,
              pytest.mark.skipif(not (MPIEXEC and importlib.util.find_spec("mpi4py")), reason="no mpi4py or mpiexec")]
TRAIN = ["-m", "minindrnn", "train"]
ROWS = ["digits", "--rows", "--hidden", "8", "--norm", "after", "--dropout", "0.1"]
SECONDS = 240                                       # for what takes some seconds on a machine that is not busy
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}


def begun(size, *words, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return subprocess.Popen([*([MPIEXEC, "-n", str(size)] if size > 1 else []), sys.executable, *map(str, words)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                            env=kept | OPEN_MPI | environment, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))


def ended(process, seconds=SECONDS):
    """(code, stdout, stderr). A rank that hangs fails the test, and is ended with all others."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"ranks that hang after {seconds} s: {process.args}")
    return process.returncode, out, err.replace("\r", "\n")


def run(size, *words, **environment):
    return ended(begun(size, *words, **environment))


def said(err):
    """The lines on stderr that are of the program, neither the bar nor of mpiexec."""
    return [line for line in err.splitlines() if line.startswith(("python -m minindrnn", "rank ", "RuntimeError"))]


def assert_near(folder, other, atol=1e-4):
    arrays, theirs = load(folder / "checkpoint.npz")[0], load(other / "checkpoint.npz")[0]
    assert arrays.keys() == theirs.keys()
    for name, array in arrays.items():
        np.testing.assert_allclose(theirs[name], array, atol=atol, rtol=1e-3, err_msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run of one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert run(1, *TRAIN, *ROWS, "--updates", "40", "--out", folder)[0] == 0
    return folder


@pytest.mark.parametrize("size", [2, 3])
def test_a_run_of_ranks_is_the_run_of_one_process(size, alone, tmp_path):
    """Twice with the same bits; one is heard. The last batch of an epoch has 13 sequences, or 2."""
    texts = []
    for name in ("once", "again"):
        code, out, err = run(size, *TRAIN, *ROWS, "--updates", "40", "--out", tmp_path / name)
        assert code == 0, err
        assert out.count("test accuracy") == 1 == out.count("run folder") and err.count("40/40") >= 1
        texts.append(out.replace(name, ""))
    assert texts[0] == texts[1]
    assert (tmp_path / "once/checkpoint.npz").read_bytes() == (tmp_path / "again/checkpoint.npz").read_bytes()
    assert_near(alone, tmp_path / "once")
    result, theirs = (json.loads((folder / "result.json").read_text()) for folder in (alone, tmp_path / "once"))
    assert result.keys() == theirs.keys()
    for name, value in result.items():
        if name not in ("seconds", "command"):
            assert theirs[name] == pytest.approx(value, abs=0.011), name
    rows, their_rows = ([json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
                        for folder in (alone, tmp_path / "once"))
    assert [row["update"] for row in rows] == [row["update"] for row in their_rows]
    assert [row["loss"] for row in rows] == pytest.approx([row["loss"] for row in their_rows], abs=1e-3)


SIGNALLED = """
import os, signal, sys
import minindrnn.training.run as run
from minindrnn.cli.commands import main
learn, done = run.train_step, []
def train_step(*given, **how):
    done.append(1)
    if len(done) == 7 and how["ranks"].rank == how["ranks"].size - 1:
        os.kill(os.getpid(), signal.SIGTERM)
    return learn(*given, **how)
run.train_step = train_step
sys.exit(main(sys.argv[1:]))
"""


def test_a_text_is_gone_on_with_by_any_number_of_ranks(tmp_path):
    """States of three sequences go on from batch to batch: of two ranks, which a signal to one of them stops, to three,
    and to one process. Without a norm, which takes away the bias before it: Adam would update by what rounding left."""
    (tmp_path / "text.txt").write_text("abcbadb" * 400)
    words = ["chars", "--data", str(tmp_path / "text.txt"), "--length", "10", "--hidden", "6", "--layers", "1",
             "--batch", "3", "--norm", "none"]
    run_folder = ["--updates", "21", "--out", tmp_path / "run"]
    (tmp_path / "signalled.py").write_text(SIGNALLED)
    code, out, err = run(2, tmp_path / "signalled.py", "train", *words, *run_folder)
    assert code == 130 and out.startswith("stopped after update 7 of 21, all saved"), err
    assert checkpoint_of(tmp_path / "run")[1] == 7
    code, out, err = run(3, tmp_path / "signalled.py", "train", *words, *run_folder, "--resume")
    assert code == 130 and out.startswith("stopped after update 14 of 21, all saved"), err
    assert run(1, *TRAIN, *words, *run_folder, "--resume")[0] == 0
    assert run(1, *TRAIN, *words, "--updates", "21", "--out", tmp_path / "alone")[0] == 0
    assert_near(tmp_path / "alone", tmp_path / "run")
    bits = [json.loads((tmp_path / name / "result.json").read_text())["test_bits"] for name in ("alone", "run")]
    assert bits[1] == pytest.approx(bits[0], abs=1e-3)


FAILING = """
import errno, os, signal, sys
import minindrnn.core.atomic_file
import minindrnn.training.run as run
from minindrnn.cli.commands import main
how, of, *words = sys.argv[1:]
learn, done = run.train_step, []
def full(file):
    raise OSError(errno.ENOSPC, "No space left on device")
def train_step(*given, **options):
    done.append(1)
    if len(done) == 7 and options["ranks"].rank == int(of):
        if how == "raise":
            raise RuntimeError("unforeseen")
        elif how == "full":
            minindrnn.core.atomic_file.os.fsync = full
        elif how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "interrupt":
            raise KeyboardInterrupt
    return learn(*given, **options)
run.train_step = train_step
sys.exit(main(words))
"""


@pytest.mark.parametrize("size, how, of, words", [
    (3, "raise", 2, ["RuntimeError: unforeseen", "rank 2 of 3 has ended by itself, so all do"]),
    (2, "raise", 0, ["RuntimeError: unforeseen", "rank 0 of 2 has ended by itself, so all do"]),
    (3, "full", 0, ["python -m minindrnn train: {}/checkpoint.npz: cannot be written: No space left on device"]),
    (2, "kill", 0, []), (3, "kill", 1, []), (2, "interrupt", 1, ["rank 1 of 2 has ended by itself, so all do"])])
def test_however_one_rank_fails_all_end_and_the_last_checkpoint_is_whole(size, how, of, words, tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    folder = tmp_path / "run"
    train = ["train", *ROWS, "--updates", "200", "--out", folder]                    # an evaluation after every 5
    code, out, err = run(size, tmp_path / "failing.py", how, of, *train)
    assert code and said(err) == [line.format(folder) for line in words], err
    assert out == "" or how == "kill" and "stopped" not in out
    assert checkpoint_of(folder)[1] == 5
    code, out, err = run(2, tmp_path / "failing.py", "interrupt", 9, *train, "--resume", *["--seed", "0"])
    assert code == 0, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_mpiexec_ends_all_and_the_last_checkpoint_goes_on(number, tmp_path):
    process = begun(2, *TRAIN, *ROWS, "--updates", "100000", "--out", tmp_path)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and not (tmp_path / "config.json").exists():
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(number)
    code, _, err = ended(process, 60)
    assert code, err
    before = checkpoint_of(tmp_path)[1]
    (tmp_path / "signalled.py").write_text(SIGNALLED)
    train = [*TRAIN[2:], *ROWS, "--updates", "100000", "--out", tmp_path]
    code, out, err = run(2, tmp_path / "signalled.py", *train, "--resume")
    assert code == 130 and out.startswith(f"stopped after update {before + 7} of 100000, all saved"), err


@pytest.mark.parametrize("size, words, line", [
    (2, ["train", "digits", "--batch", "1"],
     "python -m minindrnn train: --batch: expected at least 2 sequences, one for each rank, got 1"),
    (3, ["train", "digits", "--device", "cuda"],
     "python -m minindrnn train: --device cuda: expected one process, got several ranks, which train on CPUs only"),
    (2, ["train", "none.npz"], "python -m minindrnn train: none.npz: no such file"),
    (2, ["report", "none"],
     "python -m minindrnn report: expected one process, got 2 ranks; those train, or bench ranks"),
    (3, ["train", "digits", "--colour", "1"], "python -m minindrnn: unrecognized arguments: --colour 1")])
def test_what_cannot_be_done_is_said_once(size, words, line):
    code, out, err = run(size, "-m", "minindrnn", *words)
    assert code == 2 and out == "" and said(err) == [line]


SUMS = """
import numpy as np
from minindrnn.core import ranks, threads
from minindrnn.core.mpi import on_all, world
here = world()
def work():
    for n in (1, 5, 10**6 + 1):
        arrays = np.random.default_rng(0).normal(size=(here.size, n)).astype(np.float32)
        total = arrays[0].copy()
        for array in arrays[1:]:
            total += array
        array = arrays[here.rank].copy()
        assert np.array_equal(here.sum(array), total) and np.array_equal(here.gather(array), arrays)
        here.broadcast(array)
        assert np.array_equal(array, arrays[0])
    assert float(here.sum(here.rank)) == sum(range(here.size))
    assert here.any(here.rank == 1) and not here.any(False)
    np.ones((50, 50)) @ np.ones((50, 50))
    print(here.size, threads.count())
    return 0
on_all(here, work)
"""


@pytest.mark.parametrize("size", [2, 3])
def test_sums_are_in_the_order_of_the_ranks_and_products_take_one_thread(size):
    code, out, err = run(size, "-c", SUMS)
    assert code == 0 and out == f"{size} 1\n", err
    code, out, err = run(size, "-c", SUMS, OPENBLAS_NUM_THREADS="2")
    assert code == 0 and out == f"{size} {min(2, os.cpu_count())}\n", err
