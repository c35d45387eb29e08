"""Reads results/ and writes what the README shows of it: the tables (printed), adding/adding.png, longest/longest.png.

    python tutorials/results.py               the tables
    python tutorials/results.py RUN ...       keep finished runs, too
"""
import json
import shutil
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from minindrnn import checkpoint
from minindrnn.bench import STEPS
from minindrnn.gpu.bench import COPIED

HERE = Path(__file__).parent

# Mean squared error of IndRNN on the adding problem, read off the curves of arXiv 1910.06251, to about 0.0004.
PAPER = {100: {500: 0.163, 1000: 0.065, 2000: 0.005, 3000: 0.0013},
         1000: {500: 0.161, 1000: 0.069, 2000: 0.023, 3000: 0.011, 5000: 0.008}}
GOAL = {100: 0.005, 1000: 0.01}


def keep(run):
    """Copy into results/TASK/REST, of a run TASK-REST, its settings, metrics and results and, if `report` was asked for
    it, its pictures and what `predict` and `report` need of a small checkpoint: all but the optimiser."""
    folder = HERE / "results" / run.name.replace("-", "/", 1)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = sorted(run.glob("*.png")) if (run / "memory.png").exists() else []
    for path in [run / "config.json", run / "metrics.jsonl", run / "result.json", *run.glob("dynamic.json"), *pictures]:
        shutil.copy(path, folder)
    arrays, facts = checkpoint.load(run / "checkpoint.npz")
    learned = {name: array for name, array in arrays.items() if name.startswith(("parameter.", "buffer."))}
    if pictures and sum(array.nbytes for array in learned.values()) < 1e6:
        checkpoint.save(folder / "checkpoint.npz", learned, facts)
    print(f"kept: {folder}")


def runs(pattern):
    """(metrics, result) of every finished run whose folder fits, by seed."""
    for result in sorted((HERE / "results").glob(f"{pattern}/result.json")):
        rows = [json.loads(line) for line in result.with_name("metrics.jsonl").read_text().splitlines()]
        yield rows, json.loads(result.read_text())


def smallest_so_far(rows, step):
    return min(row["test_mse"] for row in rows if row["step"] <= step)


def adding_table():
    """How soon each length is learned, for all seeds, beside the paper."""
    yield "| adding problem | update | paper, MSE | ours, MSE after it | best so far |"
    yield "| --- | --- | --- | --- | --- |"
    for T, paper in PAPER.items():
        found = list(runs(f"adding/{T}-seed*"))
        for step, mse in paper.items():
            at = ", ".join(f"{next(row['test_mse'] for row in rows if row['step'] == step):.4f}" for rows, _ in found)
            best = ", ".join(f"{smallest_so_far(rows, step):.4f}" for rows, _ in found)
            yield f"| T = {T} | {step} | {mse} | {at} | {best} |"
        first = ", ".join(str(next(row["step"] for row in rows if row["test_mse"] < GOAL[T])) for rows, _ in found)
        yield f"| T = {T} | first below {GOAL[T]} | | {first} | |"
        minutes = ", ".join(f"{result['seconds'] / 60:.1f}" for _, result in found)
        yield f"| T = {T} | minutes for {found[0][1]['steps']} updates | | {minutes} | |"


def digits_table():
    yield "| digits | options of `train digits` | test accuracy, seeds 0, 1, 2 | minutes |"
    yield "| --- | --- | --- | --- |"
    for name, options, pattern in (
            ("pixel by pixel, T = 64", "", "digits/seed*"),
            ("the same, batch normalisation", "`--norm after`", "digits/norm-seed*"),
            ("residual, 7 recurrent layers", "`--model residual --layers 3 --norm after --steps 3000`",
             "digits/residual-seed*"),
            ("row by row, T = 8", "`--rows`", "digits/rows-seed*")):
        found = [result for _, result in runs(pattern)]
        accuracies = ", ".join(f"{result['test_accuracy']:.1%}" for result in found)
        yield f"| {name} | {options} | {accuracies} | {np.mean([result['seconds'] for result in found]) / 60:.1f} |"


