"""The commands: what they print, what they leave behind, what they refuse. A refusal is one line that says what and
where, exit code 2, and nothing overwritten."""
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stdout

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.special import softmax

from minindrnn import StackedIndRNN
from minindrnn.checks.cases import PROBLEMS
from minindrnn.checks.gradcheck import GradientError
from minindrnn.checks.gradient_flow import gradient_norms
from minindrnn.cli.commands import main
from minindrnn.cli.finished_run import load_run
from minindrnn.core.layer import leaves
from minindrnn.data.adding import adding_problem
from minindrnn.data.digits import load_digits
from minindrnn.tasks.adding import Adding
from minindrnn.tasks.models import MODELS
from minindrnn.tasks.registry import settings
from minindrnn.training.run import history

TINY = ["train", "adding", "--length", "6", "--hidden", "4", "--updates", "3", "--batch", "2"]


@pytest.mark.compiled
def test_every_model_trains_and_tells_what_it_learned(tmp_path, capsys):
    for model in MODELS:
        out = str(tmp_path / model)
        assert main(["train", "digits", "--rows", "--model", model, "--layers", "1", "--hidden", "4", "--updates", "4",
                     "--out", out]) == 0
        said = capsys.readouterr().out
        assert "test accuracy" in said and ("recurrent weights" in said) == (model in ("indrnn", "residual", "dense"))


@pytest.mark.compiled
def test_the_blocks_of_a_dense_network(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "digits", "--rows", "--model", "dense", "--layers", "2,1", "--hidden", "4", "--updates", "2",
                 "--out", str(out)]) == 0
    _, network, _ = load_run(out)
    widths = [leaf.value.size for path, leaf in leaves(network.parameters) if leaf.role == "recurrent"]
    assert widths == [24, 16, 4, 16, 4, 16, 16, 4, 10]          # as in networks/test_dense.py


@pytest.mark.compiled
def test_three_ways_to_evaluate_batch_normalisation(tmp_path, capsys):
    assert main(["train", "digits", "--rows", "--norm", "after", "--hidden", "4", "--updates", "4",
                 "--out", str(tmp_path / "a")]) == 0
    assert "by statistics of the population" in capsys.readouterr().out
    result = json.loads((tmp_path / "a/result.json").read_text())
    assert len({result[f"test_loss{way}"] for way in ("", "_population", "_batch")}) == 3


@pytest.mark.parametrize("words, wanted", [
    (["digits"], "digits"), (["digits", "--rows"], "digits-rows"), (["adding", "--length", "30"], "adding-30"),
    (["adding"], "adding-100"), (["here/mine.npz"], "mine")])
