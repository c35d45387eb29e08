"""What a run has learned can be used and drawn, without its data, and nothing else is taken for a run."""
import json
import math
import shutil
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from minindrnn import StackedIndRNN
from minindrnn.cli.commands import main
from minindrnn.cli.finished_run import load_run, pictures, recurrent_weights, summary
from minindrnn.cli.plots import draw_memory
from minindrnn.data.digits import load_digits
from minindrnn.data.download import DataError
from minindrnn.tasks.adding import Adding
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.tasks.user_file import UserFile
from minindrnn.training import checkpoint
from minindrnn.training.run import strict_json

TINY = ["--hidden", "6", "--layers", "2", "--batch", "8", "--rate", "0.01"]


def ragged(path, n=60, seed=0):
    """Three classes that differ in the level of channel 0; NaN after every end."""
    rng = np.random.default_rng(seed)
    y, lengths = np.arange(n) % 3, rng.integers(4, 13, n)
    X = rng.normal(100, 3, (n, 12, 2)) + 9 * y[:, np.newaxis, np.newaxis] * [1, 0]
    X[np.arange(12) >= lengths[:, np.newaxis]] = np.nan
    np.savez(path, X=X, y=y, lengths=lengths)
    return X, y, lengths


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on a file of one's own, which is gone."""
    folder = tmp_path_factory.mktemp("own")
    ragged(folder / "mine.npz")
    assert main(["train", str(folder / "mine.npz"), *TINY, "--updates", "150", "--dropout", "0",
                 "--out", str(folder / "run")]) == 0
    (folder / "mine.npz").rename(folder / "moved.npz")
    return folder


@pytest.mark.compiled
@pytest.mark.tutorial8
def test_a_run_on_ones_own_sequences_learns(own):
    assert json.loads((own / "run/result.json").read_text())["test_accuracy"] > 0.6


