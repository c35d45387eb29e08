"""What is published, in tables typed by hand: the settings of every task and model, and the named networks of the
papers. Sources: arXiv 1803.04831, section 5; arXiv 1910.06251, section 5; the authors' code and logs.

Nothing here is read from the package but what is compared. Whoever changes a setting changes it here too, and on purpose.
"""
import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from minindrnn import Dropout, IndRNN, LanguageModel, Unit
from minindrnn.cli.commands import main
from minindrnn.networks.papers import ARCHITECTURES, build
from minindrnn.ops.batchnorm import BatchNorm
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.training.schedules import Plateau

# ---------------------------------------------------------------------------------------------------------
# Settings: (what all models of a task have in common, {model: the rest}).

DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)
ALL = dict(seed=0, penalty=0.0, fold=0, data="", plateau=0, gamma=2.0, norm="none", dropout=0.0, decay=0.0,
           activation="relu")
IMAGES = dict(length=0, updates=1_000_000, batch=32, plateau=100, gamma=5.0), {
    "indrnn": dict(layers=6, hidden=128, rate=2e-4, norm="after", dropout=0.1, decay=1e-4),
    "residual": dict(layers=5, hidden=128, rate=2e-4, norm="after", dropout=0.1, decay=1e-4),
    "dense": dict(layers=[8, 6, 4], hidden=16, rate=2e-4, norm="after", dropout=DENSE, decay=1e-4),
    "rnn": dict(layers=1, hidden=128, rate=2e-4), "irnn": dict(layers=1, hidden=128, rate=2e-4),
    "lstm": dict(layers=1, hidden=128, rate=1e-3), "gru": dict(layers=1, hidden=128, rate=1e-3)}
RECORDED = {
    "indrnn": dict(layers=4, hidden=128, norm="after", dropout=0.1, decay=1e-4),
    "residual": dict(layers=3, hidden=128, norm="after", dropout=0.1, decay=1e-4),
    "dense": dict(layers=3, hidden=12, norm="after", dropout=0.1, decay=1e-4),
    **{model: dict(layers=1, hidden=128) for model in ("rnn", "irnn", "lstm", "gru")}}
PIXELS = {model: dict(layers=3, hidden=16 if model == "dense" else 128)
          for model in ("indrnn", "residual", "dense", "rnn", "irnn", "lstm", "gru")}
SETTINGS = {
    "adding": (dict(length=100, updates=60_300, batch=32), {
        "indrnn": dict(layers=2, hidden=128, rate=2e-4), "residual": dict(layers=2, hidden=128, rate=2e-4),
        "dense": dict(layers=2, hidden=16, rate=2e-4), "rnn": dict(layers=1, hidden=128, rate=2e-3),
        "irnn": dict(layers=1, hidden=128, rate=2e-4), "lstm": dict(layers=1, hidden=128, rate=2e-3),
        "gru": dict(layers=1, hidden=128, rate=2e-3)}),
    "digits": (dict(length=0, batch=32, rate=3e-3), {
        **{model: dict(updates=6000) | own for model, own in PIXELS.items()},
        "residual": dict(layers=3, hidden=128, norm="after", updates=1500)}),
    "digits-rows": (dict(length=0, updates=4000, batch=16, rate=5e-3), PIXELS),
    "smnist": IMAGES, "pmnist": IMAGES, "fashion": IMAGES,
    "motion": (dict(length=200, updates=2000, batch=32, rate=1e-3), RECORDED),
    "own": (dict(length=0, updates=2000, batch=32, rate=1e-3), RECORDED),
    "chars": (dict(length=50, updates=4000, batch=64, gamma=0.0), {
        "indrnn": dict(layers=6, hidden=384, rate=5e-3, norm="before"),
        "residual": dict(layers=10, hidden=192, rate=5e-3, norm="before"),
        "dense": dict(layers=[8, 6, 4], hidden=24, rate=5e-3, norm="before"),
        "rnn": dict(layers=1, hidden=384, rate=5e-3), "irnn": dict(layers=1, hidden=384, rate=5e-4),
        "lstm": dict(layers=1, hidden=384, rate=5e-3), "gru": dict(layers=1, hidden=384, rate=5e-3)})}

