"""The results: run folders packed into results/FAMILY.jsonl, and the tables and pictures that the READMEs show of them.

    python tutorials/results.py                               fill the tables of both READMEs, draw the pictures
    python tutorials/results.py add RUN FAMILY [--network]    put a run folder, finished or under way, into its family
    python tutorials/results.py unpack FAMILY FOLDER          make the run folders of a family again

A line of FAMILY.jsonl is a run: its name, config, result (null while it is under way), curve (the rows of its
metrics.jsonl) and, for a text, dynamic (the result of `report --dynamic`). Older lines say step for update; `family`
reads both. A folder of results/networks holds a trained network without its optimiser, for `predict`.
"""
import argparse
import json
import re
import shutil
import tempfile
from fnmatch import fnmatch
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from minindrnn.bench.sections import STEPS
from minindrnn.cli.plots import draw_adding as draw_figure
from minindrnn.gpu.bench import COPIED
from minindrnn.training import checkpoint
from minindrnn.training.run import history, in_words_of_today

RESULTS = Path(__file__).parent / "results"
READMES = (RESULTS / "README.md", RESULTS.parent.parent / "README.md")
FACTS = ("config", "result", "dynamic")              # each is a JSON file of a run folder


# ---------------------------------------------------------------------------------------------------------
# Run folders in and out.

def family(name):
    """{name of a run: its line} of results/NAME.jsonl, in the words of today."""
    runs = {}
    for line in read_lines(name):
        facts = {fact: line[fact] and in_words_of_today(line[fact]) for fact in FACTS if fact in line}
        runs[line["name"]] = line | facts | {"curve": [in_words_of_today(point) for point in line["curve"]]}
    return runs


def read_lines(name):
    return [json.loads(line) for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]


def network_of(name, run):
    """The file of the trained network of a run, whether it exists or not."""
    return RESULTS / "networks" / f"{name}-{run}" / "checkpoint.npz"


def add(folder, name, network):
    """Put a run folder into results/NAME.jsonl. The run has the name of the folder without NAME-, and replaces an
    earlier run of that name. Its network is kept if `network` is true or if an earlier one exists."""
    if not (folder / "config.json").exists():
        raise ValueError(f"{folder}: expected a run folder, with a config.json in it")
    run = folder.resolve().name.removeprefix(f"{name}-")
    line = {"name": run}
    for fact in FACTS:
        path = folder / f"{fact}.json"
        if path.exists() or fact != "dynamic":
            line[fact] = in_words_of_today(json.loads(path.read_text())) if path.exists() else None
    line["curve"] = history(folder)
    packed = {each["name"]: each for each in (read_lines(name) if (RESULTS / f"{name}.jsonl").exists() else [])}
    packed[run] = line                                   # the others stay as they were recorded
    with checkpoint.replacing(RESULTS / f"{name}.jsonl", "w") as file:
        file.writelines(json.dumps(packed[each]) + "\n" for each in sorted(packed))
    kept = network_of(name, run)
    if network or kept.exists():
        arrays, facts = checkpoint.load(folder / "checkpoint.npz")
        learned = {key: array for key, array in arrays.items() if key.startswith(("parameter.", "buffer."))}
        kept.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(kept, learned, facts)


def unpack(name, folder):
    """Make FOLDER/RUN for every run of a family: its settings, metrics and results, and its network if there is one."""
    for run, line in family(name).items():
        target = folder / run
        target.mkdir(parents=True)
        for fact in FACTS:
            if line.get(fact):
                (target / f"{fact}.json").write_text(json.dumps(line[fact], indent=2) + "\n")
        (target / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in line["curve"]))
        if network_of(name, run).exists():
            shutil.copy(network_of(name, run), target)


def runs(name, pattern="*"):
    """The runs of a family whose names match the pattern, in order of names."""
    return [run for run in family(name).values() if fnmatch(run["name"], pattern)]


def finished(name, pattern="*"):
    return [run for run in runs(name, pattern) if run["result"]]


# ---------------------------------------------------------------------------------------------------------
# Tables: each function yields the lines of one.