# Test error: arXiv 1910.06251, tables 1 and 2; what it says of LSTM is from others.
PAPER_ERROR = {"smnist/plain": "1.0%", "smnist/residual": "0.61%", "smnist/dense": "0.52%", "smnist/lstm": "1.8%",
               "smnist/rnn": "", "pmnist/plain": "4.0%", "pmnist/plain-undropped": "4.0%"}


def pixels_table():
    """MNIST pixel by pixel: the error on 10 000 test images, by the three kinds of statistics."""
    yield "| MNIST | network | updates | minutes | running averages | population | test batch's own | paper |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, paper in PAPER_ERROR.items():
        for _, result in runs(name):
            errors = (f"{1 - result[metric]:.2%}" if (metric := "test_accuracy" + way) in result else ""
                      for way in ("", "_population", "_batch"))
            task, network = name.split("/")
            yield (f"| {task} | {NAMES[network]} | {result['steps']} | {result['seconds'] / 60:.0f} "
                   f"| {' | '.join(errors)} | {paper} |")


# Validation accuracy after so many epochs of 1700 updates in the authors' logs, by running averages.
AUTHORS_EPOCHS = {"plain": {1: 0.777, 2: 0.851, 5: 0.940, 10: 0.962},
                  "residual": {1: 0.892, 2: 0.956, 5: 0.970, 10: 0.980},
                  "dense": {1: 0.882, 2: 0.941, 5: 0.954, 10: 0.981}}


def epochs_table():
    """Validation accuracy in the first epochs; empty where the run was over."""
    epochs = AUTHORS_EPOCHS["plain"]
    yield f"| after epochs of 1700 updates | {' | '.join(map(str, epochs))} |"
    yield "| --- |" + " --- |" * len(epochs)
    for model, logged in AUTHORS_EPOCHS.items():
        (rows, _), = runs(f"smnist/{model}")
        found = {row["step"] / 1700: f"{row['validation_accuracy']:.3f}" for row in rows}
        yield f"| {NAMES[model]} | {' | '.join(found.get(epoch, '') for epoch in epochs)} |"
        yield f"| the authors' log | {' | '.join(f'{said:.3f}' for said in logged.values())} |"


def motion_table():
    """Accuracy on people never seen, fold by fold: windows of 4 seconds, and whole recordings."""
    yield "| motion | fold 0 | 1 | 2 | 3 | 4 | mean | by the test batch's own |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for kind, infix in (("windows", ""), ("recordings", "whole-")):
        for model in ("plain", "residual", "dense", "lstm", "rnn"):
            found = [result for _, result in runs(f"motion/{infix}{model}-fold*")]
            if len(found) == 5:
                own = np.mean([result.get("test_accuracy_batch", np.nan) for result in found])
                yield _motion_row(f"{kind}, {NAMES[model]}", [result["test_accuracy"] for result in found],
                                  "" if np.isnan(own) else f"{own:.1%}")
        statistics = json.loads((HERE / "results/motion/statistics.json").read_text())[kind]
        yield _motion_row(f"{kind}, logistic regression", statistics, "")


def _motion_row(name, accuracies, own):
    return f"| {name} | {' | '.join(f'{value:.1%}' for value in accuracies)} | {np.mean(accuracies):.1%} | {own} |"


def characters_table():
    """Bits a character on the last 5 % of Shakespeare, as the networks are and while they go on learning."""
    yield "| characters | updates | minutes | test, bits a character | dynamic evaluation |"
    yield "| --- | --- | --- | --- | --- |"
    for model in ("plain", "residual", "dense", "lstm", "long"):
        for _, result in runs(f"chars/{model}"):
            dynamic = json.loads((HERE / f"results/chars/{model}/dynamic.json").read_text())
            yield (f"| {NAMES[model]} | {result['steps']} | {result['seconds'] / 60:.0f} "
                   f"| {result['test_bits']:.3f} | {dynamic['test_bits']:.3f} |")
    orders = json.loads((HERE / "results/chars/statistics.json").read_text())
    yield f"| n-gram of order {len(orders)} | | | {orders[-1]:.3f} | |"


