"""What tutorials/results says is so: tables are those of the files, figures in the prose are computed from them, and
the networks kept are those of their runs."""
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from minindrnn.cli.finished_run import load_run, recurrent_weights
from minindrnn.ops.bounds import largest, smallest
from minindrnn.tasks.characters import FIRST
from minindrnn.tasks.classification import TOGETHER
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.training import checkpoint

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
    names = [line["name"] for line in results.read_lines(family)]
    assert names == sorted(set(names))
    for line in results.family(family).values():
        done = [point["update"] for point in line["curve"]]
        assert line["config"]["task"] and done == sorted(set(done))
        assert all({"loss", "seconds"} < point.keys() for point in line["curve"])
        assert line["result"] is None or line["result"]["updates"] == done[-1] and line["result"]["command"]


@pytest.mark.parametrize("family", FAMILIES)
def test_run_folders_unpacked_and_added_are_the_same_runs(family, tmp_path, monkeypatch):
    packed = "".join(json.dumps(line) + "\n" for line in results.family(family).values())
    results.unpack(family, tmp_path / "runs")
    kept = [run for run in sorted((tmp_path / "runs").iterdir()) if (run / "checkpoint.npz").exists()]
    assert {f"{family}-{run.name}" for run in kept} == {name for name in NETWORKS if name.startswith(f"{family}-")}
    networks = {run.name: results.network_of(family, run.name).read_bytes() for run in kept}
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    for run in (tmp_path / "runs").iterdir():
        results.add(run, family, run in kept)
    assert (tmp_path / f"{family}.jsonl").read_text() == packed
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
    point = {"update": 100, "loss": 2.5, "validation_accuracy": 0.1, "seconds": 3.0}
    line = {"name": "plain", "config": {"task": "pmnist"}, "result": None, "curve": [point]}
    assert results.family("pmnist") == {"plain": line} and not results.finished("pmnist")
    assert not results.network_of("pmnist", "plain").exists()
    (folder / "result.json").write_text('{"test_accuracy": 0.5, "steps": 100}')
    results.add(folder, "pmnist", True)
    assert results.read_lines("pmnist") == [line | {"result": {"test_accuracy": 0.5, "updates": 100}}]
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
    task, _, done = load_run(results.RESULTS / "networks" / name)
    assert vars(task.settings) == vars(settings(**config(family, run) | {"updates": done}))
    assert done == max(curve(results.family(family)[run], "loss"))


# ---------------------------------------------------------------------------------------------------------
# Tables.

def test_every_table_is_what_the_files_say():
    texts = [path.read_text() for path in results.READMES]
    assert [results.fill(text) for text in texts] == texts, "run python tutorials/results.py"
    assert sorted(name for text in texts for _, name, _ in results.PLACE.findall(text)) == sorted(results.TABLES)
    assert sum(text.count("<!-- table:") for text in texts) == len(results.TABLES)


def test_tables_without_runs_that_are_under_way(monkeypatch):
    """A run without a result shows in curves alone."""
    whole = results.family

    def without(name):
        under_way = {"result": None}
        return {run: line | (under_way if run in ("plain", "seed2") else {}) for run, line in whole(name).items()}
    tables = results.pixels, results.digits, results.epochs
    before = ["\n".join(table()) for table in tables]
    monkeypatch.setattr(results, "family", without)
    after = ["\n".join(table()) for table in tables]
    assert [one == two for one, two in zip(before, after)] == [False, False, True]


# ---------------------------------------------------------------------------------------------------------
# Figures in the prose: computed here, and looked for in the section that quotes them. Sentences are free.

def said(section, *figures):
    """Every figure stands in the prose of the section, be it of either README."""
    text = "\n".join(path.read_text() for path in results.READMES)
    heads = re.split(r"^#+ (.+)$", text, flags=re.M)
    found = [body for head, body in zip(heads[1::2], heads[2::2]) if head == section]
    assert len(found) == 1, f"sections called {section}: {len(found)}"
    prose = " ".join(line for line in found[0].splitlines() if not line.startswith("|"))
    for figure in map(str, figures):
        assert re.search(rf"(?<![\w.,-]){re.escape(figure)}(?!\w|[.,]\d)", prose), f"{section}: does not say {figure}"


def mse(T, model):
    return curve(results.family("figure")[f"adding-{T}-{model}-seed0"], "test_mse")