NAMES = {"indrnn": "IndRNN", "plain": "IndRNN, plain", "plain-undropped": "IndRNN, plain, no dropout",
         "residual": "IndRNN, residual", "dense": "IndRNN, dense", "long": "IndRNN, plain, layers of 512, dropout 0.1",
         "lstm": "LSTM", "rnn": "RNN, tanh", "irnn": "IRNN"}


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def heading(*cells):
    return row(*cells) + "\n" + row(*["---"] * len(cells))


def by_update(run, metric):
    """{update: what was measured after it}."""
    return {point["update"]: point[metric] for point in run["curve"]}


def first_below(curve, goal):
    """The first evaluated update after which the error was below the goal; None if it never was."""
    return next((update for update, error in curve.items() if error < goal), None)


def minutes(run):
    return run["result"]["seconds"] / 60


# Mean squared error on the adding problem after so many updates, read off the curves of arXiv 1910.06251 to 0.0004.
PAPER = {100: {500: 0.163, 1000: 0.065, 2000: 0.005, 3000: 0.0013},
         500: {500: 0.120, 1000: 0.042, 2000: 0.008, 3000: 0.0034},
         1000: {500: 0.161, 1000: 0.069, 2000: 0.023, 3000: 0.011, 5000: 0.008},
         5000: {5000: 0.049, 10_000: 0.033, 20_000: 0.003}}
# The same figure, where our runs end.
PAPER_LAST = {100: {"indrnn": "about 0", "lstm": "about 0", "rnn": "0.167", "irnn": "about 0"},
              500: {"indrnn": "0.001", "lstm": "falls at 5500", "rnn": "0.167", "irnn": "above 0.08"},
              1000: {"indrnn": "about 0", "lstm": "0.167", "rnn": "0.167", "irnn": "0.167"},
              5000: {"indrnn": "0.003 at 20,000", "lstm": "", "rnn": "", "irnn": ""}}
SOLVED = 0.01


def four_models():
    """The four models at every length, after their last update."""
    yield heading("adding problem", "model", "updates", "test MSE", f"first below {SOLVED} after",
                  "the paper's MSE there")
    packed = family("figure")
    for T, paper in PAPER_LAST.items():
        for model, said in paper.items():
            mse = by_update(packed[f"adding-{T}-{model}-seed0"], "test_mse")
            last = max(mse)
            yield row(f"T = {T}", NAMES[model], last, f"{mse[last]:.2g}", first_below(mse, SOLVED) or "never", said)


def rates():
    """{learning rate: {update: mean squared error}} at T = 5000, as far as each went; the papers' rate is 2e-4."""
    found = {"2e-4": family("figure")["adding-5000-indrnn-seed0"]}
    found |= {rate: family("longest")[f"rate-{rate}"] for rate in ("1e-4", "5e-5", "3e-5")}
    return {rate: by_update(run, "test_mse") for rate, run in found.items()}


def longest():
    yield heading("T = 5000, rate", "after 10,000 updates", "after 20,000", "first below 0.1 after", "below 0.01 after",
                  "updates", "test MSE at the end")
    yield row("2e-4, the paper's curve", PAPER[5000][10_000], PAPER[5000][20_000], "", "", "", "")
    for rate, mse in rates().items():
        first = (first_below(mse, goal) or "never" for goal in (0.1, SOLVED))
        last = max(mse)
        yield row(rate, f"{mse[10_000]:.4f}", f"{mse[20_000]:.4f}", *first, last, f"{mse[last]:.4f}")


def three_seeds():
    """How soon T = 100 and 1000 are learned, beside the paper."""
    yield heading("adding problem", "update", "the paper's MSE", "ours, seeds 0, 1, 2", "our best so far")
    for T, goal in ((100, 0.005), (1000, 0.01)):
        found = finished("adding", f"{T}-seed*")
        curves = [by_update(run, "test_mse") for run in found]
        for update, mse in PAPER[T].items():
            best = (min(error for done, error in curve.items() if done <= update) for curve in curves)
            yield row(f"T = {T}", update, mse, ", ".join(f"{curve[update]:.4f}" for curve in curves),
                      ", ".join(f"{error:.4f}" for error in best))
        first = ", ".join(str(first_below(curve, goal)) for curve in curves)
        took = ", ".join(f"{minutes(run):.1f}" for run in found)
        yield row(f"T = {T}", f"first below {goal} after", "", first, "")
        yield row(f"T = {T}", f"minutes for {max(curves[0])} updates", "", took, "")