def test_where_a_run_goes_if_nobody_says(words, wanted, tmp_path, monkeypatch):
    """Into runs/TASK, of the problem with its length, so that two of them do not meet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    np.savez(tmp_path / "here/mine.npz", X=np.arange(40.0).reshape(10, 4), y=np.arange(10) % 2)
    monkeypatch.setattr("minindrnn.cli.commands.finished", lambda *_: None)                 # as after Ctrl-C
    assert main(["train", *words, "--layers", "1", "--hidden", "2", "--batch", "2"]) == 130
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [wanted]


def test_the_result_is_that_of_the_network_in_the_checkpoint(tmp_path):
    """Over the 300 images of the test, by the network as it is read back; with the updates and seconds of the last
    row."""
    words = "train digits --rows --hidden 8 --layers 1 --batch 8 --updates 90 --rate 0.02 --seed 3 --out".split()
    words.append(str(tmp_path / "run"))
    assert main(words) == 0
    result = json.loads((tmp_path / "run/result.json").read_text())
    _, network, steps = load_run(tmp_path / "run")
    x, labels = load_digits(rows=True)["test"]
    y = network.forward(x)[0].astype(float)
    assert result["test_accuracy"] == pytest.approx(np.mean(y.argmax(axis=1) == labels))
    assert result["test_loss"] == pytest.approx(-np.mean(np.log(softmax(y, axis=1)[np.arange(300), labels])), rel=1e-5)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert result["updates"] == steps == 90 and result["seconds"] == rows[-1]["seconds"] and len(rows) == 45
    assert result["command"].split()[:4] == ["python", "-m", "minindrnn", "train"]
    assert result["command"].split()[3:] == words
    assert main([*words, "--resume"]) == 0                       # there is nothing left to do
    assert json.loads((tmp_path / "run/result.json").read_text()) == result


@pytest.mark.compiled
def test_a_run_without_any_evaluation_ends_without_a_traceback(tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "a/metrics.jsonl").unlink()
    (tmp_path / "a/curve.png").unlink()
    assert main([*TINY, "--out", str(tmp_path / "a"), "--resume"]) == 0
    assert not (tmp_path / "a/curve.png").exists() and "test mean squared error" in capsys.readouterr().out


# What is refused

def test_a_run_is_never_overwritten(tmp_path, capsys, refused):
    folder = tmp_path / "run"
    assert main([*TINY, "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "run folder: " in said and "(checkpoint.npz, config.json, curve.png, metrics.jsonl, result.json)" in said
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    message = f"{folder}: holds a run already; continue it with --resume, or choose another --out"
    assert message in refused([*TINY, "--out", folder])
    other = [*TINY, "--out", folder, "--resume", "--hidden", "5"]
    assert f"{folder}: was started with hidden = 4, not 5" in refused(other)
    other = [*TINY, "--out", folder, "--resume", "--model", "residual"]
    assert f"{folder}: was started with model = 'indrnn', not 'residual'" in refused(other)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert main([*TINY, "--out", str(folder), "--resume"]) == 0


@pytest.mark.parametrize("name", ["checkpoint.npz", "config.json", "metrics.jsonl", "result.json"])
def test_what_is_not_a_run_is_not_written_over(tmp_path, refused, name):
    (tmp_path / name).write_text("mine")
    assert "holds a run already" in refused([*TINY, "--out", tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_a_start_that_fails_leaves_the_folder_free(tmp_path, monkeypatch, refused):
    def full(*_):
        raise OSError(28, "No space left on device", "checkpoint.npz")
    with monkeypatch.context() as patched:
        patched.setattr("minindrnn.training.checkpoint.save", full)
        assert "checkpoint.npz: cannot be written: No space left on device" in refused([*TINY, "--out", tmp_path])
    assert not list(tmp_path.iterdir()) and main([*TINY, "--out", str(tmp_path)]) == 0


def test_a_damaged_or_missing_checkpoint_is_refused(tmp_path, capsys, refused):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    capsys.readouterr()
    assert f"{path}: not a whole minindrnn checkpoint" in refused([*TINY, "--out", tmp_path, "--resume"])
    np.savez(path, W=np.ones(3))
    assert f"{path}: not a whole minindrnn checkpoint" in refused([*TINY, "--out", tmp_path, "--resume"])
    assert "no such checkpoint" in refused([*TINY, "--out", tmp_path / "none", "--resume"])


def test_an_unwritable_folder_is_refused(tmp_path, refused):
    (tmp_path / "file").write_text("")
    assert "cannot be written: Not a directory" in refused([*TINY, "--out", tmp_path / "file" / "run"])
    assert "cannot be written: File exists" in refused([*TINY, "--out", tmp_path / "file"])
    if os.name == "posix" and os.getuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "cannot be written: Permission denied" in refused([*TINY, "--out", tmp_path / "locked" / "run"])


@pytest.mark.parametrize("sizes, message", [
    (["--hidden", "1000000000000"], "this does not fit into memory: Unable to allocate "),
    (["--layers", "1000000000"], "argument --layers: expected a whole number from 1 to 10000, got '1000000000'"),
    (["--model", "dense", "--layers", "2,1000000"],
     "argument --layers: expected a whole number from 1 to 10000, got '1000000'"),
    (["--length", "1000000000000"], "this does not fit into memory: Unable to allocate "),
    (["--batch", "1000000000000"], "this does not fit into memory: Unable to allocate ")])
def test_sizes_beyond_any_memory(tmp_path, refused, sizes, message):
    assert message in refused(["train", "adding", *sizes, "--out", tmp_path / "run"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sizes, needed", [                       # numbers kept: 4 for each parameter, h at every step
    (["--hidden", "4", "--layers", "1"], 4 * (4 * (4 * 2 + 4 + 4 + 4 + 1) + 6 * 2 * 4)),
    (["--hidden", "5", "--layers", "2", "--batch", "3"], 4 * (4 * (5 * 2 + 5 + 5 + 25 + 5 + 5 + 5 + 1) + 6 * 3 * 10))])
def test_what_would_fill_the_memory_piece_by_piece_is_refused_before(tmp_path, refused, monkeypatch, sizes, needed):
    command = [*TINY, *sizes, "--out", str(tmp_path / "run")]
    monkeypatch.setattr("minindrnn.tasks.task.memory_here", lambda: needed - 1)
    message = ("this does not fit into memory: expected a network and a batch of at most "
               f"{(needed - 1) / 1e9:.3g} GB, got {needed / 1e9:.3g}")
    assert message in refused(command) and not (tmp_path / "run").exists()
    monkeypatch.setattr("minindrnn.tasks.task.memory_here", lambda: needed)
    assert main(command) == 0


def test_a_loss_that_is_not_finite_is_one_line_and_the_folder_is_free(tmp_path, capsys):
    with warnings.catch_warnings(), pytest.raises(SystemExit) as caught:
        warnings.simplefilter("error")
        main(["train", "adding", "--length", "100", "--rate", "1", "--penalty", "0.001", "--layers", "4", "--hidden",
              "8", "--batch", "8", "--updates", "99", "--out", str(tmp_path)])
    bar, said = capsys.readouterr().err.splitlines()[-2:]
    assert caught.value.code == 2 and "update/s" in bar
    assert re.fullmatch("python -m minindrnn train: the loss is (inf|nan) at update [0-9]+, before the first "
                        "evaluation; try a smaller --rate", said)
    assert not list(tmp_path.iterdir())


@pytest.mark.compiled
def test_two_processes_on_one_folder(tmp_path, refused):
    """Only one trains, whichever came first; when it is gone, however that came, the next one may."""
    def words(out, *more):
        return ["train", "adding", "--length", "6", "--hidden", "4", "--batch", "2",
                "--out", str(tmp_path / out), *more]

    def begun(out, *more):
        """A child that trains: it has added an evaluation."""
        before = history(tmp_path / out)
        child = subprocess.Popen([sys.executable, "-m", "minindrnn", *words(out, *more)], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        while len(history(tmp_path / out)) <= len(before):
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        return child
    long = ["--updates", "100000000"]
    for more in ([], ["--resume"]):
        child = begun("run", *long, *more)
        message = (f"{tmp_path / 'run'}: another process is training this run; wait until it ends, or choose another "
                   "--out")
        assert message in refused(words("run", *long))
        assert message in refused(words("run", *long, "--resume"))
        child.kill()
        child.communicate()
    assert "holds a run already" in refused(words("run", *long))
    assert main(words("run", "--updates", "1", "--resume")) == 0                # which is over already
    steps = [row["update"] for row in history(tmp_path / "run")]
    assert steps == list(range(100, 100 * len(steps) + 1, 100))


# gradcheck, gradients, figure

def test_gradcheck_prints_the_worst_error_and_where(capsys):
    assert main(["gradcheck", "--draws", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(PROBLEMS) and all("e-" in line and "draw" in line for line in lines[1:])


def test_gradcheck_names_the_operation_that_is_wrong(monkeypatch, capsys):
    def wrong(problem, rng):
        raise GradientError("dx[1, 2] (time step 1): backward says 1, differences say 2")
    monkeypatch.setattr("minindrnn.cli.commands.check", wrong)
    with pytest.raises(SystemExit) as caught:
        main(["gradcheck", "--draws", "1"])
    assert caught.value.code == 1
    said = f"gradcheck: {next(iter(PROBLEMS))}: dx[1, 2] (time step 1): backward says 1, differences say 2"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words, draws", [([], 100), (["--draws", "2"], 2)])
def test_gradients_are_checked_on_so_many_problems_of_the_seed(words, draws, monkeypatch):
    asked = []
    monkeypatch.setattr("minindrnn.cli.commands.PROBLEMS", {"mine": (None, lambda module, rng: rng.random())})
    monkeypatch.setattr("minindrnn.cli.commands.check", lambda problem, rng: asked.append(problem)
                        or {"x": 1e-9 * (len(asked) == 2)})
    with redirect_stdout(io.StringIO()) as said:
        assert main(["gradcheck", "--seed", "5", *words]) == 0
    assert asked == [np.random.default_rng([5, draw]).random() for draw in range(draws)]
    assert said.getvalue().splitlines()[1].split() == ["mine", "1.0e-09", "dx,", "draw", "1"]


def test_gradients_are_those_of_the_seed_at_the_last_and_the_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("minindrnn.cli.commands.deep_networks",
                        lambda T, rng: {"mine": StackedIndRNN(2, 3, 2, 1, rng, length=T)})
    monkeypatch.setattr("minindrnn.cli.commands.draw", lambda picture, norms, path: drawn.append(norms["mine"]))
    with redirect_stdout(io.StringIO()) as said:
        assert main(["gradients", "--length", "5", "--seed", "3", "--out", str(tmp_path / "g.png")]) == 0
    rng = np.random.default_rng(3)
    x, _ = adding_problem(5, 32, rng)
    norms = gradient_norms(StackedIndRNN(2, 3, 2, 1, rng, length=5), x, rng)
    assert_array_equal(drawn, [norms[:2]])
    wanted = f"mine at the last layer and step {norms[1, 4]:.1e}, at the first of both {norms[0, 0]:.1e}"
    assert said.getvalue().split() == wanted.split() and norms[1, 0] != norms[0, 0]


@pytest.mark.compiled
def test_gradients_draws_a_picture(tmp_path, capsys, refused):
    assert main(["gradients", "--length", "5", "--out", str(tmp_path / "g.png")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert "there is no folder" in refused(["gradients", "--out", tmp_path / "none" / "g.png"])
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_asks_for_every_model_at_every_length(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("minindrnn.cli.commands.finished",
                        lambda experiment, run, words: asked.append((experiment.settings, run.folder, words)) or {})
    monkeypatch.setattr("minindrnn.cli.commands.draw", lambda *_: None)
    assert main(["figure", "--models", "lstm", "gru", "--updates", "2", "--seed", "4", "--out", str(tmp_path)]) == 0
    runs = [(length, model) for length in (100, 500, 1000) for model in ("lstm", "gru")]
    assert [chosen for chosen, _, _ in asked] == [settings("adding", model, length, updates=2, seed=4)
                                                  for length, model in runs]
    assert [folder.name for _, folder, _ in asked] == [f"adding-{length}-{model}-seed4" for length, model in runs]
    assert [" ".join(words)
            for _, _, words in asked] == [f"train adding --length {length} --model {model} --updates 2 --seed 4"
                                          for length, model in runs]


def in_earlier_words(path):
    """result.json as an earlier version wrote it."""
    facts = json.loads(path.read_text())
    facts["steps"] = facts.pop("updates")
    path.write_text(json.dumps(facts))
    return facts


@pytest.mark.slow
@pytest.mark.compiled
def test_the_figure_goes_on_and_passes_over_what_is_done(tmp_path, capsys):
    command = ["figure", "--lengths", "6", "8", "--models", "indrnn", "lstm", "--updates", "3", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5
    assert said[0].startswith("T = 6, indrnn: 3 updates")
    assert said[-1] == f"drawn: {tmp_path / 'adding.png'}"
    assert (tmp_path / "adding.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "adding-8-lstm-seed0/result.json").read_text())
    assert result["command"] == "python -m minindrnn train adding --length 8 --model lstm --updates 3 --seed 0"
    assert main(command) == 0 and capsys.readouterr().out.splitlines() == said[-1:]
    facts = in_earlier_words(tmp_path / "adding-8-lstm-seed0/result.json")
    assert facts["steps"] == 3 and main(command) == 0 and capsys.readouterr().out.splitlines() == said[-1:]
    command[command.index("3")] = "5"                              # further than before: each goes on where it was
    assert main(command) == 0 and len(capsys.readouterr().out.splitlines()) == 5
    assert main(["train", "adding", "--length", "8", "--model", "lstm", "--updates", "5",
                 "--out", str(tmp_path / "whole")]) == 0
    one, two = ((tmp_path / name / "checkpoint.npz").read_bytes() for name in ("whole", "adding-8-lstm-seed0"))
    assert one == two


@pytest.mark.compiled
def test_the_figure_passes_over_what_is_not_its_own(tmp_path, capsys):
    for other in ("adding-6-my-lstm-seed0", "adding-6-transformer-seed0"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "metrics.jsonl").write_text('{"update": 1, "test_mse": 1}\n')
    (tmp_path / "notes").mkdir()
    command = ["figure", "--lengths", "6", "--models", "gru", "dense", "--updates", "2", "--out", str(tmp_path)]
    assert main(command) == 0
    (tmp_path / "adding-6-gru-seed0/result.json").write_text("{")            # damaged: done again, which is nothing
    with open(tmp_path / "adding-6-gru-seed0/metrics.jsonl", "a") as file:
        file.write('{"update": 9, "te')
    assert main(command) == 0 and "T = 6, gru" in capsys.readouterr().out


# Streams and signals

class Full:
    """A stream that takes nothing."""
    encoding = "utf-8"

    def write(self, text):
        raise OSError(28, "No space left on device")

    flush = isatty = fileno = lambda self: self.write("")


every_lack = pytest.mark.parametrize("stderr", [None, Full()], ids=["none", "full"])


@pytest.mark.compiled
@every_lack
def test_without_stderr_there_is_no_bar_but_all_the_rest(tmp_path, monkeypatch, capsys, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main([*TINY, "--out", str(tmp_path / "run")]) == 0
    assert "run folder: " in capsys.readouterr().out
    assert sys.stderr is stderr
    there = {path.name for path in (tmp_path / "run").iterdir()}
    assert there >= {"checkpoint.npz", "curve.png", "metrics.jsonl", "result.json"}


@pytest.mark.compiled
@every_lack
def test_without_any_stream_a_run_ends_in_silence(tmp_path, monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*TINY, "--out", str(tmp_path / "silent")]) == 0
    assert (tmp_path / "silent/result.json").exists()
    with pytest.raises(SystemExit) as caught:                          # there is a run already
        main([*TINY, "--out", str(tmp_path / "silent")])
    assert caught.value.code == 2


def interruptible():
    """For a child: Ctrl-C reaches it, even if the tests run in the background, where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def shell(words, folder, **environment):
    """The command line in a shell of its own: (exit code, stdout, stderr)."""
    done = subprocess.run(["bash", "-c", words.replace("minindrnn", f"'{sys.executable}' -m minindrnn", 1)], cwd=folder,
                          env=os.environ | {"PYTHONUNBUFFERED": ""} | environment, capture_output=True, text=True,
                          preexec_fn=interruptible)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