def test_four_models():
    """IndRNN within 2000 updates, LSTM after four or five times as many; RNN learns nothing; IRNN half at T = 1000."""
    for T in (500, 1000):
        ours, lstm = (results.first_below(mse(T, model), 0.01) for model in ("indrnn", "lstm"))
        assert ours < 2000 and round(lstm / ours) in (4, 5)
    assert all(min(mse(T, "rnn").values()) > 0.14 for T in (100, 500, 1000))
    assert {max(mse(T, model)) for T in (100, 1000) for model in ("indrnn", "irnn", "rnn", "lstm")} == {60_300}
    assert {max(mse(500, model)) for model in ("indrnn", "irnn", "rnn", "lstm")} == {8000}
    irnn = mse(1000, "irnn")
    assert mse(100, "irnn")[60_300] < 1e-4 and min(mse(500, "irnn").values()) > 0.15
    others = [mse(5000, model) for model in ("lstm", "rnn", "irnn")]
    assert all(min(other.values()) > 0.16 for other in others)
    fewest, most = min(map(max, others)), max(map(max, others))
    said("Adding problem, four models", "60,300", 8000, f"{results.first_below(irnn, 0.15):,}", f"{irnn[60_300]:.3f}",
         f"{1 / 12:.3f}", f"{1 / 6:.3f}", f"{mse(5000, 'indrnn')[24_000]:.3f}", fewest, most)


def test_5000_steps():
    """A quarter of the papers' rate; how wide the range of u is beside an update; what each rate came to."""
    rates, paper = results.rates(), results.PAPER[5000]
    assert 4 * config("longest", "rate-5e-5")["rate"] == settings("adding", length=5000).rate == 2e-4
    low, high = smallest(5000), largest(5000)
    assert high - low < 2 * 2e-4 and np.allclose([low**5000, high**5000], [0.5, 2])
    between = [error for update, error in rates["2e-4"].items() if 9500 <= update <= 20_100]
    after = [error for update, error in rates["2e-4"].items() if update > 20_100]
    assert all(26_900 <= max(rates[rate]) <= 27_000 for rate in ("1e-4", "3e-5"))
    assert all(results.first_below(rates[rate], 0.01) for rate in ("1e-4", "5e-5", "3e-5"))
    assert all(rates[rate][20_000] > paper[20_000] for rate in rates)
    seconds = curve(results.family("longest")["rate-5e-5"], "seconds")
    assert 8800 / (seconds[48_800] - seconds[40_000]) > 150
    assert 2 < (60_300 - 50_000) / (seconds[60_300] - seconds[50_000]) < 4
    said("Adding problem, 5000 steps", results.first_below(rates["5e-5"], 0.1),
         f"{results.first_below(rates['5e-5'], 0.01):,}", f"{rates['5e-5'][60_300]:.4f}",
         f"{min(between):.2f}", f"{max(between):.2f}", f"{min(after):.3f}", f"{max(after):.3f}",
         f"{low:.5f}", f"{high:.5f}", paper[20_000])


def test_three_seeds():
    """Every seed is below the papers' curve at every point of the table."""
    for T in (100, 1000):
        for run in results.finished("adding", f"{T}-seed*"):
            assert all(curve(run, "test_mse")[update] < error for update, error in results.PAPER[T].items())
            assert T == 1000 or curve(run, "test_mse")[2000] < 0.001                    # said of deep networks


def test_pixels():
    """Epochs, validation accuracies, and who is ahead of whom on MNIST pixel by pixel."""
    def by_epochs(family, run):
        found = curve(results.family(family)[run], "validation_accuracy")
        return {update / results.EPOCH: accuracy for update, accuracy in found.items()}
    plain, residual, dense = (by_epochs("smnist", model) for model in ("plain", "residual", "dense"))
    permuted, undropped = (by_epochs("pmnist", run) for run in ("plain", "plain-undropped"))
    shown = {1, 2, 5, 10}
    logs = results.AUTHORS
    assert all(residual[epoch] < logs["residual"][epoch] for epoch in shown & residual.keys())
    assert all(dense[epoch] > logs["dense"][epoch] for epoch in shown & dense.keys())
    assert all(abs(plain[epoch] - logs["plain"][epoch]) < 0.02 for epoch in shown)
    error = {run: 1 - result("smnist", run)["test_accuracy"] for run in ("plain", "residual", "dense", "lstm", "rnn")}
    assert error["rnn"] == 1 - 0.1135 > error["lstm"] > error["plain"] + 0.1                     # there are 1135 ones
    assert error["plain"] > 0.01 > error["dense"] > 0.0052 and 0.01 > error["residual"] > 0.0061
    said("MNIST pixel by pixel", f"{max(plain):.1f}", f"{max(dense):.1f}", f"{plain[3]:.3f}", f"{plain[6]:.3f}",
         f"{residual[1]:.3f}", f"{permuted[max(permuted)]:.3f}", f"{undropped[max(undropped)]:.3f}",
         *(f"{100 * (1 - result('pmnist', run)['test_accuracy']):.2f}" for run in ("plain", "plain-undropped")))
    said("Where this falls short of the papers", f"{max(permuted):.1f}", f"{100 * error['lstm']:.2f}",
         results.PAPER_ERROR["smnist/lstm"].strip("%"))


def test_from_layer_to_layer_more_of_u_is_near_1():
    _, network, _ = load_run(results.RESULTS / "networks/smnist-plain")
    begin = TASKS["smnist"](settings(**config("smnist", "plain")), dict(T=784, M=1, K=10)).initial()
    before, now = ([np.mean(np.abs(u) > 0.9) for u in recurrent_weights(of).values()] for of in (begin, network))
    assert before[-1] == 1 and all(np.diff(now) > 0)


