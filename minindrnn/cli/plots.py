"""Pictures of a run: its learning curve, the memory of its neurons, its confusion."""
import re

import numpy as np

from ..core.layer import leaves
from ..core.terminal import printable
from ..ops.bounds import half_life
from ..tasks.models import MODELS
from ..training import checkpoint
from ..training.run import history

BLUE, ORANGE = "#006BA4", "#C85200"         # distinct for colour-blind readers, too


def draw(picture, *arguments):
    """Call the function, which draws to a path, its last argument; print that it did, or that Matplotlib is missing."""
    try:
        picture(*arguments)
        print(printable(f"drawn: {arguments[-1]}"))
    except ImportError:
        print(f"no {arguments[-1].name}: Matplotlib is not installed (pip install matplotlib)")


def draw_gradients(norms, path):
    """Draw {name: norms (layers, T)} as pictures, a layer a row, a step a column. Needs Matplotlib."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(norms), 3), layout="constrained")
    panels = figure.subplots(1, len(norms), squeeze=False)[0]
    for axes, (name, values) in zip(panels, norms.items()):
        layers, T = values.shape
        image = axes.imshow(np.maximum(values, 1e-12), norm=LogNorm(1e-12, 1e3), cmap="viridis", aspect="auto",
                            origin="lower", extent=(0, T, 0.5, layers + 0.5), interpolation="nearest")
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("step t")
    panels[0].set_ylabel("block or layer, input first")
    figure.colorbar(image, ax=panels, label="norm of the gradient")
    _save(figure, path)


def describe_memory(network, bound):
    """Lines that tell, layer by layer, what became of the recurrent weights; none for a network that has no bound."""
    if bound is None:
        return
    yield f"memory: recurrent weights, bounded by |u| <= {bound:.6f}; half-life in steps"
    for path, parameter in leaves(network.parameters):
        if parameter.role == "recurrent":
            u = parameter.value
            quartiles = np.percentile(half_life(u), [25, 50, 75], method="nearest")
            yield (f"  {path:<5} |u| {np.abs(u).min():.3f} to {np.abs(u).max():.3f}, {np.mean(u < 0):.0%} negative; "
                   f"half-life, quartiles {', '.join(f'{h:.1f}' if h < 1e4 else 'over 10 000' for h in quartiles)}")


def draw_curve(rows, path):
    """Draw every metric in the rows of metrics.jsonl against the update, losses and accuracies apart.

    Needs Matplotlib; ImportError without it.
    """
    from matplotlib.figure import Figure

    names = [name for name in rows[0] if name not in ("update", "seconds")]
    groups = {"loss": [name for name in names if "accuracy" not in name],
              "accuracy": [name for name in names if "accuracy" in name]}
    groups = {kind: group for kind, group in groups.items() if group}
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    for axes, (kind, group) in zip(np.atleast_1d(figure.subplots(1, len(groups))), groups.items()):
        for name in group:
            label = "training loss" if name == "loss" else name.replace("_", " ")
            axes.plot([row["update"] for row in rows], [row[name] for row in rows], label=label,
                      color=BLUE if name == names[0] else ORANGE, marker="." if len(rows) == 1 else None)
        axes.set_xlabel("update")
        axes.set_ylabel(kind)
        axes.set_yscale("linear" if kind == "accuracy" else "log")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    _save(figure, path)


def draw_memory(before, after, bound, path):
    """Draw how many neurons have which |u|, layer by layer: {name: u (N,)} of a network at its start and now, and the
    bound of |u|. Source: arXiv 1910.06251, figure 5, which shows u. Needs Matplotlib."""
    from matplotlib.figure import Figure

    columns = min(len(after), 3)
    rows = -(-len(after) // columns)
    figure = Figure(figsize=(8, 1 + 1.7 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    highest = max(bound, *(np.abs(u).max() for u in after.values()))
    edges = np.linspace(0, highest * (1 + 1e-6), 31)
    for number, (axes, (name, u)) in enumerate(zip(panels, after.items()), 1):
        axes.hist([np.abs(u[u >= 0]), np.abs(u[u < 0])], edges, stacked=True, color=[BLUE, ORANGE],
                  label=["now, u positive", "now, u negative"])
        axes.stairs(np.histogram(np.abs(before[name]), edges)[0], edges, color="black", label="at the start")
        axes.set_title(f"layer {number}: {name}", fontsize=10)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.tick_params(labelbottom=number > len(after) - columns)
    for axes in panels[len(after):]:
        axes.set_axis_off()
    figure.supxlabel(f"|u|, at most {bound:.4f}", fontsize=11)
    figure.supylabel("neurons", fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside upper center", ncols=3)
    _save(figure, path)


def draw_confusion(counts, names, path):
    """Draw counts (K, K), a row for each true class, a column for each answer; the colour is the share of the row.
    Needs Matplotlib."""
    from matplotlib.figure import Figure

    K = len(names)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    if K <= 20:
        for k, j in zip(*np.nonzero(counts)):
            axes.text(j, k, counts[k, j], ha="center", va="center", color="black" if share[k, j] > 0.5 else "white")
        short = max(map(len, names)) < 4
        axes.set_xticks(range(K), names, rotation=0 if short else 40, ha="center" if short else "right")
        axes.set_yticks(range(K), names)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class")
    _save(figure, path)


def draw_adding(folder, path):
    """Draw the test error of all adding-T-MODEL-seedK runs in the folder, a panel for each T. Needs Matplotlib."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    curves = {}
    for run in sorted(folder.iterdir()):
        name = re.fullmatch(r"adding-(\d+)-([a-z]+)-seed\d+", run.name)
        rows = history(run) if name and name[2] in MODELS else []
        if rows:
            done, mse = [row["update"] for row in rows], [row["test_mse"] for row in rows]
            curves.setdefault(int(name[1]), []).append((name[2], done, mse))
    figure = Figure(figsize=(max(3.2 * len(curves), 7), 3.2), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for axes, (T, found) in zip(panels, sorted(curves.items())):
        for model, done, mse in found:
            axes.plot(done, mse, color=MODELS[model].colour, linewidth=1)
        axes.axhline(1 / 6, color="gray", linestyle=":")
        axes.set_title(f"T = {T}")
        axes.set_xlabel("update")
        axes.set_yscale("log")
        axes.set_ylim(5e-7, 1)
        axes.grid(alpha=0.3)
    models = sorted({model for found in curves.values() for model, _, _ in found})
    panels[0].set_ylabel("mean squared error")
    handles = [Line2D([], [], color=MODELS[model].colour, label=model) for model in models]
    handles.append(Line2D([], [], color="gray", linestyle=":", label="always answering 1"))
    figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=len(handles))
    _save(figure, path)


def _save(figure, path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    with checkpoint.replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
