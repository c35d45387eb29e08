"""Reading run folders: the trained network and its history, without the data."""
import json
import math
from pathlib import Path

import numpy as np

from ..core.layer import leaves
from ..core.terminal import printable
from ..data.download import DataError
from ..tasks.registry import TASKS, settings
from ..tasks.settings import Settings
from ..training import checkpoint
from ..training.checkpoint import CheckpointError
from ..training.run import arrays_of, checkpoint_of, history
from .plots import draw_confusion, draw_curve, draw_memory


def load_run(folder):
    """(task, network, updates done) of a run folder, whether the run is over or not. The task has no data, unless the
    checkpoint does not tell what the run has seen of it, as those of an earlier version.

    CheckpointError if it is not the folder of a run, or its checkpoint is damaged or of something else.
    """
    path = Path(folder) / "checkpoint.npz"
    if not path.exists():
        raise CheckpointError(f"{folder}: expected the folder of a run, with a checkpoint.npz in it")
    arrays, updates, config, seen = checkpoint_of(folder)
    checkpoint.expect_known(path, config, Settings.__dataclass_fields__)
    if config.get("task") not in TASKS:
        raise CheckpointError(f"{path}: expected a run of one of the tasks {', '.join(TASKS)}")
    try:
        task = TASKS[config["task"]](settings(**config), seen)
        network = task.initial()
    except DataError:
        raise
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(f"{path}: not a run of this version of minindrnn") from None
    learned = {name: array for name, array in arrays.items() if name.startswith(("parameter.", "buffer."))}
    checkpoint.restore(path, learned, arrays_of(network))
    return task, network, updates


def recurrent_weights(network):
    """{path: u (N,)} of all IndRNN layers; empty for the baselines, which have none of their own to each neuron."""
    if network.bound is None:
        return {}
    return {path: parameter.value for path, parameter in leaves(network.parameters) if parameter.role == "recurrent"}


def summary(folder, task, updates):
    """Lines that tell what the run was, how far it went, its best evaluations, and its results."""
    chosen = task.settings.worth_saying()
    name, model, _ = (chosen.pop(each) for each in ("task", "model", "updates"))
    yield printable(f"{name}, {model}: " + ", ".join(f"{option} {value}" for option, value in chosen.items()))
    rows = history(folder)
    yield f"{updates} updates" + (f" in {rows[-1]['seconds']:.0f} seconds" if rows else ", and no evaluation yet")
    for name in rows[0] if rows else ():
        if name not in ("update", "loss", "seconds"):
            finite = [row for row in rows if np.isfinite(row[name])] or rows
            best = (max if "accuracy" in name else min)(finite, key=lambda row: row[name])
            yield f"  {words(name)}: best {best[name]:.5g} at update {best['update']}, last {rows[-1][name]:.5g}"
    try:
        result = json.loads((Path(folder) / "result.json").read_text())
        found = {name: math.nan if value is None else value for name, value in result.items()}
        yield "result: " + ", ".join(f"{words(name)} {value:.5g}" for name, value in found.items()
                                     if isinstance(value, float) and name != "seconds")
    except FileNotFoundError:
        yield "no result yet: the command of the run with --resume goes on"
    except (ValueError, AttributeError):
        yield printable(f"{Path(folder) / 'result.json'}: not a result")


def pictures(folder, task, network):
    """(name, function that draws, its arguments but the path) of what there is to see; where something cannot be drawn,
    the name, None and the reason."""
    if rows := history(folder):
        yield "curve.png", draw_curve, rows
    if after := recurrent_weights(network):
        yield "memory.png", draw_memory, recurrent_weights(task.initial()), after, network.bound
    else:
        yield "memory.png", None, f"in {task.settings.model} no neuron has a recurrent weight u of its own"
    if hasattr(task, "confusion"):
        try:
            whole = with_data(task)
            yield "confusion.png", draw_confusion, whole.confusion(network), whole.called()
        except DataError as error:
            yield "confusion.png", None, error


def with_data(task):
    """The task with its data. DataError if the data is not there, or is not the run's."""
    whole = type(task)(task.settings)
    if whole.seen != task.seen:
        raise DataError("the data is not that which the run was started with")
    return whole


def words(name):
    return name.replace("_", " ")