# Mean squared error after so many steps, read off the same figure: IRNN, LSTM, RNN where the paper shows them.
PAPER_LAST = {100: {"indrnn": "about 0", "lstm": "about 0", "rnn": "0.167", "irnn": "about 0"},
              500: {"indrnn": "0.001", "lstm": "falls at 5500", "rnn": "0.167", "irnn": "above 0.08"},
              1000: {"indrnn": "0.002 to 0.008", "lstm": "0.167", "rnn": "0.167", "irnn": "0.167"},
              5000: {"indrnn": "0.033 at 10 000, 0.003 at 20 000", "lstm": "", "rnn": "", "irnn": ""}}


def figure_table():
    """The four models at every length, at the last update that was done."""
    yield "| adding problem | model | updates | test MSE | first below 0.01 at | paper, MSE about there |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for T, paper in PAPER_LAST.items():
        for model, said in paper.items():
            path = HERE / f"results/figure/adding-{T}-{model}-seed0/metrics.jsonl"
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            last = rows[-1]
            below = next((row["step"] for row in rows if row["test_mse"] < 0.01), "never")
            yield f"| T = {T} | {NAMES[model]} | {last['step']} | {last['test_mse']:.5f} | {below} | {said} |"


# T = 5000: the run of each rate, as far as it went, and the curve of arXiv 1910.06251, whose rate is 2e-4.
LONGEST = {"2e-4": "figure/adding-5000-indrnn-seed0", "1e-4": "longest/rate-1e-4",
           "5e-5": "longest/rate-5e-5", "3e-5": "longest/rate-3e-5"}
PAPER_LONGEST = {10_000: 0.033, 20_000: 0.003}


def longest():
    """(rate, {update: mean squared error}) of each run."""
    for rate, run in LONGEST.items():
        lines = (HERE / f"results/{run}/metrics.jsonl").read_text().splitlines()
        yield rate, {row["step"]: row["test_mse"] for row in map(json.loads, lines)}


def longest_table():
    """T = 5000 by learning rate; the last error is that of the last update."""
    yield "| T = 5000, rate | after 10 000 updates | after 20 000 | first below 0.1 at | 0.01 at | updates | test MSE |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    yield f"| 2e-4, the papers' curve | {' | '.join(map(str, PAPER_LONGEST.values()))} | | | | |"
    for rate, mse in longest():
        at = " | ".join(f"{mse[step]:.4f}" for step in PAPER_LONGEST)
        first = " | ".join(str(next((step for step in mse if mse[step] < goal), "never")) for goal in (0.1, 0.01))
        yield f"| {rate} | {at} | {first} | {max(mse)} | {mse[max(mse)]:.4f} |"


NAMES = {"indrnn": "IndRNN", "plain": "IndRNN, plain", "plain-undropped": "IndRNN, plain, no dropout",
         "residual": "IndRNN, residual", "dense": "IndRNN, dense",
         "lstm": "LSTM", "rnn": "RNN, tanh", "irnn": "IRNN",
         "long": "IndRNN, plain, layers of 512, dropout 0.1"}
DEEP = {"adding-100-residual21": "residual, 21 recurrent layers", "adding-100-dense40": "dense, 40 recurrent layers",
        "digits-residual21": "residual, 21 recurrent layers", "digits-dense40": "dense, 40 recurrent layers"}


def deep_table():
    """The deepest networks of the papers, by the three kinds of statistics."""
    yield "| task | network | updates | running averages | population | test batch's own |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, network in DEEP.items():
        result = json.loads((HERE / f"results/deep/{name}/result.json").read_text())
        task, metric, form = (("adding, T = 100, MSE", "test_mse", ".4f") if "adding" in name
                              else ("digits pixel by pixel, accuracy", "test_accuracy", ".1%"))
        values = " | ".join(format(result[metric + way], form) for way in ("", "_population", "_batch"))
        yield f"| {task} | {network} | {result['steps']} | {values} |"