@pytest.mark.compiled
@pytest.mark.tutorial8
def test_predictions_are_counted_against_the_classes(own, tmp_path, capsys):
    _, y, _ = ragged(tmp_path / "new.npz", seed=1)
    assert main(["predict", str(own / "run"), str(tmp_path / "new.npz")]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    answers = [line.split() for line in lines]
    right = sum(int(answer[1]) == k for answer, k in zip(answers, y))
    assert [int(answer[0]) for answer in answers] == list(range(60))
    assert right > 40
    assert all(("wrong:" in answer) == (int(answer[1]) != k) for answer, k in zip(answers, y))
    assert last == f"accuracy {right / 60:.2%} ({right} of 60)"


@pytest.mark.compiled
@pytest.mark.tutorial8
def test_predictions_are_those_of_the_network_one_by_one(own, tmp_path, capsys):
    X, _, lengths = ragged(tmp_path / "new.npz", seed=1)
    np.savez(tmp_path / "new.npz", X=X, lengths=lengths)
    assert main(["predict", str(own / "run"), str(tmp_path / "new.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    made, network, steps = load_run(own / "run")
    mean, deviation = (np.array(made.seen[name]) for name in ("mean", "deviation"))
    assert steps == 150 and made.parts == {}
    for i, line in enumerate(lines):
        x = ((X[i, :lengths[i], np.newaxis] - mean) / deviation).astype(np.float32)
        p = softmax(network.forward(x)[0][0].astype(np.float64))
        number, k, percent = line.split()
        assert (int(number), int(k)) == (i, p.argmax())
        assert abs(float(percent[:-1]) / 100 - p.max()) < 6e-4


@pytest.mark.compiled
def test_what_the_run_has_seen_is_what_the_training_sequences_hold(own):
    seen = load_run(own / "run")[0].seen
    x, _, lengths = UserFile(settings("own", data=str(own / "moved.npz"))).parts["train"]
    valid = np.concatenate([row[:length] for row, length in zip(x, lengths)])
    assert (seen["T"], seen["M"], seen["K"]) == (12, 2, 3)
    np.testing.assert_allclose(seen["mean"], valid.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(seen["deviation"], valid.std(axis=0), rtol=1e-12)


@pytest.mark.compiled
@pytest.mark.parametrize("X, message", [
    (np.ones((3, 12)), "X: expected 2 numbers a step, got 1; X has shape (3, 12)"),
    (np.ones(12), "X: expected (n, T, M) or (n, T), got (12,)"),
    (np.full((3, 12, 2), np.nan), "X: expected finite numbers, got nan in sequence 0, step 0, channel 0"),
    (np.full((3, 12, 2), "a"), "X: expected numbers, got <U1"),
    (np.full((2, 12, 2), 1e60),
     "X: expected numbers of at most 1e30, got 1e+60 in sequence 0, step 0, channel 0"),
])
def test_an_input_that_does_not_fit_is_refused(X, message, own, tmp_path, refused):
    np.save(path := tmp_path / "in.npy", X)
    assert refused(["predict", own / "run", path]) == f"python -m minindrnn predict: {path}: {message}"


@pytest.mark.compiled
def test_an_input_that_is_no_file_of_arrays_is_refused(own, tmp_path, refused):
    path = tmp_path / "in.npy"
    path.write_bytes(b"text")
    assert f"{path}: not a whole .npy file of plain arrays" in refused(["predict", own / "run", path])
    assert f"{path}x: no such file" in refused(["predict", own / "run", f"{path}x"])


@pytest.mark.compiled
def test_a_class_that_the_run_does_not_know_is_refused(own, tmp_path, refused):
    np.savez(tmp_path / "in.npz", X=np.ones((3, 12, 2)), y=[0, 1, 3])
    assert "in.npz: y: expected classes 0 to 2, got 3" in refused(["predict", own / "run", tmp_path / "in.npz"])


@pytest.mark.compiled
def test_an_option_of_another_task_is_refused(own, tmp_path, refused):
    run = own / "run"
    np.save(path := tmp_path / "in.npy", np.ones((3, 12, 2)))
    assert "--seed is for chars, not for own" in refused(["predict", run, path, "--seed", "1"])
    assert "--dynamic is for chars, not for own" in refused(["report", run, "--dynamic"])


@pytest.mark.compiled
def test_more_steps_than_u_is_bounded_for_are_noted(own, tmp_path, capsys):
    np.save(path := tmp_path / "in.npy", np.ones((1, 13, 2)))
    assert main(["predict", str(own / "run"), str(path)]) == 0
    assert "note: up to 13 steps, more than the 12 that |u| is bounded for" in capsys.readouterr().out


predict_and_report = pytest.mark.parametrize("command", ["predict", "report"])


@pytest.mark.compiled
@predict_and_report
def test_what_is_no_run_is_refused(command, own, tmp_path, refused):
    more = [own / "moved.npz"] * (command == "predict")
    for folder in (tmp_path, tmp_path / "none", own / "moved.npz"):
        assert f"{folder}: expected the folder of a run, with a checkpoint.npz" in refused([command, folder, *more])


@pytest.mark.compiled
@predict_and_report
def test_a_damaged_checkpoint_is_refused(command, own, tmp_path, refused):
    more, run = [own / "moved.npz"] * (command == "predict"), tmp_path / "run"
    shutil.copytree(own / "run", run)
    path = run / "checkpoint.npz"
    whole = path.read_bytes()
    for data in (b"", whole[:-100], (own / "moved.npz").read_bytes()):
        path.write_bytes(data)
        assert f"{path}: not a whole minindrnn checkpoint" in refused([command, run, *more])


@pytest.mark.compiled
@predict_and_report
@pytest.mark.parametrize("change, message", [
    *((lambda facts, change=change: facts | change,
       "expected the checkpoint of a run, with its update, config and seen")
      for change in ({"config": None}, {"update": -1}, {"update": 2.5}, {"update": True})),
    (lambda facts: facts | {"colour": 1, "size": 2}, "not read: colour, size; known are update, config, seen"),
    (lambda facts: facts | {"config": {"task": "chess"}},
     "expected a run of one of the tasks digits, digits-rows, adding, "),
    (lambda facts: facts | {"config": facts["config"] | {"colour": 1}},
     "not read: colour; known are task, layers, hidden, "),
    (lambda facts: facts | {"seen": {"T": 3}}, "not a run of this version of minindrnn"),
    (lambda facts: facts | {"config": facts["config"] | {"hidden": 7}}, "expected float32 (1, 7), got float32 (1, 6)"),
    (lambda facts: facts | {"config": facts["config"] | {"layers": 1}}, "is not expected"),
])
def test_a_checkpoint_of_another_run_is_refused(command, change, message, own, tmp_path, refused):
    more, run = [own / "moved.npz"] * (command == "predict"), tmp_path / "run"
    shutil.copytree(own / "run", run)
    arrays, facts = checkpoint.load(run / "checkpoint.npz")
    checkpoint.save(run / "checkpoint.npz", arrays, change(facts))
    said = refused([command, run, *more])
    assert f"{run / 'checkpoint.npz'}: " in said
    assert message in said


@pytest.mark.compiled
@predict_and_report
def test_a_checkpoint_with_an_array_more_or_less_is_refused(command, own, tmp_path, refused):
    more, run = [own / "moved.npz"] * (command == "predict"), tmp_path / "run"
    shutil.copytree(own / "run", run)
    path = run / "checkpoint.npz"
    arrays, facts = checkpoint.load(path)
    checkpoint.save(path, arrays | {"colour": np.ones(1)}, facts)
    assert f"{path}: not read: colour; known are parameter.*, " in refused([command, run, *more])
    arrays.pop(next(name for name in arrays if name.startswith("parameter.")))
    checkpoint.save(path, arrays, facts)
    assert "is missing" in refused([command, run, *more])


@pytest.mark.compiled
def test_a_run_goes_on_with_the_same_data_and_no_other(own, tmp_path, capsys, refused):
    shutil.copytree(own / "run", tmp_path / "run")
    train = ["train", own / "mine.npz", *TINY, "--updates", "150", "--dropout", "0",
             "--out", tmp_path / "run", "--resume"]
    assert "mine.npz: no such file" in refused(train)
    X, y, lengths = ragged(own / "mine.npz")
    tested = UserFile(settings("own", data=str(own / "mine.npz"))).parts["test"][0]
    X[np.flatnonzero(X[:, 0, 0] == tested[0, 0, 0])] += 1                 # which training has not seen
    np.savez(own / "mine.npz", X=X, y=y, lengths=lengths)
    try:
        assert f"{tmp_path / 'run'}: the data is not that which the run was started with" in refused(train)
        assert main(["report", str(tmp_path / "run")]) == 0
        assert "no confusion.png: the data is not that which the run was started with" in capsys.readouterr().out
    finally:
        (own / "mine.npz").unlink()
    digits = ["train", "digits", "--rows", *TINY, "--updates", "150", "--out", tmp_path / "run", "--resume"]
    assert f"{tmp_path / 'run'}: was started with task = 'own', not 'digits-rows'" in refused(digits)


def drawn(folder):
    return {path.name for path in folder.glob("*.png") if path.read_bytes().startswith(b"\x89PNG")}


def in_earlier_words(facts):
    return {{"update": "step", "updates": "steps"}.get(name, name): value for name, value in facts.items()}


@pytest.mark.compiled
def test_a_run_of_an_earlier_version_is_read_and_goes_on(tmp_path, capsys, refused):
    """Its files say step and steps where those of today say update and updates, and nothing of the activation; its
    command said steps, too."""
    command = ["train", "digits", "--rows", *TINY, "--seed", "2"]
    assert main([*command, "--updates", "60", "--out", str(tmp_path / "new")]) == 0
    shutil.copytree(tmp_path / "new", run := tmp_path / "old")
    arrays, facts = checkpoint.load(run / "checkpoint.npz")
    config = in_earlier_words(facts["config"])
    assert config.pop("activation") == "relu"
    checkpoint.save(run / "checkpoint.npz", arrays, in_earlier_words(facts) | {"config": config})
    for name in ("config.json", "result.json"):
        (run / name).write_text(json.dumps(in_earlier_words(json.loads((run / name).read_text()))))
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (run / "metrics.jsonl").write_text("".join(json.dumps(in_earlier_words(row)) + "\n" for row in rows))
    np.save(tmp_path / "x.npy", np.full((2, 8, 8), 5))
    said = []
    for folder in ("new", "old"):
        capsys.readouterr()
        assert main(["report", str(tmp_path / folder)]) == 0
        assert main(["predict", str(tmp_path / folder), str(tmp_path / "x.npy")]) == 0
        said.append(capsys.readouterr().out.replace(folder, ""))
    assert said[0] == said[1] and "60 updates in" in said[0]
    assert checkpoint.load(run / "checkpoint.npz")[1]["step"] == 60
    assert '"steps": 60' in (run / "result.json").read_text()
    assert "was started with updates = 60, not 80" in refused([*command, "--steps", "80", "--out", run, "--resume"])
    other = [*command, "--steps", "60", "--activation", "tanh", "--out", run, "--resume"]
    assert "was started with activation = 'relu', not 'tanh'" in refused(other)
    assert main([*command, "--steps", "60", "--out", str(run), "--resume"]) == 0
    for name in ("checkpoint.npz", "metrics.jsonl"):
        assert (run / name).read_bytes() == (tmp_path / "new" / name).read_bytes(), name
    assert json.loads((run / "result.json").read_text())["updates"] == 60


@pytest.mark.compiled
def test_a_report_without_the_data_does_the_rest(own, tmp_path, capsys):
    assert main(["report", str(own / "run"), "--out", str(tmp_path / "new/pictures")]) == 0
    said = capsys.readouterr().out
    assert "own, indrnn: layers 2, hidden 6, batch 8, rate 0.01" in said and "150 updates in " in said
    rows = [json.loads(line) for line in (own / "run/metrics.jsonl").read_text().splitlines()]
    best = max(rows, key=lambda row: row["validation_accuracy"])
    assert f"validation accuracy: best {best['validation_accuracy']:.5g} at update {best['update']}, last " in said
    assert f"test accuracy {json.loads((own / 'run/result.json').read_text())['test_accuracy']:.5g}" in said
    assert "memory: recurrent weights, bounded by |u| <= 1.059463; half-life in steps" in said
    assert f"no confusion.png: {own / 'mine.npz'}: no such file" in said
    assert drawn(tmp_path / "new/pictures") == {"curve.png", "memory.png"} and drawn(own / "run") == {"curve.png"}


@pytest.mark.slow
@pytest.mark.compiled
def test_a_report_of_every_model_finished_or_not(tmp_path, capsys):
    for model in ("residual", "dense", "lstm"):
        run = tmp_path / model
        made = TASKS["digits-rows"](settings("digits-rows", model, hidden=4, layers=1, updates=4))
        made.run(run).start()
        assert main(["report", str(run)]) == 0
        said = capsys.readouterr().out
        assert "0 updates, and no evaluation yet" in said
        assert "no result yet: the command of the run with --resume goes on" in said
        assert drawn(run) == {"confusion.png"} | ({"memory.png"} if model != "lstm" else set())
        assert ("no memory.png: in lstm no neuron has a recurrent weight u of its own" in said) == (model == "lstm")
        assert main(["train", "digits", "--rows", "--model", model, "--hidden", "4", "--layers", "1", "--updates", "4",
                     "--out", str(run), "--resume"]) == 0
        capsys.readouterr()
        assert main(["report", str(run)]) == 0
        assert "4 updates in " in capsys.readouterr().out and "curve.png" in drawn(run)
    (run / "result.json").write_text("{")
    assert main(["report", str(run)]) == 0 and "result.json: not a result" in capsys.readouterr().out


@pytest.mark.compiled
def test_the_network_at_the_start_is_the_one_that_was_trained(tmp_path):
    for task in ("digits-rows", "adding"):
        made = TASKS[task](settings(task, hidden=4, layers=2, updates=4, length=5, seed=3))
        run = made.run(tmp_path / task)
        run.start()
        before = recurrent_weights(run.network)
        assert len(before) == 2
        for name, u in recurrent_weights(load_run(tmp_path / task)[0].initial()).items():
            assert np.array_equal(u, before[name]) and u is not before[name]


@pytest.mark.compiled
def test_digits_are_given_in_their_own_units(tmp_path, capsys, refused):
    run = ["--hidden", "32", "--layers", "1", "--updates", "150", "--batch", "32", "--out", str(tmp_path / "run")]
    assert main(["train", "digits", "--rows", *run]) == 0
    (tmp_path / "run/config.json").unlink()                           # all is in the checkpoint
    x, y = load_digits(rows=True)["test"]
    np.savez(tmp_path / "digits.npz", X=np.rint((x.transpose(1, 0, 2) + 1) * 8).astype(np.uint8), y=y)
    result = json.loads((tmp_path / "run/result.json").read_text())
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "digits.npz")]) == 0
    assert f"accuracy {result['test_accuracy']:.2%} (" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "run")]) == 0 and "confusion.png" in drawn(tmp_path / "run")
    capsys.readouterr()
    for X, message in [(x[:5].transpose(1, 0, 2), "X: expected 8 steps of each sequence, got 5"),
                       (x.transpose(1, 0, 2), "X: expected numbers from 0 to 16, got -1 to 1")]:
        np.save(tmp_path / "digits.npy", X)
        assert message in refused(["predict", tmp_path / "run", tmp_path / "digits.npy"])


