"""Wrong input: one line that says what and where, exit code 2, nothing overwritten."""
import json
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from minindrnn.__main__ import main
from minindrnn.layer import leaves
from minindrnn.problems import PROBLEMS
from minindrnn.readback import load_run
from minindrnn.recipe import MODELS

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="too much arithmetic for kernels that are not compiled")
TINY = ["train", "adding", "--length", "6", "--hidden", "4", "--steps", "3", "--batch", "2"]


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
    (["train", "digits", "--steps", "1.5"], "argument --steps: expected a whole number of at least 1, got '1.5'"),
    (["train", "digits", "--steps", "9" * 25], f"argument --steps: expected a whole number from 1 to 1000000000000, got '{'9' * 25}'"),
    (["train", "digits", "--rate", "nan"], "argument --rate: expected a number from 0 to 1, got 'nan'"),
    (["train", "digits", "--gamma", "0.5"], "argument --gamma: expected a number from 1 to 1000, got '0.5'"),
    (["train", "digits", "--gamma", "inf"], "argument --gamma: expected a number from 1 to 1000, got 'inf'"),
    (["train", "digits", "--seed", "-1"], "argument --seed: expected a whole number of at least 0, got '-1'"),
    (["train", "adding", "--length", "1"], "argument --length: expected a whole number of at least 2, got '1'"),
    (["train", "digits", "--model", "densse"], "argument --model: invalid choice: 'densse'"),
    (["train", "digits", "--norm", "bofore"], "argument --norm: invalid choice: 'bofore'"),
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
    (["gradcheck", "--draws", "0"], "argument --draws: expected a whole number of at least 1, got '0'"),
])
def test_wrong_words(arguments, message, capsys):
    assert message in refused(arguments, capsys)


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
        patched.setattr("minindrnn.checkpoint.save", full)
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


@compiled
def test_the_figure_goes_on_and_passes_over_what_is_done(tmp_path, capsys):
    command = ["figure", "--lengths", "6", "8", "--models", "indrnn", "lstm", "--steps", "3", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and said[0].startswith("T = 6, indrnn: 3 steps") and said[-1] == f"drawn: {tmp_path / 'adding.png'}"
    assert (tmp_path / "adding.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "adding-8-lstm-seed0/result.json").read_text())
    assert result["command"] == "python -m minindrnn train adding --length 8 --model lstm --steps 3 --seed 0"
    assert main(command) == 0 and capsys.readouterr().out.splitlines() == said[-1:]
    command[command.index("3")] = "5"                              # further than before: each goes on where it was
    assert main(command) == 0 and len(capsys.readouterr().out.splitlines()) == 5
    assert main(["train", "adding", "--length", "8", "--model", "lstm", "--steps", "5", "--out", str(tmp_path / "whole")]) == 0
    one, two = ((tmp_path / name / "checkpoint.npz").read_bytes() for name in ("whole", "adding-8-lstm-seed0"))
    assert one == two


@compiled
def test_the_figure_passes_over_what_is_not_its_own(tmp_path, capsys):
    for other in ("adding-6-my-lstm-seed0", "adding-6-transformer-seed0"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "metrics.jsonl").write_text('{"step": 1, "test_mse": 1}\n')
    (tmp_path / "notes").mkdir()
    command = ["figure", "--lengths", "6", "--models", "gru", "dense", "--steps", "2", "--out", str(tmp_path)]
    assert main(command) == 0
    (tmp_path / "adding-6-gru-seed0/result.json").write_text("{")            # damaged: done again, which is nothing
    with open(tmp_path / "adding-6-gru-seed0/metrics.jsonl", "a") as file:
        file.write('{"step": 9, "te')
    assert main(command) == 0 and "T = 6, gru" in capsys.readouterr().out


@compiled
def test_a_run_without_any_evaluation_ends_without_a_traceback(tmp_path, capsys):
    assert main([*TINY, "--out", str(tmp_path / "a")]) == 0
    (tmp_path / "a/metrics.jsonl").unlink()
    (tmp_path / "a/curve.png").unlink()
    assert main([*TINY, "--out", str(tmp_path / "a"), "--resume"]) == 0
    assert not (tmp_path / "a/curve.png").exists() and "test mean squared error" in capsys.readouterr().out


def test_what_is_not_a_run_is_not_written_over(tmp_path, capsys):
    (tmp_path / "config.json").write_text("mine")
    assert "holds a run already" in refused([*TINY, "--out", tmp_path], capsys)
    assert (tmp_path / "config.json").read_text() == "mine"


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
        assert main(["train", "digits", "--rows", "--model", model, "--layers", "1", "--hidden", "4", "--steps", "4", "--out", out]) == 0
        said = capsys.readouterr().out
        assert "test accuracy" in said and ("recurrent weights" in said) == (model in ("indrnn", "residual", "dense"))


@compiled
def test_the_blocks_of_a_dense_network(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "digits", "--rows", "--model", "dense", "--layers", "2,1", "--hidden", "4", "--steps", "2", "--out", str(out)]) == 0
    _, network, _ = load_run(out)
    widths = [leaf.value.size for path, leaf in leaves(network.parameters) if leaf.role == "recurrent"]
    assert widths == [24, 16, 4, 16, 4, 16, 16, 4, 10]          # 6 k; 2 x (4 k, k); transition to half; (4 k, k); to half


@compiled
def test_three_ways_to_evaluate_batch_normalisation(tmp_path, capsys):
    assert main(["train", "digits", "--rows", "--norm", "after", "--hidden", "4", "--steps", "4", "--out", str(tmp_path / "a")]) == 0
    assert "by statistics of the population" in capsys.readouterr().out
    result = json.loads((tmp_path / "a/result.json").read_text())
    assert len({result[f"test_loss{way}"] for way in ("", "_population", "_batch")}) == 3


def test_a_terminal_that_lacks_a_letter(tmp_path):
    (tmp_path / "text.txt").write_text("snow \u2603\n" * 100, encoding="utf-8")
    command = [sys.executable, "-m", "minindrnn", "train", "chars", "--data", "text.txt", "--length", "5", "--layers", "1",
               "--hidden", "4", "--batch", "2", "--steps", "1", "--out", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert done.returncode == 0 and b"what it says" in done.stdout, done.stderr


def test_every_command_has_help(capsys):
    for arguments in (["--help"], *([command, "--help"] for command in (
            "train", "predict", "report", "figure", "gradcheck", "gradients", "describe", "bench", "exercise"))):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0 and "usage: python -m minindrnn" in capsys.readouterr().out