POSIX = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")


@pytest.mark.slow
@POSIX
@pytest.mark.compiled
@pytest.mark.parametrize("streams, code", [
    ("2>&-", 0), (">&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 2),
    ("| true; exit ${PIPESTATUS[0]}", 1), ("2>&1 | true; exit ${PIPESTATUS[0]}", 1)])
def test_training_ends_whatever_becomes_of_the_streams(tmp_path, streams, code):
    """What cannot be printed is printed at the end, when all is in the folder; `predict` and `report` find it there."""
    got, out, err = shell(f"minindrnn {' '.join(TINY)} --out run {streams}", tmp_path)
    assert got == code and ("run folder: " in out) == (streams in ("2>&-", "2>/dev/full"))
    there = {path.name for path in (tmp_path / "run").iterdir()}
    assert there == {"checkpoint.npz", "config.json", "curve.png", "metrics.jsonl", "result.json"}
    if code == 2:
        assert err.endswith("python -m minindrnn train: the output: cannot be written: No space left on device\n")
    np.save(tmp_path / "in.npy", np.ones((2, 6, 2)))
    for words in ("predict run in.npy", "report run"):
        assert shell(f"minindrnn {words} {streams}", tmp_path)[0] == code


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("words", ["--help", "train --help", "exercise", "describe mnist-plain-6"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_words_without_a_stream(tmp_path, words, unbuffered):
    for streams, codes in (("2>&-", {0}), (">&-", {0}), (">/dev/full", {0, 2}),
                           ("| true; exit ${PIPESTATUS[0]}", {0, 1})):
        code, _, err = shell(f"minindrnn {words} {streams}", tmp_path, PYTHONUNBUFFERED=unbuffered)
        assert code in codes
        assert code != 2 or err.endswith(": the output: cannot be written: No space left on device\n")


@pytest.mark.slow
@POSIX
def test_refusals_without_a_stream(tmp_path):
    for streams in ("2>&-", ">&-", "2>/dev/full"):
        code, out, err = shell(f"minindrnn train nowhere.npz {streams}", tmp_path)
        assert code == 2
        assert out == ""
        assert err == ("python -m minindrnn train: nowhere.npz: no such file\n" if streams == ">&-" else "")


def test_a_terminal_that_lacks_a_letter(tmp_path):
    (tmp_path / "text.txt").write_text("snow \u2603\n" * 100, encoding="utf-8")
    command = [sys.executable, "-m", "minindrnn", "train", "chars", "--data", "text.txt", "--length", "5",
               "--layers", "1", "--hidden", "4", "--batch", "2", "--updates", "1", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0 and b"what it says" in done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a child")
@pytest.mark.parametrize("module", ["numba", "scipy", "tqdm"])
def test_ctrl_c_while_modules_are_imported(tmp_path, module):
    """The module of that name is another one here, which sends the signal."""
    program = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    (tmp_path / f"{module}.py").write_text(program)
    assert shell("minindrnn --help", tmp_path) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a child")
@pytest.mark.parametrize("moment, out", [
    ("import argparse; argparse.ArgumentParser.add_subparsers = lambda *_, **__: ctrl_c()", ""),
    ("import atexit; atexit.register(ctrl_c)", "recurrence")], ids=["while the parser is made", "at exit"])
def test_ctrl_c_before_a_command_and_after_it(moment, out, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, signal, time\ndef ctrl_c(): os.kill(os.getpid(), signal.SIGINT); time.sleep(9)\n{moment}\n")
    code, said, err = shell("minindrnn exercise", tmp_path, PYTHONPATH=str(tmp_path))
    assert code == 130 and said.startswith(out) and err.strip() == ""


@pytest.mark.parametrize("words", [
    ["a\x1b[31m\nb"], ["train", "a\x1b[31m\nb.npz"], ["train", "digits", "--a\x1b[31m\nb"], ["report", "a\x1b[31m\nb"],
    ["exercise", "linear", "a\x1b[31m\nb"], ["gradients", "--out", "a\x1b[31m\nb/c"], ["bench", "a\x1b[31m\nb"]])
def test_control_characters_of_words_are_printed_as_python_writes_them(words, refused):
    assert r"a\x1b[31m\nb" in refused(words)


@pytest.mark.parametrize("arrays, message", [
    ({"X": np.ones((10, 3)), "y": np.arange(10) % 2, "a\x1b[31m\nb": 1},
     r"not read: a\x1b[31m\nb; known are X, y, lengths"),
    ({"a\x1b[31m\nb": np.ones(3)}, r"expected arrays X and y, got a\x1b[31m\nb")])
def test_control_characters_in_the_names_of_arrays(arrays, message, tmp_path, refused):
    np.savez(tmp_path / "mine.npz", **arrays)
    assert message in refused(["train", tmp_path / "mine.npz"])


def test_control_characters_of_a_name_in_what_is_said(tmp_path, capsys):
    assert main(["exercise", "linear", "--start", str(tmp_path / "a\x1b[31m\nb.py")]) == 0
    assert capsys.readouterr().out == f"made: {tmp_path}/a\\x1b[31m\\nb.py\n"


def test_ctrl_c_is_left_to_another_program_that_imports_us(tmp_path):
    """Also if one of its words is our name; only `python -m minindrnn` ends at once while it imports."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("import minindrnn")
    (tmp_path / "mine/__main__.py").write_text(
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)")
    done = subprocess.run([sys.executable, "-m", "mine", "minindrnn"], cwd=tmp_path, capture_output=True, text=True,
                          preexec_fn=interruptible)
    assert done.stdout == "True\n", done.stderr


def test_ctrl_c_counts_after_the_last_step_too(tmp_path, monkeypatch, capsys):
    """In the last evaluation, and in what is counted after it: the same command with --resume makes up for it."""
    command = ["train", "adding", "--length", "5", "--hidden", "3", "--updates", "4", "--batch", "2",
               "--out", str(tmp_path / "run")]

    def noted(*_):
        os.kill(os.getpid(), signal.SIGINT)
        return {"test_mse": 0.0}

    def insisting(*_):
        raise KeyboardInterrupt
    for name, interrupted in (("evaluate", noted), ("result", insisting)):
        with monkeypatch.context() as patched:
            patched.setattr(Adding, name, interrupted)
            assert main(command) == 130
        assert "stopped after update 4 of 4, all saved; to go on: " in capsys.readouterr().out
        assert not (tmp_path / "run/result.json").exists() and history(tmp_path / "run")[-1]["update"] == 4
        command += ["--resume"] * (name == "evaluate")
    assert main(command) == 0 and (tmp_path / "run/result.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a child")
def test_ctrl_c_saves_and_resume_finishes(tmp_path):
    """The real command line in a real process, interrupted by a real signal."""
    common = [sys.executable, "-m", "minindrnn", "train", "adding", "--length", "5", "--hidden", "3", "--updates",
              "300", "--batch", "2"]
    whole = subprocess.run([*common, "--out", "whole"], cwd=tmp_path, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    child = subprocess.Popen([*common, "--out", "stopped"], cwd=tmp_path, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "stopped/metrics.jsonl").exists() or not (tmp_path / "stopped/metrics.jsonl").read_text():
        assert child.poll() is None, child.communicate()
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    if child.returncode != 0:                    # 0: the last step was over before the signal came
        assert child.returncode == 130 and "Traceback" not in err
        assert "all saved; to go on: python -m minindrnn train adding" in out and "--resume" in out
        resumed = subprocess.run([*common, "--out", "stopped", "--resume"], cwd=tmp_path,
                                 capture_output=True, text=True)
        assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "whole/checkpoint.npz").read_bytes() == (tmp_path / "stopped/checkpoint.npz").read_bytes()