def deepest():
    """The deepest networks of the papers, by the three kinds of statistics."""
    yield heading("task", "network", "updates", "running statistics", "population statistics", "batch statistics")
    networks = {"residual21": "residual, 21 recurrent layers", "dense40": "dense, 40 recurrent layers"}
    for name, run in family("deep").items():
        task, metric, form = (("adding, T = 100, MSE", "test_mse", ".4f") if "adding" in name
                              else ("digits pixel by pixel, accuracy", "test_accuracy", ".1%"))
        values = (format(run["result"][metric + way], form) for way in ("", "_population", "_batch"))
        yield row(task, networks[name.split("-")[-1]], run["curve"][-1]["update"], *values)


def digits():
    yield heading("digits", "options of `train digits`", "test accuracy, seeds 0, 1, 2", "minutes")
    for name, options, pattern in (
            ("pixel by pixel, T = 64: residual, 7 recurrent layers", "", "seed*"),
            ("the same, twice as many updates", "`--updates 3000`", "residual-seed*"),
            ("plain", "`--model plain`", "plain-seed*"),
            ("plain, batch normalisation", "`--model plain --norm after`", "norm-seed*"),
            ("row by row, T = 8", "`--rows`", "rows-seed*")):
        found = finished("digits", pattern)
        accuracies = ", ".join(f"{run['result']['test_accuracy']:.1%}" for run in found)
        yield row(name, options, accuracies, f"{np.mean([minutes(run) for run in found]):.1f}")


# Test error: arXiv 1910.06251, tables 1 and 2; what it says of LSTM is from others.
PAPER_ERROR = {"smnist/plain": "1.0%", "smnist/residual": "0.61%", "smnist/dense": "0.52%", "smnist/lstm": "1.8%",
               "smnist/rnn": "", "pmnist/plain": "4.0%", "pmnist/plain-undropped": "4.0%"}


def error(result, way=""):
    """Test error by running statistics, or another way; empty where a network has no batch normalisation."""
    return f"{1 - result['test_accuracy' + way]:.2%}" if "test_accuracy" + way in result else ""


def pixels():
    """MNIST pixel by pixel: the error on 10 000 test images, by the three kinds of statistics."""
    yield heading("task", "network", "updates", "minutes", "running statistics", "population statistics",
                  "batch statistics", "the paper")
    for name, paper in PAPER_ERROR.items():
        task, network = name.split("/")
        for run in finished(task, network):
            errors = (error(run["result"], way) for way in ("", "_population", "_batch"))
            yield row(task, NAMES[network], run["curve"][-1]["update"], f"{minutes(run):.0f}", *errors, paper)


# Validation accuracy after so many epochs of 1700 updates in the authors' logs, by running statistics.
EPOCH = 1700
AUTHORS = {"plain": {1: 0.777, 2: 0.851, 5: 0.940, 10: 0.962, 20: 0.974, 50: 0.983},
           "residual": {1: 0.892, 2: 0.956, 5: 0.970, 10: 0.980, 20: 0.981, 50: 0.988},
           "dense": {1: 0.882, 2: 0.941, 5: 0.954, 10: 0.981, 20: 0.983, 50: 0.994}}


def epochs():
    """Validation accuracy in the first epochs; empty where the run was over."""
    shown = AUTHORS["plain"]
    yield heading(f"smnist, after epochs of {EPOCH} updates", *shown)
    for model, logged in AUTHORS.items():
        found = {update / EPOCH: f"{accuracy:.3f}"
                 for update, accuracy in by_update(family("smnist")[model], "validation_accuracy").items()}
        yield row(NAMES[model], *(found.get(epoch, "") for epoch in shown))
        yield row("the authors' log", *(f"{said:.3f}" for said in logged.values()))