# What belongs to a run: updates from one evaluation to the next, largest |u| of the plain network, steps, what the schedule is.
SEEN = {"T": 9, "M": 2, "K": 3, "mean": [0.0] * 2, "deviation": [1.0] * 2}
RUNS = {"adding": (100, 2 ** (1 / 100), None, "staircase"), "digits": (150, 2 ** (1 / 64), 64, "cosine"),
        "digits-rows": (100, 2 ** (1 / 8), 8, "cosine"), "smnist": (1700, 5 ** (1 / 784), 784, "plateau"),
        "pmnist": (1700, 5 ** (1 / 784), 784, "plateau"), "fashion": (1700, 5 ** (1 / 784), 784, "plateau"),
        "motion": (50, 2 ** (1 / 200), 200, "cosine"), "own": (50, 2 ** (1 / 9), 9, "cosine"), "chars": (133, 0.99, None, "cosine")}


def task_of(task, folder, model="indrnn", **given):
    """The task, with one sequence for its data wherever that goes."""
    if task == "chars":
        (folder / "text.txt").write_text("abcd efgh" * 800)
        return TASKS[task](settings(task, model, **dict(data=str(folder / "text.txt")) | given))
    T = RUNS[task][2]
    made = TASKS[task](settings(task, model, **given), SEEN | ({"T": T} if T else {}))
    if task != "adding":
        made.parts = {"train": (np.zeros((1, made.T, made.M)), np.zeros(1, int), None)}
    return made


def test_the_tables_are_complete():
    assert set(SETTINGS) == set(RUNS) == set(TASKS)
    assert all(len(models) == 7 for _, models in SETTINGS.values()) and set(NETWORKS) == set(ARCHITECTURES)


@pytest.mark.parametrize("task", SETTINGS)
def test_settings(task):
    common, models = SETTINGS[task]
    for model, own in models.items():
        assert asdict(settings(task, model)) == ALL | common | own | dict(task=task, model=model), model
    assert settings(task) == settings(task, "residual" if task == "digits" else "indrnn")
    if task == "adding":
        assert [settings(task, "irnn", T).rate for T in (499, 500, 5000)] == [2e-4, 1e-5, 1e-5]
        assert [settings(task, "indrnn", T).rate for T in (500, 5000)] == [2e-4] * 2


def test_what_is_given_comes_before_what_is_usual():
    given = dict(layers=3, hidden=7, updates=11, batch=5, rate=0.5, seed=9, gamma=3.0, penalty=0.1, norm="before", dropout=0.3,
                 decay=0.01, plateau=4, fold=2, data="here", activation="tanh")
    assert asdict(settings("motion", "residual", 60, **given)) == given | dict(task="motion", model="residual", length=60)
    assert settings("motion", rate=None, length=0) == settings("motion", length=0) != settings("motion")


