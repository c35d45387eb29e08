"""What tutorials/results says is so: tables are those of the files, figures in the prose are computed from them, and
the networks kept are those of their runs."""
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from minindrnn import checkpoint
from minindrnn.characters import FIRST
from minindrnn.classification import TOGETHER
from minindrnn.experiments import EXPERIMENTS, settings
from minindrnn.memory import largest, smallest
from minindrnn.readback import initial, load_run, recurrent_weights

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("results", ROOT / "tutorials/results.py")
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)
FAMILIES = sorted(path.stem for path in results.RESULTS.glob("*.jsonl") if not path.stem.startswith("bench"))
NETWORKS = sorted(path.name for path in (results.RESULTS / "networks").iterdir())
curve = results.by_update


def result(family, run):
    return results.family(family)[run]["result"]


def config(family, run):
    return results.family(family)[run]["config"]


# ---------------------------------------------------------------------------------------------------------
# Packing.

@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_holds_its_settings_its_curve_and_what_came_out(family):
    lines = results.read_lines(family)
    names = [line["name"] for line in lines]
    assert names == sorted(set(names))
    for line in lines:
        done = [point["step"] for point in line["curve"]]
        assert line["config"]["task"] and done == sorted(set(done))
        assert all({"loss", "seconds"} < point.keys() for point in line["curve"])
        assert line["result"] is None or line["result"]["steps"] == done[-1] and line["result"]["command"]


@pytest.mark.parametrize("family", FAMILIES)
def test_run_folders_unpacked_and_added_are_the_same_runs(family, tmp_path, monkeypatch):
    packed = (results.RESULTS / f"{family}.jsonl").read_bytes()
    results.unpack(family, tmp_path / "runs")
    kept = [run for run in sorted((tmp_path / "runs").iterdir()) if (run / "checkpoint.npz").exists()]
    assert {f"{family}-{run.name}" for run in kept} == {name for name in NETWORKS if name.startswith(f"{family}-")}
    networks = {run.name: results.network_of(family, run.name).read_bytes() for run in kept}
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    for run in (tmp_path / "runs").iterdir():
        results.add(run, family, run in kept)
    assert (tmp_path / f"{family}.jsonl").read_bytes() == packed
    assert all(results.network_of(family, name).read_bytes() == network for name, network in networks.items())