@pytest.mark.compiled
def test_sums_are_predicted_too(tmp_path, capsys):
    assert main(["train", "adding", "--length", "6", "--hidden", "8", "--updates", "5",
                 "--out", str(tmp_path / "run")]) == 0
    X, y = np.random.default_rng(0).random((4, 6, 2)), np.ones(4)
    np.savez(tmp_path / "sums.npz", X=X, y=y)
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "sums.npz")]) == 0
    *answers, last = capsys.readouterr().out.splitlines()
    _, network, _ = load_run(tmp_path / "run")
    expected = network.forward(np.ascontiguousarray(X.transpose(1, 0, 2), np.float32))[0][:, 0]
    assert answers == [f"{i:>6}  {answer:.4f}" for i, answer in enumerate(expected)]
    assert float(last.split()[-1]) == pytest.approx(np.mean((expected - y)**2), abs=1e-5)


@pytest.mark.compiled
def test_a_text_is_gone_on_with(tmp_path, capsys, refused):
    run, text = tmp_path / "run", tmp_path / "text.txt"
    text.write_text("abcab\n" * 100)
    assert main(["train", "chars", "--data", str(text), "--length", "5", "--layers", "1", "--hidden", "6",
                 "--batch", "2", "--updates", "3", "--out", str(run)]) == 0
    capsys.readouterr()
    assert main(["report", str(run), "--dynamic", "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out/dynamic.json").read_text())
    said = capsys.readouterr().out
    assert f"test {found['test_bits']:.3f} bits a character by dynamic evaluation, at a rate of" in said
    for other in ("abca\n" * 100 + "d", "abcba\n" * 100):              # one more letter; the same ones in another order
        text.write_text(other)
        assert "the data is not that which the run was started with" in refused(["report", run, "--dynamic"])
    text.unlink()
    assert "text.txt: cannot be read" in refused(["report", run, "--dynamic"])
    said = []
    for options in ([], ["--sample", "30"], ["--sample", "30", "--seed", "1"],
                    ["--sample", "30", "--temperature", "0.001"]):
        capsys.readouterr()
        assert main(["predict", str(run), "ab", *options]) == 0
        said.append(capsys.readouterr().out)
    made, network, _ = load_run(run)
    assert said[0] == "ab" + made.sample(network, "ab", 400, 0.7, np.random.default_rng(0)) + "\n"
    assert all(len(text) == 33 and set(text) <= set("abc\n") for text in said[1:]) and len(set(said)) == 4
    assert "expected characters of the text of the run, got 'x'" in refused(["predict", run, "axe"])
    capsys.readouterr()
    assert main(["report", str(run)]) == 0 and drawn(run) == {"curve.png", "memory.png"}
    assert "\n".join(made.samples(network)) in capsys.readouterr().out
    network.parameters["b"].value[:] = np.nan
    with pytest.raises(DataError,
                       match="expected finite numbers from the network, got nan after 2 characters: it has diverged"):
        made.sample(network, "ab", 3, 0.7, np.random.default_rng(0))
    assert list(made.samples(network))[1].endswith("it has diverged")