def wave(rate, steps):
    """Up over the first tenth, down along half a cosine: {step: rate}."""
    tenth = steps // 10
    return {0: rate / tenth, tenth - 1: rate, tenth: rate, tenth + (steps - tenth) // 2: rate / 2, steps: 0.0,
            tenth + (steps - tenth) // 4: rate * (1 + 0.5**0.5) / 2}


@pytest.mark.parametrize("task", RUNS)
def test_what_a_run_is_made_of(task, tmp_path):
    every, bound, _, kind = RUNS[task]
    small = dict(hidden=4, layers=2, seed=5, decay=0.01, penalty=0.25)
    if task == "chars":
        small |= dict(batch=8)
    common, models = SETTINGS[task]
    own = common | models["indrnn"]
    run = task_of(task, tmp_path, **small).run(tmp_path / "run")
    assert (run.every, run.updates) == (every, own["updates"]) and run.network.bound == pytest.approx(bound, rel=1e-12)
    assert run.options == {"bound": run.network.bound, "penalty": 0.25}
    adam = run.optimiser
    assert (adam.beta1, adam.beta2, adam.epsilon, adam.decay) == (0.9, 0.999, 1e-8, 0.01)
    assert run.noise(7).random() == np.random.default_rng([5, 3, 7]).random()
    rate, steps = own["rate"], own["updates"]
    if kind == "plateau":
        plateau = run.schedule
        assert isinstance(plateau, Plateau) and float(plateau.rate) == rate
        assert (plateau.patience, plateau.factor, plateau.smallest) == (100, 0.1, 1e-6)
        assert (plateau.metric, plateau.sign) == ("validation_accuracy", 1)
    else:
        wanted = wave(rate, steps) if kind == "cosine" else {0: rate, 20_099: rate, 20_100: rate / 10, 40_200: rate / 100}
        for step, value in wanted.items():
            assert run.schedule(step) == pytest.approx(value, rel=2e-3, abs=1e-12), step
    config = asdict(settings(task, "indrnn", **small | ({"data": str(tmp_path / "text.txt")} if task == "chars" else {})))
    if task == "adding":
        config.pop("updates")                                           # which may go on to any number
    assert run.config == config and bool(run.seen) == (task != "adding")


@pytest.mark.parametrize("task, metric, sign, factor", [("digits", "validation_accuracy", 1, 0.1),
                                                       ("chars", "validation_bits", -1, 0.2)])
def test_a_plateau_that_is_asked_for(task, metric, sign, factor, tmp_path):
    schedule = task_of(task, tmp_path, plateau=7, hidden=4, layers=1, batch=4).run(tmp_path / "run").schedule
    assert isinstance(schedule, Plateau) and (schedule.patience, schedule.metric, schedule.sign) == (7, metric, sign)
    assert (float(schedule.rate), schedule.factor, schedule.smallest) == (settings(task).rate, factor, 1e-6)


@pytest.mark.parametrize("words, changes", [
    (["--layers", "2"], dict(layers=2)), (["--hidden", "6"], dict(hidden=6)), (["--batch", "3"], dict(batch=3)),
    (["--rate", "0.25"], dict(rate=0.25)), (["--seed", "4"], dict(seed=4)), (["--gamma", "3"], dict(gamma=3.0)),
    (["--penalty", "0.5"], dict(penalty=0.5)), (["--norm", "after"], dict(norm="after")), (["--dropout", "0.3"], dict(dropout=0.3)),
    (["--decay", "0.01"], dict(decay=0.01)), (["--plateau", "3"], dict(plateau=3)), (["--model", "residual"], dict(model="residual")),
    (["--activation", "sigmoid"], dict(activation="sigmoid")),
    (["--model", "plain"], {}), (["--model", "dense", "--layers", "2,1"], dict(model="dense", layers=[2, 1])), (["--updates", "2"], dict(updates=2))])
def test_every_word_of_the_command_reaches_the_run(words, changes, tmp_path, monkeypatch):
    """The run starts, and is told apart from the same one without the word by its config and nothing else."""
    monkeypatch.setattr("minindrnn.cli.commands.finished", lambda *_: None)                 # as after Ctrl-C
    usual = {"--layers": "1", "--hidden": "4", "--updates": "1", "--batch": "2"}
    usual = [word for option, value in usual.items() if option not in words for word in (option, value)]
    assert main(["train", "digits", "--rows", *usual, *words, "--out", str(tmp_path / "run")]) == 130
    wanted = asdict(settings("digits-rows")) | dict(layers=1, hidden=4, updates=1, batch=2) | changes
    assert json.loads((tmp_path / "run/config.json").read_text()) == wanted


# ---------------------------------------------------------------------------------------------------------
# Where weights start. A generator that draws nothing writes down what it was asked for.

class Notes(np.random.Generator):
    """Every draw of a network in the order of its parameters; the arrays take no memory."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))
        self.drawn = []

    def uniform(self, low, high, shape):
        return self.noted("uniform", low, high, shape)

    def normal(self, mean, deviation, shape):
        return self.noted("normal", mean, deviation, shape)

    def noted(self, *asked):
        self.drawn.append(asked)
        return SimpleNamespace(astype=lambda dtype: np.broadcast_to(np.zeros((), dtype), asked[-1]))


def same(drawn, wanted):
    """To rounding, with shapes as they are."""
    assert len(drawn) == len(wanted)
    for place, ((kind, low, high, shape), (other, *limits, size)) in enumerate(zip(drawn, wanted)):
        assert (kind, shape) == (other, size) and [low, high] == pytest.approx(limits, rel=1e-12), place


def he(inputs, outputs, slope):
    s = (6 / ((1 + slope**2) * inputs)) ** 0.5
    return "uniform", -s, s, (outputs, inputs)


def gauss(inputs, outputs, gain=1.0):
    return "normal", 0, gain / inputs**0.5, (outputs, inputs)


def u(neurons, low, high):
    return "uniform", low, high, neurons


def starts(made, *arguments):
    notes = Notes()
    made(*arguments, notes)
    return notes.drawn


@pytest.mark.parametrize("task, model, given, wanted", [
    ("adding", "indrnn", {}, [("normal", 0, 0.01, (4, 2)), u(4, 0, 2**0.01), ("normal", 0, 0.01, (4, 4)), u(4, 0.5**0.01, 2**0.01),
                              gauss(4, 1)]),
    ("adding", "indrnn", dict(norm="after"), [gauss(2, 4), u(4, 0, 2**0.01), gauss(4, 4), u(4, 0.5**0.01, 2**0.01), gauss(4, 1)]),
    ("adding", "indrnn", dict(gamma=8.0, length=50), [("normal", 0, 0.01, (4, 2)), u(4, 0, 8**0.02), ("normal", 0, 0.01, (4, 4)),
                                                      u(4, 8**-0.02, 8**0.02), gauss(4, 1)]),
    ("adding", "irnn", {}, [("normal", 0, 0.01, (4, 2)), ("normal", 0, 0.01, (4, 4)), gauss(4, 1)]),
    ("adding", "rnn", {}, [gauss(2, 4), ("uniform", -0.5, 0.5, (4, 4)), gauss(4, 4), ("uniform", -0.5, 0.5, (4, 4)), gauss(4, 1)]),
    ("adding", "lstm", {}, [gauss(2, 16), ("uniform", -0.5, 0.5, (16, 4)), gauss(4, 16), ("uniform", -0.5, 0.5, (16, 4)), gauss(4, 1)]),
    ("digits", "indrnn", {}, [("normal", 0, 0.02, (4, 2)), u(4, 0, 2 ** (1 / 64)), ("normal", 0, 0.02, (4, 4)),
                              u(4, 2 ** (-1 / 64), 2 ** (1 / 64)), gauss(4, 3)]),
    ("digits", "residual", dict(layers=1), [gauss(2, 4), u(4, 0, 2 ** (1 / 64)), gauss(4, 4), u(4, 0, 2 ** (1 / 64)), gauss(4, 4),
                                            u(4, 2 ** (-1 / 64), 2 ** (1 / 64)), gauss(4, 3)]),
    ("smnist", "indrnn", {}, [he(2, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8), u(4, 5 ** (-1 / 784), 5 ** (1 / 784)),
                              gauss(4, 3, 2**0.5)]),
    ("pmnist", "residual", dict(layers=1), [he(2, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8),
                                            u(4, 5 ** (-1 / 784), 5 ** (1 / 784)), gauss(4, 3, 2**0.5)]),
    ("smnist", "irnn", dict(layers=1), [he(2, 4, 8), gauss(4, 3)]),
    ("smnist", "gru", dict(layers=1), [gauss(2, 12), ("uniform", -0.5, 0.5, (12, 4)), gauss(4, 3)]),
    ("digits", "dense", dict(layers=1, hidden=2), [*(draw for inputs, outputs in (
        (2, 12), (12, 8), (8, 2), (14, 7), (7, 8), (8, 2), (9, 4), (4, 8), (8, 2)) for draw in (
            gauss(inputs, outputs), u(outputs, 0, 2 ** (1 / 64)))), gauss(6, 3), u(3, 2 ** (-1 / 64), 2 ** (1 / 64)), gauss(3, 3)]),
    ("motion", "indrnn", {}, [gauss(2, 4), u(4, 0, 2**0.005), gauss(4, 4), u(4, 2**-0.005, 2**0.005), gauss(4, 3)]),
    ("own", "gru", dict(layers=1), [gauss(2, 12), ("uniform", -0.5, 0.5, (12, 4)), gauss(4, 3)]),
    ("chars", "indrnn", {}, [he(4, 4, 0), u(4, -0.5, 0.5)] * 2 + [("uniform", -0.05, 0.05, (9, 4))]),
    ("chars", "residual", dict(layers=1), [he(4, 4, 0), u(4, -0.5, 0.5), he(4, 4, 0), u(4, -0.5, 0.5), he(4, 4, 0), u(4, -0.5, 0.5),
                                           ("uniform", -0.05, 0.05, (9, 4))]),
    ("chars", "dense", dict(layers=1, hidden=1), [*(draw for inputs, outputs in (
        (8, 4), (4, 1), (9, 4), (4, 4), (4, 1), (5, 2), (2, 4), (4, 1), (3, 8)) for draw in (
            he(inputs, outputs, 0), u(outputs, -0.5, 0.5))), ("uniform", -0.05, 0.05, (9, 8))]),
    ("chars", "lstm", dict(layers=1), [gauss(4, 16), ("uniform", -0.5, 0.5, (16, 4)), ("uniform", -0.05, 0.05, (9, 4))]),
], ids=str)
def test_where_the_weights_of_a_task_start(task, model, given, wanted, tmp_path):
    made = task_of(task, tmp_path, model, **dict(hidden=4, layers=2) | ({"batch": 8} if task == "chars" else {}) | given)
    same(starts(made.network), wanted)


@pytest.mark.parametrize("model", ["indrnn", "residual", "dense"])
@pytest.mark.parametrize("task", ["digits", "chars"])
def test_every_unit_has_the_activation_that_is_asked_for(task, model, tmp_path):
    for activation in ("tanh", "identity", "relu"):
        made = task_of(task, tmp_path, model, hidden=4, layers=1, batch=8, **{"activation": activation} if activation != "relu" else {})
        found = [layer.activation for layer in units(made.network(np.random.default_rng(0)))]
        assert found == [activation] * {"indrnn": 1, "residual": 3, "dense": 10 if task == "digits" else 9}[model]


@pytest.mark.parametrize("model", ["indrnn", "residual", "dense"])
def test_texts_have_statistics_for_every_step_of_two_segments_and_the_rest(model, tmp_path):
    network = task_of("chars", tmp_path, model, length=7, hidden=4, layers=1, batch=8).network(np.random.default_rng(0))
    assert {len(norm.buffers["mean"]) for norm in norms(network)} == {15}


@pytest.mark.parametrize("post_activation, blocks", [(False, 1), (False, 3), (True, 1), (True, 3)])
def test_the_last_unit_of_a_residual_network_alone_starts_with_long_memory(post_activation, blocks):
    from minindrnn import ResidualIndRNN
    drawn = starts(lambda rng: ResidualIndRNN(2, 4, blocks, 3, rng, length=10, gamma=3.0, post_activation=post_activation))
    ranges = [(low, high) for kind, low, high, _ in drawn if kind == "uniform"]
    low, high = 3**-0.1, 3**0.1
    assert ranges == [pytest.approx((0, high))] * (2 * blocks) + [pytest.approx((low, high))]


# ---------------------------------------------------------------------------------------------------------
# The named networks: layer by layer (neurons, place of normalisation, rows of statistics, gain, dropout); 1 row is over
# time. BatchNorm and Dropout that stand alone have a place of their own.

def unit(neurons, order, p, rows=1, gain=1.0):
    return neurons, order, rows, gain, p


def stages(widths, k, bottleneck, dense, transition, last, **norm):
    """Dense blocks of 8, 6 and 4 layers, each followed by a transition to this width."""
    for width, count, p in zip(widths, (8, 6, 4), (transition, transition, last)):
        yield from [unit(4 * k, p=bottleneck, **norm), unit(k, p=dense, **norm)] * count
        yield unit(width, p=p, **norm)


AFTER, BEFORE = dict(order="after"), dict(order="before", rows=101)
EXTRA = ("norm", 600, 101, 1.0)                                     # the batch normalisation before a decoder


def dense(k, widths, first, **p):
    return [unit(6 * k, "after", first), *stages(widths, k, **p, **AFTER)]


WORDS = [*stages((1324, 1430, 600), 256, 0.1, 0.5, 0.4, 0.0, **BEFORE, gain=0.1), EXTRA]
NETWORKS = {
    "mnist-plain-6": [unit(128, "after", 0.1)] * 6,
    "mnist-plain-12": [unit(128, "after", 0.1)] * 12,
    "mnist-res": [unit(128, "after", 0.1)] * 11,
    "mnist-dense": dense(16, (112, 104, 84), first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1),
    "ntu-plain-6": [unit(512, "after", 0.25)] * 6,
    "ntu-plain-4": [unit(512, "after", 0.25)] * 4,
    "ntu-res": [unit(512, "after", 0.5)] * 11,
    "ntu-dense": dense(48, (336, 312, 252), first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3),
    "ntu-dense-aug": dense(48, (336, 312, 252), first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3),
    "ptb-char-plain-6": [unit(2000, p=0.25, **BEFORE)] * 6,
    "ptb-char-res-11": [unit(2000, p=0.3, **BEFORE)] * 11,
    "ptb-char-res-21": [unit(2000, p=0.3, **BEFORE)] * 21,
    "ptb-word-plain-6": [("dropout", 0.65), *[unit(2000, p=0.45, **BEFORE)] * 6, unit(600, p=0.0, **BEFORE), EXTRA,
                         ("dropout", 0.65)],
    "ptb-word-res": [("dropout", 0.65), *[unit(2000, p=0.45, **BEFORE)] * 10, unit(2000, p=0.5, **BEFORE), unit(600, p=0.0, **BEFORE),
                     EXTRA, ("dropout", 0.65)],
    "ptb-word-dense": [("dropout", 0.65), *WORDS, ("dropout", 0.65)],
    "ptb-char-dense": [("dropout", 0.0), *WORDS, ("dropout", 0.2)]}

# The largest |u|; where W, all u but the last and the last u start; the width of E and its dropout.
MNIST = 5 ** (1 / 784), ("he", 8), (0, 5 ** (1 / 784)), (5 ** (-1 / 784), 5 ** (1 / 784))
NTU = 5 ** (1 / 20), ("he", 8), (0, 5 ** (1 / 20)), (5 ** (-1 / 20), 5 ** (1 / 20))
STARTS = ({name: MNIST for name in NETWORKS if name.startswith("mnist")} | {name: NTU for name in NETWORKS if name.startswith("ntu")}
          | {name: (1.0, ("he", 2), (0, 1.0), (0, 1.0)) for name in NETWORKS if name.startswith("ptb-char")}
          | {name: (0.99, ("he", 0 if "dense" in name else 8), (0, 0.99), (0, 0.99)) for name in NETWORKS
             if name.startswith("ptb-word") or name == "ptb-char-dense"})
WORDS_OF_600 = (10_000, 600), 0.2
EMBEDDINGS = {"ptb-word-plain-6": WORDS_OF_600, "ptb-word-res": WORDS_OF_600, "ptb-word-dense": WORDS_OF_600,
              "ptb-char-dense": ((50, 600), 0.0)}
READOUTS = {"mnist-plain-6": (10, 128), "mnist-plain-12": (10, 128), "mnist-res": (10, 128), "mnist-dense": (10, 84),
            "ntu-plain-6": (60, 512), "ntu-plain-4": (60, 512), "ntu-res": (60, 512), "ntu-dense": (60, 252), "ntu-dense-aug": (60, 504)}


def places(layer):
    """What normalises or drops out, from the input to the output."""
    if isinstance(layer, IndRNN):
        layer = layer.unit
    if isinstance(layer, Unit):
        gain, = set(layer["gamma"].tolist())
        yield layer["u"].size, layer.order, len(layer.buffers["mean"]), pytest.approx(gain), layer.dropout
    elif isinstance(layer, BatchNorm):
        gain, = set(layer["gamma"].tolist())
        yield "norm", layer["gamma"].size, len(layer.buffers["mean"]), gain
    elif isinstance(layer, Dropout):
        yield "dropout", layer.p
    elif isinstance(layer, LanguageModel):
        yield from places(layer.body)
    else:
        for inner in getattr(layer, "layers", None) or filter(None, [getattr(layer, "layer", None)]):
            yield from places(inner)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_named_networks_place_by_place(name):
    network = build(name)
    found = list(places(network))
    assert len(found) == len(NETWORKS[name])
    for number, (got, wanted) in enumerate(zip(found, NETWORKS[name])):
        assert got == wanted, number
    per_step = {inner.per_step for inner in norms(network)}
    assert per_step == {name.startswith("ptb")}
    if name in EMBEDDINGS:
        assert (network.embedding["E"].shape, network.embedding.p) == EMBEDDINGS[name]


def units(layer):
    return within(layer, Unit)


def norms(layer):
    return within(layer, BatchNorm)


def within(layer, kind):
    """Every layer of a kind in a network."""
    if isinstance(layer, kind):
        yield layer
    for inner in [getattr(layer, name, None) for name in ("unit", "norm", "body", "layer")] + list(getattr(layer, "layers", [])):
        if inner is not None:
            yield from within(inner, kind)


@pytest.mark.parametrize("name", NETWORKS)
def test_where_the_weights_of_the_named_networks_start(name):
    notes = Notes()
    network = build(name, notes)
    bound, (_, slope), inner, last = STARTS[name]
    assert network.bound == pytest.approx(bound, rel=1e-12)
    drawn = notes.drawn
    if name in EMBEDDINGS:
        embedding = next(asked for asked in drawn if asked[-1] == EMBEDDINGS[name][0])
        assert embedding[:3] == ("uniform", -0.01, 0.01)
        drawn = [asked for asked in drawn if asked is not embedding]
    elif name.startswith("ptb"):
        *drawn, one, two = drawn
        same([one, two], [("uniform", -0.04, 0.04, (50, 2000))] * 2)
    else:
        *drawn, readout = drawn
        outputs, inputs = READOUTS[name]
        same([readout], [gauss(inputs, outputs, 2**0.5)])
    us = [asked for asked in drawn if isinstance(asked[-1], int)]
    same(us, [u(asked[-1], *(last if asked is us[-1] else inner)) for asked in us])
    matrices = [asked for asked in drawn if not isinstance(asked[-1], int)]
    same(matrices, [he(*reversed(asked[-1]), slope) for asked in matrices])
    assert len(us) == sum(len(place) == 5 for place in NETWORKS[name]) and len(matrices) >= len(us)