def measured(name="bench"):
    """{(section, what): median with the middle half} of what `python -m minindrnn bench --json` wrote on one machine."""
    found = {}
    for line in (HERE / f"results/{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        median, low, high = (f"{row[name]:.{row['digits']}f}" for name in ("median", "low", "high"))
        found[row["section"], row["what"]] = f"{median} ({low} to {high})"
    return found


def parts_of(found, section, separator):
    """The beginnings of what was measured, up to the last separator, each once."""
    return dict.fromkeys(what.rpartition(separator)[0] for kind, what in found if kind == section and separator in what)


def limits_table():
    found = measured()
    yield "| this machine | |"
    yield "| --- | --- |"
    for (section, what), value in found.items():
        if section == "limits":
            yield f"| {what} | {value} {'GFLOP/s' if 'product' in what else 'GB/s'} |"
        elif section == "streaming":
            yield f"| a step of time, {what} | {value} us |"
        elif what.startswith("layer of"):
            yield (f"| a layer over its recurrence alone, T, B, M, N = 784, 32, {what.split()[2]}, 128, forward and backward "
                   f"| {value} x |")


def kernels_table():
    """The recurrence alone, as a share of what the memory allows."""
    found = measured()
    yield "| recurrence, T, B, N | forward, % of the limit | backward, % of the limit |"
    yield "| --- | --- | --- |"
    for shape in parts_of(found, "kernels", ", "):
        if shape.startswith("T, B, N"):
            ways = " | ".join(found["kernels", f"{shape}, {way}"] for way in ("forward", "backward"))
            yield f"| {shape.removeprefix('T, B, N = ')} | {ways} |"


def steps_table():
    found = measured()
    yield "| training step of | T, B | ms | over its matrix products alone |"
    yield "| --- | --- | --- | --- |"
    for network in parts_of(found, "steps", ": "):
        T, B, *_ = STEPS[network]
        step, ratio = (found["steps", f"{network}: {what}"] for what in ("step", "over its products"))
        yield f"| {network} | {T}, {B} | {step} | {ratio} |"


def peers_table():
    others = ("our LSTM", "PyTorch LSTM", "PyTorch loop", "JAX scan", "the products alone")
    found = measured()
    yield f"| T, B, M, N | IndRNN, ms | {' | '.join(f'{other}, times as long' for other in others)} |"
    yield "| --- |" + " --- |" * (1 + len(others))
    for shape in parts_of(found, "peers", ": "):
        times = " | ".join(found.get(("peers", f"{shape}: {other} over ours"), "") for other in others)
        yield f"| {shape.removeprefix('T, B, M, N = ')} | {found['peers', f'{shape}: ours']} | {times} |"


# A training batch of cuDNN's LSTM takes so many times as long as one of IndRNN of 1 and 2 layers: arXiv 1910.06251,
# figure 2.
PAPER_BATCH = {256: (4.3, 2.9), 512: (7.6, 4.8), 1024: (12.9, 8.0)}


def batches_table():
    """A training batch of the adding problem, one LSTM layer over one and two of IndRNN."""
    found = measured()
    yield ("| T | IndRNN, 1 layer, ms | IndRNN, 2 layers, ms | LSTM, ms | LSTM over 1 layer | over 2 layers "
           "| the paper's, on a GPU |")
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    names = ("IndRNN, 1 layer", "IndRNN, 2 layers", "LSTM", "LSTM over IndRNN, 1 layer", "LSTM over IndRNN, 2 layers")
    for T, (one, two) in PAPER_BATCH.items():
        yield f"| {T} | {' | '.join(found['batches', f'T = {T}: {name}'] for name in names)} | {one}, {two} |"


def gpu_kernels_table():
    """The recurrence on a GPU beside streams of the same size."""
    found = measured("bench-gpu")
    yield "| NVIDIA H200, GB/s | forward: obvious | tuned | a copy | backward: obvious | tuned | a sum of two |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for shape in parts_of(found, "kernels", ", forward, "):
        values = (found["kernels", f"{shape}, {what}"].partition(" ")[0]
                  for what in ("forward, obvious", "forward, tuned", "two streams", "backward, obvious", "backward, tuned",
                               "three streams"))
        yield f"| {shape} | {' | '.join(values)} |"
    limits = (found["limits", f"memory, {streams} streams"].partition(" ")[0] for streams in (2, 3))
    yield "| arrays of {} MB | | | {} | | | {} |".format(COPIED >> 20, *limits)


def gpu_peers_table():
    """Forward and backward of a layer on a GPU, and how many times as long LSTM takes."""
    own, cublas = measured("bench-gpu"), measured("bench-gpu-cublas")
    yield "| T, B, M, N | IndRNN, ms | LSTM, times as long | with cuBLAS: IndRNN, ms | LSTM, times as long |"
    yield "| --- | --- | --- | --- | --- |"
    for shape in parts_of(own, "peers", ": "):
        values = (found["peers", f"{shape}: {what}"] for found in (own, cublas) for what in ("ours", "PyTorch LSTM over ours"))
        yield f"| {shape.removeprefix('T, B, M, N = ')} | {' | '.join(values)} |"


def gpu_steps_table():
    """Whole training steps on a GPU, beside those on the CPU."""
    own, cublas, cpu = measured("bench-gpu"), measured("bench-gpu-cublas"), measured()
    yield "| training step of | T, B | ms | with cuBLAS, ms | on the CPU above, ms |"
    yield "| --- | --- | --- | --- | --- |"
    for network in parts_of(own, "steps", ": "):
        T, B, *_ = STEPS[network]
        yield f"| {network} | {T}, {B} | {' | '.join(found['steps', f'{network}: step'] for found in (own, cublas, cpu))} |"


TABLES = (figure_table, longest_table, adding_table, deep_table, digits_table, pixels_table, epochs_table, motion_table,
          characters_table, limits_table, kernels_table, steps_table, peers_table, batches_table,
          gpu_kernels_table, gpu_peers_table, gpu_steps_table)


def draw_adding(path):
    figure, panels = plt.subplots(1, len(PAPER), figsize=(9, 3.2), layout="constrained", sharey=True)
    for axes, (T, paper) in zip(panels, PAPER.items()):
        for seed, (rows, _) in enumerate(runs(f"adding/{T}-seed*")):
            steps, mse = zip(*((row["step"], row["test_mse"]) for row in rows))
            axes.plot(steps, mse, linewidth=1, label=f"seed {seed}")
        axes.plot(list(paper), list(paper.values()), "ko", markersize=5, label="paper's curve")
        axes.axhline(1 / 6, color="gray", linestyle=":", label="always answering 1")
        axes.set_title(f"adding problem, T = {T}")
        axes.set_xlabel("updates")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean squared error")
    panels[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=103, metadata={"Software": None})


def draw_longest(path):
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    for rate, mse in longest():
        axes.plot(list(mse), list(mse.values()), linewidth=0.7, label=f"rate {rate}")
    axes.plot(list(PAPER_LONGEST), list(PAPER_LONGEST.values()), "ko", markersize=5, label="papers' curve, rate 2e-4")
    axes.axhline(1 / 6, color="gray", linestyle=":", label="always answering 1")
    axes.set(title="adding problem, T = 5000, IndRNN", xlabel="updates", ylabel="mean squared error", yscale="log",
             ylim=(5e-4, 1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    figure.savefig(path, dpi=103, metadata={"Software": None})


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        keep(Path(argument))
    print("\n\n".join("\n".join(table()) for table in TABLES))
    draw_adding(HERE / "results/adding/adding.png")
    draw_longest(HERE / "results/longest/longest.png")
