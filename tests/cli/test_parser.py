"""Wrong words are refused, right ones reach the run, and the help names them all."""
import json
from dataclasses import asdict

import pytest

from minindrnn.cli.commands import main
from minindrnn.cli.parser import parser
from minindrnn.tasks.registry import TASKS, settings


@pytest.mark.parametrize("arguments, message", [
    ([], "python -m minindrnn: the following arguments are required: COMMAND"),
    (["trian"], "argument COMMAND: invalid choice: 'trian'"),
    (["train", "mnist"],
     "argument TASK: expected one of digits, adding, smnist, pmnist, fashion, chars, motion, or FILE.npz, got 'mnist'"),
    (["train", "chars", "--data", ""], "argument --data: expected a name, got ''"),
    (["train", "digits", "--out", ""], "argument --out: expected a name, got ''"),
    (["train", "digits", "--layers", "0"], "argument --layers: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--model", "dense", "--layers", "2,0"],
     "argument --layers: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--layers", "8,6"], "--layers: expected one number for residual, got [8, 6]"),
    (["train", "digits", "--hidden", "many"], "argument --hidden: expected a whole number of at least 1, got 'many'"),
    (["train", "digits", "--updates", "1.5"], "argument --updates: expected a whole number of at least 1, got '1.5'"),
    (["train", "digits", "--updates", "9" * 25],
     f"argument --updates: expected a whole number from 1 to 1000000000000, got '{'9' * 25}'"),
    (["train", "digits", "--steps", "0"], "argument --steps: expected a whole number of at least 1, got '0'"),
    (["train", "digits", "--rate", "nan"], "argument --rate: expected a number from 0 to 1, got 'nan'"),
    (["train", "digits", "--gamma", "0.5"], "argument --gamma: expected a number from 1 to 1000, got '0.5'"),
    (["train", "digits", "--gamma", "inf"], "argument --gamma: expected a number from 1 to 1000, got 'inf'"),
    (["train", "digits", "--seed", "-1"], "argument --seed: expected a whole number of at least 0, got '-1'"),
    (["train", "adding", "--length", "1"], "argument --length: expected a whole number of at least 2, got '1'"),
    (["train", "digits", "--model", "densse"], "argument --model: invalid choice: 'densse'"),
    (["train", "digits", "--norm", "bofore"], "argument --norm: invalid choice: 'bofore'"),
    (["train", "digits", "--activation", "gelu"], "argument --activation: invalid choice: 'gelu'"),
    (["train", "digits", "--model", "gru", "--activation", "tanh"],
     "--activation is for indrnn, residual and dense, not for gru"),
    (["train", "digits", "--dropout", "1"], "argument --dropout: expected a number from 0 to 0.99, got '1'"),
    (["train", "digits", "--model", "lstm", "--norm", "after"],
     "--norm is for indrnn, residual and dense, not for lstm"),
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
    (["train", "adding", "--plateau", "5"],
     "--plateau is not for adding, where only the test is watched: there the rate falls to a "
                                            "tenth after every 20100 updates"),
    (["train", "digits", "--plateau", "5", "--rate", "1e-7"],
     "--rate: expected at least 1e-06, where --plateau ends, got 1e-07"),
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
    (["predict", "run", "a text", "--temperature", "0"],
     "argument --temperature: expected a number of at least 0.001, got '0'"),
    (["gradcheck", "--draws", "0"], "argument --draws: expected a whole number of at least 1, got '0'"),
])
def test_wrong_words(arguments, message, refused):
    assert message in refused(arguments)


@pytest.mark.parametrize("words, changes", [
    (["--layers", "2"], dict(layers=2)), (["--hidden", "6"], dict(hidden=6)), (["--batch", "3"], dict(batch=3)),
    (["--rate", "0.25"], dict(rate=0.25)), (["--seed", "4"], dict(seed=4)), (["--gamma", "3"], dict(gamma=3.0)),
    (["--penalty", "0.5"], dict(penalty=0.5)), (["--norm", "after"], dict(norm="after")),
    (["--dropout", "0.3"], dict(dropout=0.3)),
    (["--decay", "0.01"], dict(decay=0.01)), (["--plateau", "3"], dict(plateau=3)),
    (["--model", "residual"], dict(model="residual")), (["--activation", "sigmoid"], dict(activation="sigmoid")),
    (["--model", "plain"], {}), (["--model", "dense", "--layers", "2,1"], dict(model="dense", layers=[2, 1])),
    (["--updates", "2"], dict(updates=2))])
def test_every_word_of_the_command_reaches_the_run(words, changes, tmp_path, monkeypatch):
    """The run starts, and is told apart from the same one without the word by its config and nothing else."""
    monkeypatch.setattr("minindrnn.cli.commands.finished", lambda *_: None)                 # as after Ctrl-C
    usual = {"--layers": "1", "--hidden": "4", "--updates": "1", "--batch": "2"}
    usual = [word for option, value in usual.items() if option not in words for word in (option, value)]
    assert main(["train", "digits", "--rows", *usual, *words, "--out", str(tmp_path / "run")]) == 130
    wanted = asdict(settings("digits-rows")) | dict(layers=1, hidden=4, updates=1, batch=2) | changes
    assert json.loads((tmp_path / "run/config.json").read_text()) == wanted


def test_what_a_task_says_of_itself_is_what_the_command_line_knows(capsys):
    """Every option that a task takes or refuses, or that stands for settings, is there; every task is in the help."""
    commands = parser()._subparsers._group_actions[0].choices
    known = {name: {action.dest for action in command._actions} for name, command in commands.items()}
    for name, task in TASKS.items():
        assert task.name == name and task.word and task.help, f"{task.__name__}: expected name, word and help"
        assert all(options <= known[command] for command, options in task.takes.items()), name
        assert task.refuses.keys() | task.stands_for.keys() <= known["train"], name
        assert task.stands_for.keys() <= task.takes.get("train", set()), name
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--updates U" in said and "--steps" not in said
    assert all(task.help in said and f" {task.word} --" in said for task in TASKS.values())


def test_every_command_has_help(capsys):
    for arguments in (["--help"], *([command, "--help"] for command in (
            "train", "predict", "report", "figure", "gradcheck", "gradients", "describe", "bench", "exercise"))):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0 and "usage: python -m minindrnn" in capsys.readouterr().out


def test_the_help_names_what_is_usual_and_nothing_that_is_off(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    for usual in ("digits --layers 3 --hidden 128 --updates 1500 --batch 32 --rate 0.003 --gamma 2 --model residual "
                  "--norm after",
                  "adding --layers 2 --hidden 128 --updates 60300 --batch 32 --rate 0.0002 --gamma 2 --length 100",
                  "chars --layers 6 --hidden 384 --updates 4000 --batch 64 --rate 0.005 --length 50 --norm before"):
        assert usual.split() in said
