"""Reads results/ and writes what the README shows of it: the tables (printed) and adding.png.

    python tutorials/results.py
"""
import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent

# Mean squared error of IndRNN on the adding problem, read off the curves of arXiv 1910.06251, to about 0.0004.
PAPER = {100: {500: 0.163, 1000: 0.065, 2000: 0.005, 3000: 0.0013},
         1000: {500: 0.161, 1000: 0.069, 2000: 0.023, 3000: 0.011, 5000: 0.008}}
GOAL = {100: 0.005, 1000: 0.01}


def runs(pattern):
    """(metrics, result) of every finished run whose folder fits, by seed."""
    for folder in sorted((HERE / "results").glob(pattern)):
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        yield rows, json.loads((folder / "result.json").read_text())


def smallest_so_far(rows, step):
    return min(row["test_mse"] for row in rows if row["step"] <= step)


def adding_table():
    """How soon each length is learned, for all seeds, beside the paper."""
    yield "| adding problem | step | paper, MSE | ours, MSE at that step | best so far |"
    yield "| --- | --- | --- | --- | --- |"
    for T, paper in PAPER.items():
        found = list(runs(f"adding-{T}-seed*"))
        for step, mse in paper.items():
            at = ", ".join(f"{next(row['test_mse'] for row in rows if row['step'] == step):.4f}" for rows, _ in found)
            best = ", ".join(f"{smallest_so_far(rows, step):.4f}" for rows, _ in found)
            yield f"| T = {T} | {step} | {mse} | {at} | {best} |"
        first = ", ".join(str(next(row["step"] for row in rows if row["test_mse"] < GOAL[T])) for rows, _ in found)
        yield f"| T = {T} | first below {GOAL[T]} | | {first} | |"
        minutes = ", ".join(f"{result['seconds'] / 60:.1f}" for _, result in found)
        yield f"| T = {T} | minutes for {found[0][1]['steps']} steps | | {minutes} | |"


def digits_table():
    yield "| digits | options of `train digits` | test accuracy, seeds 0, 1, 2 | minutes |"
    yield "| --- | --- | --- | --- |"
    for name, options, pattern in (
            ("pixel by pixel, T = 64", "", "digits-seed*"),
            ("the same, batch normalisation", "`--norm after`", "digits-norm-seed*"),
            ("residual, 7 recurrent layers", "`--model residual --layers 3 --norm after --steps 3000`",
             "digits-residual-seed*"),
            ("row by row, T = 8", "`--rows`", "digits-rows-seed*")):
        found = [result for _, result in runs(pattern)]
        accuracies = ", ".join(f"{result['test_accuracy']:.1%}" for result in found)
        yield f"| {name} | {options} | {accuracies} | {np.mean([result['seconds'] for result in found]) / 60:.1f} |"


def draw_adding(path):
    figure, panels = plt.subplots(1, len(PAPER), figsize=(9, 3.2), layout="constrained", sharey=True)
    for axes, (T, paper) in zip(panels, PAPER.items()):
        for seed, (rows, _) in enumerate(runs(f"adding-{T}-seed*")):
            steps, mse = zip(*((row["step"], row["test_mse"]) for row in rows))
            axes.plot(steps, mse, linewidth=1, label=f"seed {seed}")
        axes.plot(list(paper), list(paper.values()), "ko", markersize=5, label="paper's curve")
        axes.axhline(1 / 6, color="gray", linestyle=":", label="always answering 1")
        axes.set_title(f"adding problem, T = {T}")
        axes.set_xlabel("step")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean squared error")
    panels[-1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=103, metadata={"Software": None})


if __name__ == "__main__":
    print("\n".join([*adding_table(), "", *digits_table()]))
    draw_adding(HERE / "results" / "adding.png")