def motion():
    """Accuracy on people outside the training set, fold by fold: windows of 4 seconds, and whole recordings."""
    yield heading("motion", "fold 0", 1, 2, 3, 4, "mean", "mean, by batch statistics")
    statistics = json.loads((RESULTS / "motion-statistics.json").read_text())
    for kind, infix in (("windows", ""), ("recordings", "whole-")):
        for model in ("plain", "residual", "dense", "lstm", "rnn"):
            found = [run["result"] for run in finished("motion", f"{infix}{model}-fold*")]
            if len(found) == 5:
                own = np.mean([result.get("test_accuracy_batch", np.nan) for result in found])
                yield folds(f"{kind}, {NAMES[model]}", [result["test_accuracy"] for result in found],
                            "" if np.isnan(own) else f"{own:.1%}")
        yield folds(f"{kind}, logistic regression", statistics[kind], "")


def folds(name, accuracies, own):
    return row(name, *(f"{value:.1%}" for value in accuracies), f"{np.mean(accuracies):.1%}", own)


def characters():
    """Bits a character on the last 5 % of Shakespeare, with fixed weights and with dynamic evaluation."""
    yield heading("characters", "updates", "minutes", "test, bits a character", "dynamic evaluation")
    for model in ("plain", "residual", "dense", "lstm", "long"):
        run = family("chars")[model]
        yield row(NAMES[model], run["curve"][-1]["update"], f"{minutes(run):.0f}", f"{run['result']['test_bits']:.3f}",
                  f"{run['dynamic']['test_bits']:.3f}")
    orders = json.loads((RESULTS / "chars-statistics.json").read_text())
    yield row(f"n-gram of order {len(orders)}", "", "", f"{orders[-1]:.3f}", "")


def results():
    """The table of the README: IndRNN beside LSTM and the paper."""
    yield heading("task", "IndRNN", "LSTM", "the paper's IndRNN")
    packed = family("figure")
    for T in (100, 1000, 5000):
        paper = PAPER[T]
        ours = rates()["5e-5"] if T == 5000 else by_update(packed[f"adding-{T}-indrnn-seed0"], "test_mse")
        lstm = by_update(packed[f"adding-{T}-lstm-seed0"], "test_mse")
        above = max(update for update, mse in paper.items() if mse >= SOLVED)
        yield row(f"adding problem, T = {T}: updates until the error is below {SOLVED}", first_below(ours, SOLVED),
                  first_below(lstm, SOLVED) or f"not in {max(lstm)}", f"{above} to {first_below(paper, SOLVED)}")
    accuracy = np.mean([run["result"]["test_accuracy"] for run in finished("digits", "seed*")])
    yield row("digits pixel by pixel, T = 64: test accuracy, residual", f"{accuracy:.1%}", "", "")
    ours, lstm, permuted = (family(task)[run]["result"] for task, run in
                            (("smnist", "residual"), ("smnist", "lstm"), ("pmnist", "plain-undropped")))
    paper = PAPER_ERROR["smnist/residual"]
    yield row("MNIST pixel by pixel, T = 784: test error, residual", error(ours), error(lstm), paper)
    yield row("the same, pixels permuted: test error, plain", error(permuted), "", PAPER_ERROR["pmnist/plain"])


# ---------------------------------------------------------------------------------------------------------
# Tables of speed, from the output of `python -m minindrnn bench --json`.

def measured(name="bench"):
    """{(section, what): median with the middle half} of the measurements on one machine."""
    found = {}
    for line in read_lines(name):
        middle, low, high = (f"{line[which]:.{line['digits']}f}" for which in ("median", "low", "high"))
        found[line["section"], line["what"]] = f"{middle} ({low} to {high})"
    return found


def median(value):
    return value.partition(" ")[0]


def parts_of(found, section, separator):
    """The beginnings of the names of a section, up to the last separator, each once."""
    return dict.fromkeys(what.rpartition(separator)[0] for kind, what in found if kind == section and separator in what)


def machine():
    yield heading("this machine", "")
    for (section, what), value in measured().items():
        if section == "limits":
            yield row(what, f"{value} {'GFLOP/s' if 'product' in what else 'GB/s'}")
        elif section == "streaming":
            yield row(f"one time step, {what}", f"{value} us")
        elif what.startswith("layer of"):
            shape = f"784, 32, {what.split()[2]}, 128"
            yield row(f"a layer over its recurrence alone, T, B, M, N = {shape}, forward and backward", f"{value} x")


