"""What the README says is so: its code runs (as a doctest of its own), its numbers and tables are those of the files."""
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from minindrnn.characters import FIRST
from minindrnn.classification import TOGETHER
from minindrnn.experiments import EXPERIMENTS, settings
from minindrnn.gpu.recurrence import AHEAD
from minindrnn.memory import largest, smallest
from minindrnn.readback import initial, load_run, recurrent_weights

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FIGURE = ROOT / "tutorials/results/figure"


def found(run, name):
    return json.loads((ROOT / f"tutorials/results/{run}/{name}.json").read_text())


def test_the_map_of_files_is_complete():
    rows = re.findall(r"^\| \[`([\w/.]+)`\]\(([\w/.]+)\) \| .+ \|$", README, re.M)
    assert all(name == target for name, target in rows)
    files = {path.relative_to(ROOT).as_posix() for folder in ("minindrnn", "gpu") for path in (ROOT / folder).rglob("*.py")}
    assert {name for name, _ in rows} == {name for name in files if not name.endswith("__init__.py")}


def module(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_tables_of_results_are_what_the_results_say():
    results = module("tutorials/results.py")
    for table in results.TABLES:
        assert "\n".join(table()) in README, table.__name__


def test_what_is_said_of_the_four_models():
    """Within 2000 updates, nothing at 500 and 1000 steps, four or five times as many; what became of IRNN and T = 5000."""
    def rows(T, model):
        lines = (FIGURE / f"adding-{T}-{model}-seed0/metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def first(T, model):
        return next((row["step"] for row in rows(T, model) if row["test_mse"] < 0.01), None)
    for T in (500, 1000):
        assert first(T, "indrnn") < 2000 and round(first(T, "lstm") / first(T, "indrnn")) in (4, 5)
        assert min(row["test_mse"] for row in rows(T, "rnn")) > 0.15
    assert all(rows(T, model)[-1]["step"] == 60_300 for T in (100, 1000) for model in ("indrnn", "irnn", "rnn", "lstm"))
    assert rows(100, "irnn")[-1]["test_mse"] < 1e-4
    shorter = rows(500, "irnn")
    assert shorter[-1]["step"] == 8000 and min(row["test_mse"] for row in shorter) > 0.15
    irnn = rows(1000, "irnn")
    assert next(row["step"] for row in irnn if row["test_mse"] < 0.15) == 25_700
    assert round(irnn[-1]["test_mse"], 3) == 0.086 and round(1 / 12, 3) == 0.083
    assert all(row["test_mse"] > 0.16 for model in ("lstm", "rnn", "irnn") for row in rows(5000, model))

def test_what_is_said_of_5000_steps():
    """A quarter of the papers' rate; how wide the range of u is beside an update; what each rate came to."""
    runs = dict(module("tutorials/results.py").longest())
    first = {rate: {goal: min((step for step in mse if mse[step] < goal), default=None) for goal in (0.1, 0.01)}
             for rate, mse in runs.items()}
    assert first["5e-5"] == {0.1: 4500, 0.01: 12_800}
    assert 4 * found("longest/rate-5e-5", "config")["rate"] == settings("adding", length=5000).rate == 2e-4
    assert f"and at {found('longest/rate-5e-5', 'result')['test_mse']:.4f} at the end, after 60 300." in README and max(runs["5e-5"]) == 60_300
    low, high = smallest(5000), largest(5000)
    assert (round(low, 5), round(high, 5)) == (0.99986, 1.00014) and high - low < 2 * 2e-4
    assert np.allclose([low**5000, high**5000], [0.5, 2])
    papers = runs["2e-4"]
    middle, last = ([mse for step, mse in papers.items() if test(step)] for test in (lambda step: 9500 <= step <= 20_100,
                                                                                     lambda step: step > 20_100))
    assert [round(limit(middle), 2) for limit in (min, max)] == [0.04, 0.44]
    assert [round(limit(last), 3) for limit in (min, max)] == [0.039, 0.072]
    assert all(26_900 <= max(runs[rate]) <= 27_000 for rate in ("1e-4", "3e-5"))
    seconds = {row["step"]: row["seconds"] for row in map(json.loads, (FIGURE.parent / "longest/rate-5e-5/metrics.jsonl").read_text().splitlines())}
    assert 8800 / (seconds[48_800] - seconds[40_000]) > 150
    assert 2 < (max(seconds) - 50_000) / (seconds[max(seconds)] - seconds[50_000]) < 4


def test_what_is_said_of_the_gpu():
    own, cublas = ({row["what"]: row["median"] for row in map(json.loads, (FIGURE.parent / f"bench-{name}.jsonl").read_text().splitlines())}
                   for name in ("gpu", "gpu-cublas"))
    over = [[table[f"T, B, M, N = {shape}: PyTorch LSTM over ours"] for table in (own, cublas)]
            for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128", "50, 128, 512, 512")]
    assert [round(limit(over[:3])) for limit in (np.min, np.max)] == [13, 20] and [round(ratio, 1) for ratio in over[3]] == [2.9, 4.9]
    faster = {network for network in cublas if "step" in network and cublas[network] < own[network]}
    assert faster == {"1 layer of 2000: step"}
    assert f"{AHEAD}\n  steps of loads together" in README


def test_what_is_said_of_motion():
    def accuracies(model):
        return [found(f"motion/{model}-fold{fold}", "result")["test_accuracy"] for fold in range(5)]
    plain, lstm, rnn = (np.mean(accuracies(model)) for model in ("plain", "lstm", "rnn"))
    statistics = np.mean(found("motion", "statistics")["windows"])
    assert plain > lstm + 0.02 > rnn + 0.15 and abs(plain - statistics) < 0.01
    assert np.ptp(accuracies("plain")) > 0.1
    whole, lengths = (found("motion", "statistics")[name] for name in ("recordings", "lengths"))
    assert {len(fold) for fold in lengths} == {84} and max(map(max, lengths)) == 2618
    assert np.mean(whole) > np.mean(accuracies("whole-plain"))
    assert [round(28 * sum(accuracies(model))) for model in ("whole-plain", "whole-lstm")] == [111, 102]
    experiment, _, steps = load_run(ROOT / "tutorials/results/motion/plain-fold2")
    assert experiment.settings.fold == 2 and steps == 2000


def test_what_is_said_of_test_batches():
    assert (TOGETHER, TOGETHER // 784, TOGETHER // 200) == (80_000, 102, 400)


def test_what_is_said_of_pixels():
    def by_epochs(run):
        lines = (ROOT / f"tutorials/results/{run}/metrics.jsonl").read_text().splitlines()
        return {row["step"] / 1700: round(row["validation_accuracy"], 3) for row in map(json.loads, lines)}
    in_order, residual, dense = (by_epochs(f"smnist/{model}") for model in ("plain", "residual", "dense"))
    assert (in_order[3], in_order[6], residual[1]) == (0.543, 0.603, 0.543) and dense[1] > 0.882 and dense[2] > 0.941
    permuted, undropped = (by_epochs(f"pmnist/{run}") for run in ("plain", "plain-undropped"))
    assert (permuted[30_000 / 1700], undropped[30_000 / 1700]) == (0.909, 0.943)
    assert round(max(in_order), 1) == round(max(permuted), 1) == 17.6 and round(max(dense), 1) == 4.7
    error = {run: 1 - found(run, "result")["test_accuracy"]
             for run in ("smnist/plain", "smnist/lstm", "smnist/rnn", "pmnist/plain", "pmnist/plain-undropped")}
    assert error["smnist/rnn"] == 1 - 0.1135 > error["smnist/lstm"] > error["smnist/plain"] + 0.1     # ones: 1135
    assert error["smnist/plain"] > 0.01
    assert (f"{error['pmnist/plain-undropped']:.1%}", f"{error['pmnist/plain']:.1%}") == ("4.7%", "7.3%")
    experiment, network, _ = load_run(ROOT / "tutorials/results/smnist/plain")
    before, now = ([np.mean(np.abs(u) > 0.9) for u in recurrent_weights(of).values()] for of in (initial(experiment), network))
    assert before[-1] == 1 and all(np.diff(now) > 0)


@pytest.mark.parametrize("model, layers, steps, paper", [("residual", 11, 15_000, 0.0061), ("dense", 40, 8000, 0.0052)])
def test_what_is_said_of_pixels_by_deeper_networks(model, layers, steps, paper):
    config = found(f"smnist/{model}", "config")
    network = initial(EXPERIMENTS["smnist"](settings(**config), dict(T=784, M=1, K=10)))
    assert len(recurrent_weights(network)) == layers and config["hidden"] == {"residual": 128, "dense": 16}[model]
    own = dict(model=model, dropout=0, steps=steps) | {name: config[name] for name in ("layers", "hidden")}
    assert config == found("smnist/plain", "config") | own
    assert f"`--model {model} --dropout 0 --steps {steps}`" in README
    assert paper < 1 - found(f"smnist/{model}", "result")["test_accuracy"] < 0.01


def test_what_is_said_of_characters():
    for model, layers in (("plain", 6), ("residual", 21), ("dense", 39)):
        experiment = EXPERIMENTS["chars"](settings(**found(f"chars/{model}", "config")), {"symbols": "x" * 84})
        assert len(recurrent_weights(initial(experiment))) == layers
    plain, long = found("chars/plain", "result"), found("chars/long", "result")
    assert long["steps"] == 3 * plain["steps"] and 0 < plain["test_bits"] - long["test_bits"] < 0.02
    assert found("chars/long", "dynamic")["rate"] == 8e-4 / 2 and FIRST * settings("chars").length == 25_000


def test_what_is_said_of_speed():
    median = {row["what"]: row["median"] for row in map(json.loads, (ROOT / "tutorials/results/bench.jsonl").read_text().splitlines())}
    over = {layers: [median[f"T = {T}: LSTM over IndRNN, {layers}"] for T in (256, 512, 1024)] for layers in ("1 layer", "2 layers")}
    assert min(over["1 layer"]) > 10 > max(over["2 layers"])
    for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128"):
        name = f"T, B, M, N = {shape}, 1 layer"
        assert median[f"{name}: our LSTM over ours"] < 0.8 * median[f"{name}: PyTorch LSTM over ours"]


def test_there_are_two_commands_that_set_up_everything():
    commands = re.findall(r"^python3 -m venv \.venv && \.venv/bin/pip install .*$", README, re.M)
    assert [re.search(r"-m (minindrnn train digits|pytest)", command).group(1) for command in commands] == ["minindrnn train digits", "pytest"]