def test_a_run_under_way_takes_the_place_of_an_earlier_one(tmp_path, monkeypatch):
    """Its name loses that of the family, a line that is still being written is left out, its network replaces that of
    the earlier run, and what the optimiser keeps stays behind."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    folder = tmp_path / "runs/pmnist-plain"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"task": "pmnist"}')
    point = {"step": 100, "loss": 2.5, "validation_accuracy": 0.1, "seconds": 3.0}
    (folder / "metrics.jsonl").write_text(json.dumps(point) + "\n" + '{"step": 20')
    arrays = {"parameter.0.u": np.ones(2), "buffer.0.mean": np.zeros(2), "optimiser.0.u.m": np.ones(2)}
    checkpoint.save(folder / "checkpoint.npz", arrays, {"step": 100})
    results.add(folder, "pmnist", False)
    line = {"name": "plain", "config": {"task": "pmnist"}, "result": None, "curve": [point]}
    assert results.family("pmnist") == {"plain": line} and not results.finished("pmnist")
    assert not results.network_of("pmnist", "plain").exists()
    (folder / "result.json").write_text('{"test_accuracy": 0.5, "steps": 100}')
    results.add(folder, "pmnist", True)
    assert results.read_lines("pmnist") == [line | {"result": {"test_accuracy": 0.5, "steps": 100}}]
    arrays["parameter.0.u"] *= 2
    checkpoint.save(folder / "checkpoint.npz", arrays, {"step": 200})
    results.add(folder, "pmnist", False)
    learned, facts = checkpoint.load(results.network_of("pmnist", "plain"))
    assert sorted(learned) == ["buffer.0.mean", "parameter.0.u"] and learned["parameter.0.u"].sum() == 4
    assert facts["step"] == 200


def test_what_is_no_run_folder_is_not_added(tmp_path):
    with pytest.raises(ValueError, match="expected a run folder, with a config.json in it"):
        results.add(tmp_path, "smnist", False)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_that_of_its_run(name):
    family, _, run = name.partition("-")
    experiment, _, done = load_run(results.RESULTS / "networks" / name)
    assert vars(experiment.settings) == vars(settings(**config(family, run) | {"steps": done}))
    assert done == max(curve(results.family(family)[run], "loss"))


# ---------------------------------------------------------------------------------------------------------
# Tables.

def test_every_table_is_what_the_files_say():
    for path in results.READMES:
        if path.exists():
            assert results.fill(path.read_text()) == path.read_text(), f"{path}: run python tutorials/results.py"


def test_tables_without_runs_that_are_under_way(monkeypatch):
    """A run without a result shows in curves alone."""
    whole = results.family

    def without(name):
        return {run: line | ({"result": None} if run in ("plain", "seed2") else {}) for run, line in whole(name).items()}
    before = ["\n".join(table()) for table in (results.pixels, results.digits, results.epochs)]
    monkeypatch.setattr(results, "family", without)
    after = ["\n".join(table()) for table in (results.pixels, results.digits, results.epochs)]
    assert before[0] != after[0] and before[1] != after[1] and before[2] == after[2]


# ---------------------------------------------------------------------------------------------------------
# What is said beside the tables.

def figure(T, model):
    return curve(results.family("figure")[f"adding-{T}-{model}-seed0"], "test_mse")


def test_four_models():
    """IndRNN within 2000 updates, LSTM after four or five times as many; RNN learns nothing; IRNN half at T = 1000."""
    for T in (500, 1000):
        ours, lstm = (results.first_below(figure(T, model), 0.01) for model in ("indrnn", "lstm"))
        assert ours < 2000 and round(lstm / ours) in (4, 5)
        assert min(figure(T, "rnn").values()) > 0.15
    assert all(max(figure(T, model)) == 60_300 for T in (100, 1000) for model in ("indrnn", "irnn", "rnn", "lstm"))
    irnn = figure(1000, "irnn")
    assert figure(100, "irnn")[60_300] < 1e-4 and min(figure(500, "irnn").values()) > 0.15
    assert results.first_below(irnn, 0.15) == 25_700 and f"{irnn[60_300]:.3f}" == "0.086" and f"{1 / 12:.3f}" == "0.083"
    assert all(min(figure(5000, model).values()) > 0.16 for model in ("lstm", "rnn", "irnn"))


def test_5000_steps():
    """A quarter of the papers' rate; how wide the range of u is beside an update; what each rate came to."""
    rates = results.rates()
    assert 4 * config("longest", "rate-5e-5")["rate"] == settings("adding", length=5000).rate == 2e-4
    assert results.first_below(rates["5e-5"], 0.1) == 4500 and results.first_below(rates["5e-5"], 0.01) == 12_800
    low, high = smallest(5000), largest(5000)
    assert (round(low, 5), round(high, 5)) == (0.99986, 1.00014) and high - low < 2 * 2e-4
    assert np.allclose([low**5000, high**5000], [0.5, 2])
    between = [mse for update, mse in rates["2e-4"].items() if 9500 <= update <= 20_100]
    after = [mse for update, mse in rates["2e-4"].items() if update > 20_100]
    assert [f"{limit(between):.2f}" for limit in (min, max)] == ["0.04", "0.44"]
    assert [f"{limit(after):.3f}" for limit in (min, max)] == ["0.039", "0.072"]
    assert all(26_900 <= max(rates[rate]) <= 27_000 for rate in ("1e-4", "3e-5"))
    seconds = curve(results.family("longest")["rate-5e-5"], "seconds")
    assert 8800 / (seconds[48_800] - seconds[40_000]) > 150
    assert 2 < (60_300 - 50_000) / (seconds[60_300] - seconds[50_000]) < 4


def test_pixels():
    """Epochs, validation accuracies, and who is ahead of whom on MNIST pixel by pixel."""
    def by_epochs(family, run):
        found = curve(results.family(family)[run], "validation_accuracy")
        return {update / results.EPOCH: round(accuracy, 3) for update, accuracy in found.items()}
    plain, residual, dense = (by_epochs("smnist", model) for model in ("plain", "residual", "dense"))
    permuted, undropped = (by_epochs("pmnist", run) for run in ("plain", "plain-undropped"))
    assert (plain[3], plain[6], residual[1]) == (0.543, 0.603, 0.543) and dense[1] > 0.882 and dense[2] > 0.941
    assert (permuted[max(permuted)], undropped[max(undropped)]) == (0.909, 0.943)
    assert round(max(plain), 1) == round(max(permuted), 1) == 17.6 and round(max(dense), 1) == 4.7
    error = {run: 1 - result("smnist", run)["test_accuracy"] for run in ("plain", "residual", "dense", "lstm", "rnn")}
    assert error["rnn"] == 1 - 0.1135 > error["lstm"] > error["plain"] + 0.1                     # there are 1135 ones
    assert error["plain"] > 0.01 > error["dense"] > 0.0052 and 0.01 > error["residual"] > 0.0061
    _, network, _ = load_run(results.RESULTS / "networks/smnist-plain")
    begin = initial(EXPERIMENTS["smnist"](settings(**config("smnist", "plain")), dict(T=784, M=1, K=10)))
    before, now = ([np.mean(np.abs(u) > 0.9) for u in recurrent_weights(of).values()] for of in (begin, network))
    assert before[-1] == 1 and all(np.diff(now) > 0)