def recurrence():
    """The recurrence alone, as a share of the limit of the memory."""
    found = measured()
    yield heading("recurrence, T, B, N", "forward, % of the limit", "backward, % of the limit")
    for shape in parts_of(found, "kernels", ", "):
        if shape.startswith("T, B, N"):
            values = (found["kernels", f"{shape}, {way}"] for way in ("forward", "backward"))
            yield row(shape.removeprefix("T, B, N = "), *values)


def updates():
    found = measured()
    yield heading("an update of", "T, B", "ms", "over its matrix products alone")
    for network in parts_of(found, "steps", ": "):
        T, B, *_ = STEPS[network]
        values = (found["steps", f"{network}: {what}"] for what in ("step", "over its products"))
        yield row(network, f"{T}, {B}", *values)


def libraries():
    """Forward and backward beside other libraries."""
    others = ("our LSTM", "PyTorch LSTM", "PyTorch loop", "JAX scan", "the products alone")
    found = measured()
    yield heading("T, B, M, N", "IndRNN, ms", *(f"{other}, times as long" for other in others))
    for shape in parts_of(found, "peers", ": "):
        times = (found.get(("peers", f"{shape}: {other} over ours"), "") for other in others)
        yield row(shape.removeprefix("T, B, M, N = "), found["peers", f"{shape}: ours"], *times)


# A training batch of cuDNN's LSTM takes so many times as long as one of IndRNN of 1 and 2 layers: arXiv 1910.06251,
# figure 2.
PAPER_BATCH = {256: (4.3, 2.9), 512: (7.6, 4.8), 1024: (12.9, 8.0)}


def batches():
    """A training batch of the adding problem, one LSTM layer over one and two of IndRNN."""
    found = measured()
    yield heading("T", "IndRNN, 1 layer, ms", "IndRNN, 2 layers, ms", "LSTM, ms", "LSTM over 1 layer", "over 2 layers",
                  "the paper's, on a GPU")
    names = ("IndRNN, 1 layer", "IndRNN, 2 layers", "LSTM", "LSTM over IndRNN, 1 layer", "LSTM over IndRNN, 2 layers")
    for T, (one, two) in PAPER_BATCH.items():
        yield row(T, *(found["batches", f"T = {T}: {name}"] for name in names), f"{one}, {two}")


def gpu_recurrence():
    """The recurrence on a GPU beside streams of the same size."""
    found = measured("bench-gpu")
    yield heading("NVIDIA H200, GB/s", "forward: obvious", "tuned", "a copy",
                  "backward: obvious", "tuned", "a sum of two")
    ways = ("forward, obvious", "forward, tuned", "two streams",
            "backward, obvious", "backward, tuned", "three streams")
    for shape in parts_of(found, "kernels", ", forward, "):
        yield row(shape, *(median(found["kernels", f"{shape}, {way}"]) for way in ways))
    copied, added = (median(found["limits", f"memory, {streams} streams"]) for streams in (2, 3))
    yield row(f"arrays of {COPIED >> 20} MB", "", "", copied, "", "", added)


def gpu_libraries():
    """Forward and backward of a layer on a GPU, and how many times as long LSTM takes."""
    own, cublas = measured("bench-gpu"), measured("bench-gpu-cublas")
    yield heading("T, B, M, N", "IndRNN, ms", "LSTM, times as long", "with cuBLAS: IndRNN, ms", "LSTM, times as long")
    for shape in parts_of(own, "peers", ": "):
        values = (found["peers", f"{shape}: {what}"] for found in (own, cublas)
                  for what in ("ours", "PyTorch LSTM over ours"))
        yield row(shape.removeprefix("T, B, M, N = "), *values)


def gpu_updates():
    """Whole updates on a GPU, beside those on the CPU."""
    own, cublas, cpu = measured("bench-gpu"), measured("bench-gpu-cublas"), measured()
    yield heading("an update of", "T, B", "ms", "with cuBLAS, ms", "on the CPU above, ms")
    for network in parts_of(own, "steps", ": "):
        T, B, *_ = STEPS[network]
        yield row(network, f"{T}, {B}", *(found["steps", f"{network}: step"] for found in (own, cublas, cpu)))


