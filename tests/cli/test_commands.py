"""Wrong input: one line that says what and where, exit code 2, nothing overwritten."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings

import numba
import numpy as np
import pytest

from minindrnn.checks.cases import PROBLEMS
from minindrnn.cli.commands import main
from minindrnn.cli.finished_run import load_run
from minindrnn.cli.parser import parser
from minindrnn.core.layer import leaves
from minindrnn.tasks.models import MODELS
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.training.run import history

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too much arithmetic for kernels that are not compiled")
TINY = ["train", "adding", "--length", "6", "--hidden", "4", "--updates", "3", "--batch", "2"]


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    message = err.strip().split("\r")[-1]
    assert caught.value.code == 2 and out == "" and "\n" not in message and "Traceback" not in message
    return message


@pytest.mark.parametrize("arguments, message", [
    ([], "python -m minindrnn: the following arguments are required: COMMAND"),
    (["trian"], "argument COMMAND: invalid choice: 'trian'"),
    (["train", "mnist"], "argument TASK: expected one of digits, adding, smnist, pmnist, fashion, chars, motion, or FILE.npz, got 'mnist'"),
    (["train", "digits", "--layers", "0"], "argument --layers: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--model", "dense", "--layers", "2,0"], "argument --layers: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--layers", "8,6"], "--layers: expected one number for indrnn, got [8, 6]"),
    (["train", "digits", "--hidden", "many"], "argument --hidden: expected a whole number of at least 1, got 'many'"),
    (["train", "digits", "--updates", "1.5"], "argument --updates: expected a whole number of at least 1, got '1.5'"),
    (["train", "digits", "--updates", "9" * 25], f"argument --updates: expected a whole number from 1 to 1000000000000, got '{'9' * 25}'"),
    (["train", "digits", "--steps", "0"], "argument --steps: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--rate", "nan"], "argument --rate: expected a number from 0 to 1, got 'nan'"),
    (["train", "digits", "--gamma", "0.5"], "argument --gamma: expected a number from 1 to 1000, got '0.5'"),
    (["train", "digits", "--gamma", "inf"], "argument --gamma: expected a number from 1 to 1000, got 'inf'"),
    (["train", "digits", "--seed", "-1"], "argument --seed: expected a whole number of at least 0, got '-1'"),
    (["train", "adding", "--length", "1"], "argument --length: expected a whole number of at least 2, got '1'"),
    (["train", "digits", "--model", "densse"], "argument --model: invalid choice: 'densse'"),
    (["train", "digits", "--norm", "bofore"], "argument --norm: invalid choice: 'bofore'"),
    (["train", "digits", "--activation", "gelu"], "argument --activation: invalid choice: 'gelu'"),
    (["train", "digits", "--model", "gru", "--activation", "tanh"], "--activation is for indrnn, residual and dense, not for gru"),
    (["train", "digits", "--dropout", "1"], "argument --dropout: expected a number from 0 to 0.99, got '1'"),
    (["train", "digits", "--model", "lstm", "--norm", "after"], "--norm is for indrnn, residual and dense, not for lstm"),
    (["train", "adding", "--model", "rnn", "--gamma", "3"], "--gamma is for indrnn, residual and dense, not for rnn"),
    (["train", "digits", "--plateau", "-1"], "argument --plateau: expected a whole number of at least 0, got '-1'"),
    (["train", "chars", "--gamma", "2"], "--gamma is not for chars: there |u| is at most 0.99"),
    (["train", "chars", "--data", "no.txt"], "no.txt: cannot be read: No such file or directory"),
    (["train", "digits", "--decay", "-1"], "argument --decay: expected a number of at least 0, got '-1'"),
    (["figure", "--models", "transformer"], "argument --models: invalid choice: 'transformer'"),
    (["figure", "--lengths", "1"], "argument --lengths: expected a whole number of at least 2, got '1'"),
    (["describe", "mnist"], "argument NAME: invalid choice: 'mnist'"),
    (["train", "adding", "--rows"], "--rows is for digits, not for adding"),
    (["train", "mine.npz", "--rows"], "--rows is for digits, not for mine.npz"),
    (["train", "digits", "--fold", "0"], "--fold is for motion, not for digits"),
    (["train", "adding", "--plateau", "5"], "--plateau is not for adding, where only the test is watched: there the rate falls to a "
                                            "tenth after every 20100 updates"),
    (["train", "digits", "--plateau", "5", "--rate", "1e-7"], "--rate: expected at least 1e-06, where --plateau ends, got 1e-07"),
    (["train", "digits", "--decay", "inf"], "argument --decay: expected a number of at least 0, got 'inf'"),
    (["gradients", "--out", "."], ".: expected the name of a picture, got a folder"),
    (["train", "motion", "--fold", "5"], "argument --fold: expected a whole number from 0 to 4, got '5'"),
    (["train", "smnist", "--whole"], "--whole is for motion, not for smnist"),
    (["train", "motion", "--whole", "--length", "50"], "expected either --whole or --length"),
    (["train", "mine.npz", "--data", "here"], "--data is for smnist, "),
    (["train", "nowhere/mine.npz"], "nowhere/mine.npz: no such file"),
    (["train", "smnist", "--data", "nowhere"], "nowhere: expected a folder with train-images-idx3-ubyte, "),
    (["predict", "runs"], "the following arguments are required: INPUT"),
    (["report"], "the following arguments are required: RUN"),
    (["train", "digits", "--length", "9"], "--length is for adding, chars, motion, not for digits"),
    (["predict", "run", "a text", "--temperature", "0"], "argument --temperature: expected a number of at least 0.001, got '0'"),
    (["gradcheck", "--draws", "0"], "argument --draws: expected a whole number of at least 1, got '0'"),
])
def test_wrong_words(arguments, message, capsys):
    assert message in refused(arguments, capsys)


def test_what_a_task_says_of_itself_is_what_the_command_line_knows(capsys):
    """Every option that a task takes or refuses, or that stands for settings, is there; every task is in the help."""
    commands = parser()._subparsers._group_actions[0].choices
    known = {name: {action.dest for action in command._actions} for name, command in commands.items()}
    for name, task in TASKS.items():
        assert task.name == name and task.help
        assert all(options <= known[command] for command, options in task.takes.items()), name
        assert task.refuses.keys() | task.stands_for.keys() <= known["train"], name
        assert task.stands_for.keys() <= task.takes.get("train", set()), name
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--updates U" in said and "--steps" not in said
    assert all(task.help in said and f" {task.word} --" in said for task in TASKS.values())


@compiled
@pytest.mark.parametrize("like, options", [("gru", []), ("indrnn", ["--norm", "after"])])
def test_a_model_is_a_row_of_the_table(tmp_path, monkeypatch, capsys, like, options):
    """Every task has settings for it; it trains and is reported on."""
    monkeypatch.setitem(MODELS, "new", MODELS[like])
    for task in TASKS:
        assert settings(task, "new").layers == settings(task, like).layers
    command = [*TINY, "--model", "new", *options, "--out", str(tmp_path / "run")]
    assert main(command) == 0 and main(["report", str(tmp_path / "run")]) == 0
    assert "adding, new: " in capsys.readouterr().out


def test_a_run_is_never_overwritten(tmp_path, capsys):
    folder = tmp_path / "run"
    assert main([*TINY, "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "run folder: " in said and "(checkpoint.npz, config.json, curve.png, metrics.jsonl, result.json)" in said
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert f"{folder}: holds a run already; continue it with --resume, or choose another --out" in refused([*TINY, "--out", folder], capsys)
    other = [*TINY, "--out", folder, "--resume", "--hidden", "5"]
    assert f"{folder}: was started with hidden = 4, not 5" in refused(other, capsys)
    other = [*TINY, "--out", folder, "--resume", "--model", "residual"]
    assert f"{folder}: was started with model = 'indrnn', not 'residual'" in refused(other, capsys)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert main([*TINY, "--out", str(folder), "--resume"]) == 0


def test_a_start_that_fails_leaves_the_folder_free(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "checkpoint.npz")
    with monkeypatch.context() as patched:
        patched.setattr("minindrnn.training.checkpoint.save", full)
        assert "checkpoint.npz: cannot be written: No space left on device" in refused([*TINY, "--out", tmp_path], capsys)
    assert not list(tmp_path.iterdir()) and main([*TINY, "--out", str(tmp_path)]) == 0


def test_a_damaged_or_missing_checkpoint_is_refused(tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    capsys.readouterr()
    assert f"{path}: not a whole minindrnn checkpoint" in refused([*TINY, "--out", tmp_path, "--resume"], capsys)
    np.savez(path, W=np.ones(3))
    assert f"{path}: not a whole minindrnn checkpoint" in refused([*TINY, "--out", tmp_path, "--resume"], capsys)
    assert "no such checkpoint" in refused([*TINY, "--out", tmp_path / "none", "--resume"], capsys)


def test_an_unwritable_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot be written: Not a directory" in refused([*TINY, "--out", tmp_path / "file" / "run"], capsys)
    assert "cannot be written: File exists" in refused([*TINY, "--out", tmp_path / "file"], capsys)
    if os.name == "posix" and os.getuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "cannot be written: Permission denied" in refused([*TINY, "--out", tmp_path / "locked" / "run"], capsys)


def test_gradcheck_prints_the_worst_error_and_where(capsys):
    assert main(["gradcheck", "--draws", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(PROBLEMS) and all("e-" in line and "draw" in line for line in lines[1:])


def in_earlier_words(path):
    """result.json as an earlier version wrote it."""
    facts = json.loads(path.read_text())
    facts["steps"] = facts.pop("updates")
    path.write_text(json.dumps(facts))
    return facts


@compiled
def test_the_figure_goes_on_and_passes_over_what_is_done(tmp_path, capsys):
    command = ["figure", "--lengths", "6", "8", "--models", "indrnn", "lstm", "--updates", "3", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and said[0].startswith("T = 6, indrnn: 3 updates") and said[-1] == f"drawn: {tmp_path / 'adding.png'}"
    assert (tmp_path / "adding.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "adding-8-lstm-seed0/result.json").read_text())
    assert result["command"] == "python -m minindrnn train adding --length 8 --model lstm --updates 3 --seed 0"
    assert main(command) == 0 and capsys.readouterr().out.splitlines() == said[-1:]
    facts = in_earlier_words(tmp_path / "adding-8-lstm-seed0/result.json")
    assert facts["steps"] == 3 and main(command) == 0 and capsys.readouterr().out.splitlines() == said[-1:]
    command[command.index("3")] = "5"                              # further than before: each goes on where it was
    assert main(command) == 0 and len(capsys.readouterr().out.splitlines()) == 5
    assert main(["train", "adding", "--length", "8", "--model", "lstm", "--updates", "5", "--out", str(tmp_path / "whole")]) == 0
    one, two = ((tmp_path / name / "checkpoint.npz").read_bytes() for name in ("whole", "adding-8-lstm-seed0"))
    assert one == two


@compiled
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


@compiled
def test_a_run_without_any_evaluation_ends_without_a_traceback(tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "a/metrics.jsonl").unlink()
    (tmp_path / "a/curve.png").unlink()
    assert main([*TINY, "--out", str(tmp_path / "a"), "--resume"]) == 0
    assert not (tmp_path / "a/curve.png").exists() and "test mean squared error" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["checkpoint.npz", "config.json", "metrics.jsonl", "result.json"])
def test_what_is_not_a_run_is_not_written_over(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert "holds a run already" in refused([*TINY, "--out", tmp_path], capsys)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


@compiled
def test_gradients_draws_a_picture(tmp_path, capsys):
    assert main(["gradients", "--length", "5", "--out", str(tmp_path / "g.png")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert "there is no folder" in refused(["gradients", "--out", tmp_path / "none" / "g.png"], capsys)
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


@compiled
def test_every_model_trains_and_tells_what_it_learned(tmp_path, capsys):
    for model in MODELS:
        out = str(tmp_path / model)
        assert main(["train", "digits", "--rows", "--model", model, "--layers", "1", "--hidden", "4", "--updates", "4", "--out", out]) == 0
        said = capsys.readouterr().out
        assert "test accuracy" in said and ("recurrent weights" in said) == (model in ("indrnn", "residual", "dense"))


@compiled
def test_the_blocks_of_a_dense_network(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "digits", "--rows", "--model", "dense", "--layers", "2,1", "--hidden", "4", "--updates", "2", "--out", str(out)]) == 0
    _, network, _ = load_run(out)
    widths = [leaf.value.size for path, leaf in leaves(network.parameters) if leaf.role == "recurrent"]
    assert widths == [24, 16, 4, 16, 4, 16, 16, 4, 10]          # 6 k; 2 x (4 k, k); transition to half; (4 k, k); to half


@compiled
def test_three_ways_to_evaluate_batch_normalisation(tmp_path, capsys):
    assert main(["train", "digits", "--rows", "--norm", "after", "--hidden", "4", "--updates", "4", "--out", str(tmp_path / "a")]) == 0
    assert "by statistics of the population" in capsys.readouterr().out
    result = json.loads((tmp_path / "a/result.json").read_text())
    assert len({result[f"test_loss{way}"] for way in ("", "_population", "_batch")}) == 3


@pytest.mark.parametrize("sizes, message", [
    (["--hidden", "1000000000000"], "this does not fit into memory: Unable to allocate "),
    (["--layers", "1000000000"], "argument --layers: expected a whole number from 1 to 10000, got '1000000000'"),
    (["--model", "dense", "--layers", "2,1000000"], "argument --layers: expected a whole number from 1 to 10000, got '1000000'"),
    (["--length", "1000000000000"], "this does not fit into memory: Unable to allocate "),
    (["--batch", "1000000000000"], "this does not fit into memory: Unable to allocate ")])
def test_sizes_beyond_any_memory(tmp_path, capsys, sizes, message):
    assert message in refused(["train", "adding", *sizes, "--out", tmp_path / "run"], capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sizes, needed", [                       # numbers kept: 4 for each parameter, h at every step
    (["--hidden", "4", "--layers", "1"], 4 * (4 * (4 * 2 + 4 + 4 + 4 + 1) + 6 * 2 * 4)),
    (["--hidden", "5", "--layers", "2", "--batch", "3"], 4 * (4 * (5 * 2 + 5 + 5 + 25 + 5 + 5 + 5 + 1) + 6 * 3 * 10))])
def test_what_would_fill_the_memory_piece_by_piece_is_refused_before(tmp_path, capsys, monkeypatch, sizes, needed):
    command = [*TINY, *sizes, "--out", str(tmp_path / "run")]
    monkeypatch.setattr("minindrnn.tasks.task.memory_here", lambda: needed - 1)
    message = f"this does not fit into memory: expected a network and a batch of at most {(needed - 1) / 1e9:.3g} GB, got {needed / 1e9:.3g}"
    assert message in refused(command, capsys) and not (tmp_path / "run").exists()
    monkeypatch.setattr("minindrnn.tasks.task.memory_here", lambda: needed)
    assert main(command) == 0


def test_a_loss_that_is_not_finite_is_one_line_and_the_folder_is_free(tmp_path, capsys):
    with warnings.catch_warnings(), pytest.raises(SystemExit) as caught:
        warnings.simplefilter("error")
        main(["train", "adding", "--length", "100", "--rate", "1", "--penalty", "0.001", "--layers", "4", "--hidden", "8", "--batch", "8",
              "--updates", "99", "--out", str(tmp_path)])
    bar, said = capsys.readouterr().err.splitlines()[-2:]
    assert caught.value.code == 2 and "update/s" in bar
    assert re.fullmatch("python -m minindrnn train: the loss is (inf|nan) at update [0-9]+, before the first evaluation; try a smaller --rate", said)
    assert not list(tmp_path.iterdir())


class Full:
    """A stream that takes nothing."""
    encoding = "utf-8"

    def write(self, text):
        raise OSError(28, "No space left on device")

    flush = isatty = fileno = lambda self: self.write("")


@compiled
@pytest.mark.parametrize("stderr", [None, Full()], ids=["none", "full"])
def test_without_a_stream_there_is_no_bar_and_all_the_rest(tmp_path, monkeypatch, capsys, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main([*TINY, "--out", str(tmp_path / "run")]) == 0
    assert "run folder: " in capsys.readouterr().out and sys.stderr is stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"checkpoint.npz", "curve.png", "metrics.jsonl", "result.json"}
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*TINY, "--out", str(tmp_path / "silent")]) == 0 and (tmp_path / "silent/result.json").exists()
    with pytest.raises(SystemExit) as caught:
        main([*TINY, "--out", str(tmp_path / "run")])
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


@POSIX
@compiled
@pytest.mark.parametrize("streams, code", [("2>&-", 0), (">&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 2),
                                           ("| true; exit ${PIPESTATUS[0]}", 1), ("2>&1 | true; exit ${PIPESTATUS[0]}", 1)])
def test_training_ends_whatever_becomes_of_the_streams(tmp_path, streams, code):
    """What cannot be printed is printed at the end, when all is in the folder; `predict` and `report` find it there."""
    got, out, err = shell(f"minindrnn {' '.join(TINY)} --out run {streams}", tmp_path)
    assert got == code and ("run folder: " in out) == (streams in ("2>&-", "2>/dev/full"))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"checkpoint.npz", "config.json", "curve.png", "metrics.jsonl",
                                                                    "result.json"}
    if code == 2:
        assert err.endswith("python -m minindrnn train: the output: cannot be written: No space left on device\n")
    np.save(tmp_path / "in.npy", np.ones((2, 6, 2)))
    for words in ("predict run in.npy", "report run"):
        assert shell(f"minindrnn {words} {streams}", tmp_path)[0] == code


@POSIX
@pytest.mark.parametrize("words", ["--help", "train --help", "exercise", "describe mnist-plain-6"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_words_without_a_stream(tmp_path, words, unbuffered):
    for streams, codes in (("2>&-", {0}), (">&-", {0}), (">/dev/full", {0, 2}), ("| true; exit ${PIPESTATUS[0]}", {0, 1})):
        code, _, err = shell(f"minindrnn {words} {streams}", tmp_path, PYTHONUNBUFFERED=unbuffered)
        assert code in codes
        assert code != 2 or err.endswith(": the output: cannot be written: No space left on device\n")


@POSIX
def test_refusals_without_a_stream(tmp_path):
    for streams in ("2>&-", ">&-", "2>/dev/full"):
        code, out, err = shell(f"minindrnn train nowhere.npz {streams}", tmp_path)
        assert code == 2 and out == "" and err == ("python -m minindrnn train: nowhere.npz: no such file\n" if streams == ">&-" else "")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a child")
@pytest.mark.parametrize("module", ["numba", "scipy", "tqdm"])
def test_ctrl_c_while_modules_are_imported(tmp_path, module):
    """The module of that name is another one here, which sends the signal."""
    (tmp_path / f"{module}.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    assert shell("minindrnn --help", tmp_path) == (130, "", "")


@compiled
def test_two_processes_on_one_folder(tmp_path, capsys):
    """Only one trains, whichever came first; when it is gone, however that came, the next one may."""
    def words(out, *more):
        return ["train", "adding", "--length", "6", "--hidden", "4", "--batch", "2", "--out", str(tmp_path / out), *more]

    def begun(out, *more):
        """A child that trains: it has added an evaluation."""
        before = history(tmp_path / out)
        child = subprocess.Popen([sys.executable, "-m", "minindrnn", *words(out, *more)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while len(history(tmp_path / out)) <= len(before):
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        return child
    long = ["--updates", "100000000"]
    for more in ([], ["--resume"]):
        child = begun("run", *long, *more)
        message = f"{tmp_path / 'run'}: another process is training this run; wait until it ends, or choose another --out"
        assert message in refused(words("run", *long), capsys)
        assert message in refused(words("run", *long, "--resume"), capsys)
        child.kill()
        child.communicate()
    assert "holds a run already" in refused(words("run", *long), capsys)
    assert main(words("run", "--updates", "1", "--resume")) == 0                # which is over already
    steps = [row["update"] for row in history(tmp_path / "run")]
    assert steps == list(range(100, 100 * len(steps) + 1, 100))


def test_a_terminal_that_lacks_a_letter(tmp_path):
    (tmp_path / "text.txt").write_text("snow \u2603\n" * 100, encoding="utf-8")
    command = [sys.executable, "-m", "minindrnn", "train", "chars", "--data", "text.txt", "--length", "5", "--layers", "1",
               "--hidden", "4", "--batch", "2", "--updates", "1", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0 and b"what it says" in done.stdout, done.stderr


def test_every_command_has_help(capsys):
    for arguments in (["--help"], *([command, "--help"] for command in (
            "train", "predict", "report", "figure", "gradcheck", "gradients", "describe", "bench", "exercise"))):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0 and "usage: python -m minindrnn" in capsys.readouterr().out


def test_ctrl_c_is_left_to_another_program_that_imports_us(tmp_path):
    """Also if one of its words is our name; only `python -m minindrnn` ends at once while it imports."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("import minindrnn")
    (tmp_path / "mine/__main__.py").write_text("import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)")
    done = subprocess.run([sys.executable, "-m", "mine", "minindrnn"], cwd=tmp_path, capture_output=True, text=True,
                          preexec_fn=interruptible)
    assert done.stdout == "True\n", done.stderr


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


def test_the_help_names_what_is_usual_and_nothing_that_is_off(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert "adding --layers 2 --hidden 128 --updates 60300 --batch 32 --rate 0.0002 --gamma 2 --length 100".split() in said
    assert "chars --layers 6 --hidden 384 --updates 4000 --batch 64 --rate 0.005 --length 50 --norm before".split() in said