@pytest.mark.parametrize("model, layers, steps", [("residual", 11, 15_000), ("dense", 40, 8000)])
def test_deeper_networks_on_pixels_have_the_layers_and_options_that_are_said(model, layers, steps):
    given = config("smnist", model)
    network = initial(EXPERIMENTS["smnist"](settings(**given), dict(T=784, M=1, K=10)))
    assert len(recurrent_weights(network)) == layers and given["hidden"] == {"residual": 128, "dense": 16}[model]
    own = dict(model=model, dropout=0, steps=steps) | {name: given[name] for name in ("layers", "hidden")}
    assert given == config("smnist", "plain") | own


def test_motion():
    """IndRNN is ahead of LSTM and far ahead of the RNN, but not of the statistics; folds differ."""
    def accuracies(model):
        return [result("motion", f"{model}-fold{fold}")["test_accuracy"] for fold in range(5)]
    found = json.loads((results.RESULTS / "motion-statistics.json").read_text())
    plain, lstm, rnn = (np.mean(accuracies(model)) for model in ("plain", "lstm", "rnn"))
    assert plain > lstm + 0.02 > rnn + 0.15 and abs(plain - np.mean(found["windows"])) < 0.01
    assert np.ptp(accuracies("plain")) > 0.1
    assert {len(fold) for fold in found["lengths"]} == {84} and max(map(max, found["lengths"])) == 2618
    assert np.mean(found["recordings"]) > np.mean(accuracies("whole-plain"))
    assert [round(28 * sum(accuracies(model))) for model in ("whole-plain", "whole-lstm")] == [111, 102]
    assert config("motion", "plain-fold2")["fold"] == 2


def test_characters():
    """Recurrent layers of each network; the wide one learned three times as long for little; rates were found on 25 000."""
    for model, layers in (("plain", 6), ("residual", 21), ("dense", 39)):
        experiment = EXPERIMENTS["chars"](settings(**config("chars", model)), {"symbols": "x" * 84})
        assert len(recurrent_weights(initial(experiment))) == layers
    plain, long = result("chars", "plain"), result("chars", "long")
    assert long["steps"] == 3 * plain["steps"] and 0 < plain["test_bits"] - long["test_bits"] < 0.02
    assert results.family("chars")["long"]["dynamic"]["rate"] == 8e-4 / 2 and FIRST * settings("chars").length == 25_000


def test_a_batch_of_the_test():
    assert (TOGETHER, TOGETHER // 784, TOGETHER // 200) == (80_000, 102, 400)


def test_speed_on_the_cpu():
    """Ten times for one layer at every length, not for two; our LSTM is faster than PyTorch's at 128 neurons."""
    median = {row["what"]: row["median"] for row in results.read_lines("bench")}
    one, two = ([median[f"T = {T}: LSTM over IndRNN, {layers}"] for T in (256, 512, 1024)] for layers in ("1 layer", "2 layers"))
    assert min(one) > 10 > max(two)
    for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128"):
        name = f"T, B, M, N = {shape}, 1 layer"
        assert median[f"{name}: our LSTM over ours"] < 0.8 * median[f"{name}: PyTorch LSTM over ours"]


def test_speed_on_a_gpu():
    """13 to 20 times cuDNN's LSTM, but for wide steps; cuBLAS helps whole updates at 2000 neurons alone."""
    own, cublas = ({row["what"]: row["median"] for row in results.read_lines(name)} for name in ("bench-gpu", "bench-gpu-cublas"))
    over = [[table[f"T, B, M, N = {shape}: PyTorch LSTM over ours"] for table in (own, cublas)]
            for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128", "50, 128, 512, 512")]
    assert [round(limit(over[:3])) for limit in (np.min, np.max)] == [13, 20]
    assert [round(ratio, 1) for ratio in over[3]] == [2.9, 4.9]
    assert {network for network in cublas if "step" in network and cublas[network] < own[network]} == {"1 layer of 2000: step"}