def speed():
    """The table of the README: a layer beside PyTorch's LSTM, on both devices."""
    cpu, gpu = measured(), measured("bench-gpu")
    yield heading("T, B, M, N", "two CPU cores: IndRNN, ms", "PyTorch's LSTM takes", "NVIDIA H200: IndRNN, ms",
                  "cuDNN's LSTM takes")
    for shape in parts_of(gpu, "peers", ": "):
        cells = []
        for found, name in ((cpu, f"{shape}, 1 layer"), (gpu, shape)):
            cells.append(median(found["peers", f"{name}: ours"]))
            cells.append(median(found["peers", f"{name}: PyTorch LSTM over ours"]) + " times as long")
        yield row(shape.removeprefix("T, B, M, N = "), *cells)


TABLES = {table.__name__: table for table in (
    results, speed, four_models, longest, three_seeds, deepest, digits, pixels, epochs, motion, characters, machine,
    recurrence, updates, libraries, batches, gpu_recurrence, gpu_libraries, gpu_updates)}
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.S)


def fill(text):
    """The text with every table filled in again."""
    return PLACE.sub(lambda place: place[1] + "".join(f"{line}\n" for line in TABLES[place[2]]()) + place[3], text)


# ---------------------------------------------------------------------------------------------------------
# Pictures.

def draw_adding(path):
    """Three seeds at T = 100 and 1000, with the points of the paper."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
    for axes, T in zip(panels, (100, 1000)):
        for seed, run in enumerate(runs("adding", f"{T}-seed*")):
            mse = by_update(run, "test_mse")
            axes.plot(list(mse), list(mse.values()), linewidth=1, label=f"seed {seed}")
        axes.plot(list(PAPER[T]), list(PAPER[T].values()), "ko", markersize=5, label="paper's curve")
        axes.axhline(1 / 6, color="gray", linestyle=":", label="always answering 1")
        axes.set(title=f"adding problem, T = {T}", xlabel="updates", yscale="log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean squared error")
    panels[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=103, metadata={"Software": None})


def draw_longest(path):
    """T = 5000 by learning rate, with the points of the paper."""
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for rate, mse in rates().items():
        axes.plot(list(mse), list(mse.values()), linewidth=0.7, label=f"rate {rate}")
    paper = {update: mse for update, mse in PAPER[5000].items() if update >= 10_000}
    axes.plot(list(paper), list(paper.values()), "ko", markersize=5, label="paper's curve, rate 2e-4")
    axes.axhline(1 / 6, color="gray", linestyle=":", label="always answering 1")
    axes.set(title="adding problem, T = 5000, IndRNN", xlabel="updates", ylabel="mean squared error", yscale="log",
             ylim=(5e-4, 1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    figure.savefig(path, dpi=103, metadata={"Software": None})


def draw():
    draw_adding(RESULTS / "adding.png")
    draw_longest(RESULTS / "longest.png")
    with tempfile.TemporaryDirectory() as folder:
        unpack("figure", Path(folder))
        draw_figure(Path(folder), RESULTS / "figure.png")


def main():
    parser = argparse.ArgumentParser(description="Pack results; fill the tables of the READMEs and draw the pictures.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    adding = commands.add_parser("add", help="put a run folder into its family")
    adding.add_argument("folder", type=Path, metavar="RUN", help="run folder, finished or under way")
    adding.add_argument("family", metavar="FAMILY", help="the run becomes a line of results/FAMILY.jsonl")
    adding.add_argument("--network", action="store_true", help="keep the trained network, too")
    unpacking = commands.add_parser("unpack", help="make the run folders of a family again")
    unpacking.add_argument("family", metavar="FAMILY")
    unpacking.add_argument("folder", type=Path, metavar="FOLDER", help="folder for the run folders")
    arguments = parser.parse_args()
    try:
        if arguments.command == "add":
            add(arguments.folder, arguments.family, arguments.network)
        elif arguments.command == "unpack":
            unpack(arguments.family, arguments.folder)
        else:
            for path in READMES:
                path.write_text(fill(path.read_text()))
            draw()
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
