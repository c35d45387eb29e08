"""What a run looks like: its learning curve, and how long its neurons remember."""
import numpy as np

from . import checkpoint
from .layer import leaves
from .memory import half_life


def describe_memory(network, bound):
    """Lines that tell, layer by layer, what became of the recurrent weights."""
    yield f"memory: recurrent weights, bounded by |u| <= {bound:.6f}; half-life in steps"
    for path, parameter in leaves(network.parameters):
        if parameter.role == "recurrent":
            u = parameter.value
            quartiles = np.percentile(half_life(u), [25, 50, 75], method="nearest")
            yield (f"  {path:<5} |u| {np.abs(u).min():.3f} to {np.abs(u).max():.3f}, {np.mean(u < 0):.0%} negative; "
                   f"half-life, quartiles {', '.join(f'{h:.1f}' if h < 1e4 else 'over 10 000' for h in quartiles)}")


def draw_curve(rows, path):
    """Draw every metric in the rows of metrics.jsonl against the step, losses and accuracies apart.

    Needs Matplotlib; ImportError without it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in rows[0] if name not in ("step", "seconds")]
    groups = [[name for name in names if "accuracy" not in name], [name for name in names if "accuracy" in name]]
    groups = [group for group in groups if group]
    figure = Figure(figsize=(5 * len(groups), 3.5), layout="constrained")
    for axes, group in zip(np.atleast_1d(figure.subplots(1, len(groups))), groups):
        for name in group:
            label = "training loss" if name == "loss" else name.replace("_", " ")
            axes.plot([row["step"] for row in rows], [row[name] for row in rows], label=label)
        axes.set_xlabel("step")
        axes.set_yscale("linear" if "accuracy" in group[0] else "log")
        axes.grid(alpha=0.3)
        axes.legend()
    with checkpoint.replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