@pytest.mark.parametrize("model, layers, steps", [("residual", 11, 15_000), ("dense", 40, 8000)])
def test_deeper_networks_on_pixels_have_the_layers_and_options_that_are_said(model, layers, steps):
    given = config("smnist", model)
    network = TASKS["smnist"](settings(**given), dict(T=784, M=1, K=10)).initial()
    assert len(recurrent_weights(network)) == layers and given["hidden"] == {"residual": 128, "dense": 16}[model]
    own = dict(model=model, dropout=0, updates=steps) | {name: given[name] for name in ("layers", "hidden")}
    assert given == config("smnist", "plain") | own
    said("MNIST pixel by pixel", f"`--model {model} --dropout 0 --updates {steps}`", f"{layers} recurrent layers")


def test_motion():
    """IndRNN is ahead of LSTM and far ahead of the RNN, but not of the statistics; folds differ."""
    def accuracies(model):
        return [result("motion", f"{model}-fold{fold}")["test_accuracy"] for fold in range(5)]
    found = json.loads((results.RESULTS / "motion-statistics.json").read_text())
    plain, lstm, rnn = (np.mean(accuracies(model)) for model in ("plain", "lstm", "rnn"))
    assert plain > lstm + 0.02 > rnn + 0.15 and abs(plain - np.mean(found["windows"])) < 0.01
    assert np.ptp(accuracies("plain")) > 0.1 > plain - lstm
    (learned,), longest = {len(fold) for fold in found["lengths"]}, max(map(max, found["lengths"]))
    assert np.mean(found["recordings"]) > np.mean(accuracies("whole-plain"))
    right = [round(28 * sum(accuracies(model))) for model in ("whole-plain", "whole-lstm")]
    assert config("motion", "plain-fold2")["fold"] == 2
    said("Motion", *right, learned, longest)


def test_characters():
    """Recurrent layers of each network; what width, three times the updates, and dynamic evaluation gain."""
    for model, layers in (("residual", 21), ("dense", 39)):
        task = TASKS["chars"](settings(**config("chars", model)), {"symbols": "x" * 84})
        assert len(recurrent_weights(task.initial())) == layers
        said("Shakespeare", f"{layers} recurrent layers")
    runs = results.family("chars")
    bits = {model: run["result"]["test_bits"] for model, run in runs.items()}
    gain = {model: bits[model] - run["dynamic"]["test_bits"] for model, run in runs.items()}
    four = [bits[model] for model in ("plain", "residual", "dense", "lstm")]
    assert np.ptp(four) < 0.03 and 0 < bits["plain"] - bits["long"] < 0.02
    assert runs["long"]["result"]["updates"] == 3 * runs["plain"]["result"]["updates"]
    assert runs["long"]["dynamic"]["rate"] == 8e-4 / 2 and FIRST * settings("chars").length == 25_000
    said("Shakespeare", f"{gain['lstm']:.2f}", f"{max(gain.values()):.2f}", "25,000", "8e-4", "4e-4")


def test_a_batch_of_the_test():
    said("The files, and how to use them", f"{TOGETHER:,}", TOGETHER // 784, TOGETHER // 200)


def test_speed_on_the_cpu():
    """Ten times for one layer at every length, not for two; our LSTM is faster than PyTorch's at 128 neurons."""
    median = {row["what"]: row["median"] for row in results.read_lines("bench")}
    one, two = ([median[f"T = {T}: LSTM over IndRNN, {layers}"] for T in (256, 512, 1024)]
                for layers in ("1 layer", "2 layers"))
    assert min(one) > 10 and {round(ratio) for ratio in two} == {5}
    for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128"):
        name = f"T, B, M, N = {shape}, 1 layer"
        assert median[f"{name}: our LSTM over ours"] < 0.8 * median[f"{name}: PyTorch LSTM over ours"]


def test_speed_on_a_gpu():
    """Ten times cuDNN's LSTM, but for wide steps; cuBLAS helps whole updates at 2000 neurons alone."""
    own, cublas = ({row["what"]: row["median"] for row in results.read_lines(name)}
                   for name in ("bench-gpu", "bench-gpu-cublas"))
    over = [[table[f"T, B, M, N = {shape}: PyTorch LSTM over ours"] for table in (own, cublas)]
            for shape in ("784, 32, 1, 128", "784, 32, 128, 128", "5000, 50, 2, 128", "50, 128, 512, 512")]
    faster = {network for network in cublas if "step" in network and cublas[network] < own[network]}
    assert faster == {"1 layer of 2000: step"}
    for section in ("Speed on a GPU", "On a GPU"):
        said(section, f"{np.min(over[:3]):.0f} to {np.max(over[:3]):.0f}", *(f"{times:.1f}" for times in over[3]))