@pytest.mark.compiled
def test_a_diverged_network_is_refused_without_a_warning(own, tmp_path, capsys, refused):
    """A step that is not finite in a checkpoint, which training never writes; numbers at the limit, which it allows."""
    run, path = tmp_path / "run", tmp_path / "in.npz"
    shutil.copytree(own / "run", run)
    X, y, lengths = ragged(path)
    arrays, facts = checkpoint.load(run / "checkpoint.npz")
    for array in arrays.values():
        if array.dtype == np.float32:
            array *= np.float32(1e30)
    checkpoint.save(run / "checkpoint.npz", arrays, facts)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        message = (f"{path}: X: expected numbers like those of the training, got a sequence, 0, to which the network's "
                   "answer is not finite")
        assert message in refused(["predict", run, path])
        assert main(["report", str(run)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.compiled
def test_a_result_that_is_not_finite_is_written_and_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Adding, "evaluate", lambda *_: {"test_mse": float("nan")})
    run = tmp_path / "run"
    assert main(["train", "adding", "--length", "6", "--hidden", "4", "--updates", "3", "--batch", "2",
                 "--out", str(run)]) == 0
    for line in [*(run / "metrics.jsonl").read_text().splitlines(), (run / "result.json").read_text()]:
        assert json.loads(line, parse_constant=pytest.fail)["test_mse"] is None
    assert "test mean squared error nan over 1000 sequences" in capsys.readouterr().out
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert main(["report", str(run)]) == 0
    said = capsys.readouterr().out
    assert "test mse: best nan at update 3, last nan" in said and "result: test mse nan" in said and "curve.png" in said


@pytest.mark.compiled
def test_sums_that_are_not_finite_are_refused(tmp_path, capsys, refused):
    run, path = tmp_path / "run", tmp_path / "sums.npy"
    assert main(["train", "adding", "--length", "6", "--hidden", "8", "--updates", "2", "--out", str(run)]) == 0
    capsys.readouterr()
    np.save(path, np.ones((2, 6, 2)))
    arrays, facts = checkpoint.load(run / "checkpoint.npz")
    checkpoint.save(run / "checkpoint.npz", {name: np.full_like(array, np.nan) if array.dtype == np.float32 else array
                                             for name, array in arrays.items()}, facts)
    assert "got a sequence, 0, to which the network's answer is not finite" in refused(["predict", run, path])


def test_the_best_is_the_highest_accuracy_and_the_lowest_loss(tmp_path):
    rows = [dict(update=10, loss=3.0, validation_loss=2.0, validation_accuracy=0.25, seconds=1.4),
            dict(update=20, loss=2.0, validation_loss=0.5, validation_accuracy=0.75, seconds=2.6),
            dict(update=30, loss=1.0, validation_loss=1.5, validation_accuracy=0.5, seconds=61.2)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "result.json").write_text(json.dumps({"test_accuracy": 0.625, "updates": 30, "seconds": 61.2,
                                                      "command": "python"}))
    said = list(summary(tmp_path, SimpleNamespace(settings=settings("digits", hidden=5)), 30))
    assert said[0] == "digits, residual: layers 3, hidden 5, batch 32, rate 0.003, gamma 2.0, norm after"
    assert said[1:] == ["30 updates in 61 seconds", "  validation loss: best 0.5 at update 20, last 1.5",
                        "  validation accuracy: best 0.75 at update 20, last 0.5", "result: test accuracy 0.625"]


@pytest.mark.parametrize("bits, said", [([2.0, 1.5, 1.75], "best 1.5 at update 20, last 1.75"),
                                        ([2.0, 1.5, math.nan], "best 1.5 at update 20, last nan")])
def test_fewer_bits_are_better_and_the_last_is_the_last(tmp_path, bits, said):
    rows = [dict(step=10 * k, loss=3.0, validation_bits=value, seconds=1.0) for k, value in enumerate(bits, 1)]
    (tmp_path / "metrics.jsonl").write_text("".join(strict_json(row) + "\n" for row in rows))
    lines = list(summary(tmp_path, SimpleNamespace(settings=settings("chars")), 30))
    assert lines[1:] == ["30 updates in 1 seconds", f"  validation bits: {said}",
                         "no result yet: the command of the run with --resume goes on"]


def test_memory_is_drawn_beside_where_it_began(tmp_path):
    """The last of two units starts at 0.5^(1/4) to 2^(1/4); what became of it is another number."""
    task = TASKS["adding"](settings("adding", length=4, hidden=3, seed=2))
    began, network = (task.network(np.random.default_rng([2, 0])) for _ in range(2))
    for layer in network.layers[:2]:
        layer["u"][:] = 0.125
    (name, picture, before, after, bound), = pictures(tmp_path, task, network)
    assert name == "memory.png" and picture is draw_memory and bound == pytest.approx(2 ** (1 / 4))
    assert {path: u.tolist() for path, u in after.items()} == {"0.u": [0.125] * 3, "1.u": [0.125] * 3}
    for k in range(2):
        assert before[f"{k}.u"].tolist() == began.layers[k]["u"].tolist()
    assert before.keys() == {"0.u", "1.u"}


def test_recurrent_weights_are_those_of_the_network(rng):
    network = StackedIndRNN(2, 3, 2, 1, rng, length=9)
    found = recurrent_weights(network)
    assert list(found) == ["0.u", "1.u"] and all(found[f"{i}.u"] is network.layers[i]["u"] for i in range(2))
