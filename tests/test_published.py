"""What is published, in tables typed by hand: the settings of every task and model. The papers' named networks are in
networks/test_papers.py. Sources: arXiv 1803.04831, section 5; arXiv 1910.06251, section 5; the authors' code and logs.

Nothing here is read from the package but what is compared. Whoever changes a setting changes it here too, on purpose.
"""
from dataclasses import asdict

import numpy as np
import pytest
from reference import gauss, he, same, starts, u, within

from minindrnn import BatchNorm, Unit
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

# What belongs to a run: updates from one evaluation to the next, largest |u| of the plain network, steps, kind of
# schedule.
SEEN = {"T": 9, "M": 2, "K": 3, "mean": [0.0] * 2, "deviation": [1.0] * 2}
RUNS = {"adding": (100, 2 ** (1 / 100), None, "staircase"), "digits": (150, 2 ** (1 / 64), 64, "cosine"),
        "digits-rows": (100, 2 ** (1 / 8), 8, "cosine"), "smnist": (1700, 5 ** (1 / 784), 784, "plateau"),
        "pmnist": (1700, 5 ** (1 / 784), 784, "plateau"), "fashion": (1700, 5 ** (1 / 784), 784, "plateau"),
        "motion": (50, 2 ** (1 / 200), 200, "cosine"), "own": (50, 2 ** (1 / 9), 9, "cosine"),
        "chars": (133, 0.99, None, "cosine")}


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
    for task in TASKS:
        assert task in SETTINGS and task in RUNS, f"tests/test_published.py: expected {task} in SETTINGS and in RUNS"
    assert set(SETTINGS) == set(RUNS) == set(TASKS)
    assert all(len(models) == 7 for _, models in SETTINGS.values())


@pytest.mark.parametrize("task", SETTINGS)
def test_settings(task):
    common, models = SETTINGS[task]
    for model, own in models.items():
        assert asdict(settings(task, model)) == ALL | common | own | dict(task=task, model=model), model
    assert settings(task) == settings(task, "residual" if task == "digits" else "indrnn")


def test_irnn_learns_to_add_more_slowly_from_500_steps_on():
    assert [settings("adding", "irnn", T).rate for T in (499, 500, 5000)] == [2e-4, 1e-5, 1e-5]
    assert [settings("adding", "indrnn", T).rate for T in (500, 5000)] == [2e-4] * 2


def test_what_is_given_comes_before_what_is_usual():
    given = dict(layers=3, hidden=7, updates=11, batch=5, rate=0.5, seed=9, gamma=3.0, penalty=0.1, norm="before",
                 dropout=0.3, decay=0.01, plateau=4, fold=2, data="here", activation="tanh")
    found = asdict(settings("motion", "residual", 60, **given))
    assert found == given | dict(task="motion", model="residual", length=60)
    assert settings("motion", rate=None, length=0) == settings("motion", length=0) != settings("motion")


def wave(rate, steps):
    """Up over the first tenth, down along half a cosine: {step: rate}."""
    tenth = steps // 10
    return {0: rate / tenth, tenth - 1: rate, tenth: rate, tenth + (steps - tenth) // 2: rate / 2, steps: 0.0,
            tenth + (steps - tenth) // 4: rate * (1 + 0.5**0.5) / 2}


GIVEN = dict(hidden=4, layers=2, seed=5, decay=0.01, penalty=0.25)
every_task = pytest.mark.parametrize("task", RUNS)


def a_run(task, folder):
    return task_of(task, folder, **GIVEN | ({"batch": 8} if task == "chars" else {})).run(folder / "run")


@every_task
def test_how_long_a_run_is_and_how_often_it_is_evaluated(task, tmp_path):
    common, models = SETTINGS[task]
    run = a_run(task, tmp_path)
    assert (run.every, run.updates) == (RUNS[task][0], (common | models["indrnn"])["updates"])


@every_task
def test_the_bound_of_a_run(task, tmp_path):
    run = a_run(task, tmp_path)
    assert run.network.bound == pytest.approx(RUNS[task][1], rel=1e-12)
    assert run.options == {"bound": run.network.bound, "penalty": 0.25}


@every_task
def test_a_run_learns_by_the_papers_adam(task, tmp_path):
    adam = a_run(task, tmp_path).optimiser
    assert (adam.beta1, adam.beta2, adam.epsilon, adam.decay) == (0.9, 0.999, 1e-8, 0.01)


@every_task
def test_the_noise_of_a_run_is_that_of_its_seed_and_update(task, tmp_path):
    assert a_run(task, tmp_path).noise(7).random() == np.random.default_rng([5, 3, 7]).random()


@every_task
def test_the_schedule_of_a_run(task, tmp_path):
    common, models = SETTINGS[task]
    own, schedule, kind = common | models["indrnn"], a_run(task, tmp_path).schedule, RUNS[task][3]
    rate, steps = own["rate"], own["updates"]
    if kind == "plateau":
        assert isinstance(schedule, Plateau) and float(schedule.rate) == rate
        assert (schedule.patience, schedule.factor, schedule.smallest) == (100, 0.1, 1e-6)
        assert (schedule.metric, schedule.sign) == ("validation_accuracy", 1)
        return
    stairs = {0: rate, 20_099: rate, 20_100: rate / 10, 40_200: rate / 100}
    for step, value in (wave(rate, steps) if kind == "cosine" else stairs).items():
        assert schedule(step) == pytest.approx(value, rel=2e-3, abs=1e-12), step


@every_task
def test_what_a_run_knows_itself_by(task, tmp_path):
    run = a_run(task, tmp_path)
    given = GIVEN | ({"batch": 8, "data": str(tmp_path / "text.txt")} if task == "chars" else {})
    config = asdict(settings(task, "indrnn", **given))
    if task == "adding":
        config.pop("updates")                                           # which may go on to any number
    assert run.config == config
    assert bool(run.seen) == (task != "adding")


@pytest.mark.parametrize("task, metric, sign, factor", [("digits", "validation_accuracy", 1, 0.1),
                                                       ("chars", "validation_bits", -1, 0.2)])
def test_a_plateau_that_is_asked_for(task, metric, sign, factor, tmp_path):
    schedule = task_of(task, tmp_path, plateau=7, hidden=4, layers=1, batch=4).run(tmp_path / "run").schedule
    assert isinstance(schedule, Plateau) and (schedule.patience, schedule.metric, schedule.sign) == (7, metric, sign)
    assert (float(schedule.rate), schedule.factor, schedule.smallest) == (settings(task).rate, factor, 1e-6)


# ---------------------------------------------------------------------------------------------------------
# Where weights start


@pytest.mark.parametrize("task, model, given, wanted", [
    ("adding", "indrnn", {},
     [("normal", 0, 0.01, (4, 2)), u(4, 0, 2**0.01), ("normal", 0, 0.01, (4, 4)), u(4, 0.5**0.01, 2**0.01),
      gauss(4, 1)]),
    ("adding", "indrnn", dict(norm="after"),
     [gauss(2, 4), u(4, 0, 2**0.01), gauss(4, 4), u(4, 0.5**0.01, 2**0.01), gauss(4, 1)]),
    ("adding", "indrnn", dict(gamma=8.0, length=50),
     [("normal", 0, 0.01, (4, 2)), u(4, 0, 8**0.02), ("normal", 0, 0.01, (4, 4)),
      u(4, 8**-0.02, 8**0.02), gauss(4, 1)]),
    ("adding", "irnn", {}, [("normal", 0, 0.01, (4, 2)), ("normal", 0, 0.01, (4, 4)), gauss(4, 1)]),
    ("adding", "rnn", {}, [gauss(2, 4), ("uniform", -0.5, 0.5, (4, 4)), gauss(4, 4), ("uniform", -0.5, 0.5, (4, 4)),
                           gauss(4, 1)]),
    ("adding", "lstm", {},
     [gauss(2, 16), ("uniform", -0.5, 0.5, (16, 4)), gauss(4, 16), ("uniform", -0.5, 0.5, (16, 4)), gauss(4, 1)]),
    ("digits", "indrnn", {}, [("normal", 0, 0.02, (4, 2)), u(4, 0, 2 ** (1 / 64)), ("normal", 0, 0.02, (4, 4)),
                              u(4, 2 ** (-1 / 64), 2 ** (1 / 64)), gauss(4, 3)]),
    ("digits", "residual", dict(layers=1),
     [gauss(2, 4), u(4, 0, 2 ** (1 / 64)), gauss(4, 4), u(4, 0, 2 ** (1 / 64)), gauss(4, 4),
      u(4, 2 ** (-1 / 64), 2 ** (1 / 64)), gauss(4, 3)]),
    ("smnist", "indrnn", {}, [he(2, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8), u(4, 5 ** (-1 / 784), 5 ** (1 / 784)),
                              gauss(4, 3, 2**0.5)]),
    ("pmnist", "residual", dict(layers=1),
     [he(2, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8), u(4, 0, 5 ** (1 / 784)), he(4, 4, 8),
      u(4, 5 ** (-1 / 784), 5 ** (1 / 784)), gauss(4, 3, 2**0.5)]),
    ("smnist", "irnn", dict(layers=1), [he(2, 4, 8), gauss(4, 3)]),
    ("smnist", "gru", dict(layers=1), [gauss(2, 12), ("uniform", -0.5, 0.5, (12, 4)), gauss(4, 3)]),
    ("digits", "dense", dict(layers=1, hidden=2), [*(draw for inputs, outputs in (
        (2, 12), (12, 8), (8, 2), (14, 7), (7, 8), (8, 2), (9, 4), (4, 8), (8, 2)) for draw in (
            gauss(inputs, outputs), u(outputs, 0, 2 ** (1 / 64)))), gauss(6, 3), u(3, 2 ** (-1 / 64), 2 ** (1 / 64)),
            gauss(3, 3)]),
    ("motion", "indrnn", {}, [gauss(2, 4), u(4, 0, 2**0.005), gauss(4, 4), u(4, 2**-0.005, 2**0.005), gauss(4, 3)]),
    ("own", "gru", dict(layers=1), [gauss(2, 12), ("uniform", -0.5, 0.5, (12, 4)), gauss(4, 3)]),
    ("chars", "indrnn", {}, [he(4, 4, 0), u(4, -0.5, 0.5)] * 2 + [("uniform", -0.05, 0.05, (9, 4))]),
    ("chars", "residual", dict(layers=1),
     [he(4, 4, 0), u(4, -0.5, 0.5), he(4, 4, 0), u(4, -0.5, 0.5), he(4, 4, 0), u(4, -0.5, 0.5),
      ("uniform", -0.05, 0.05, (9, 4))]),
    ("chars", "dense", dict(layers=1, hidden=1), [*(draw for inputs, outputs in (
        (8, 4), (4, 1), (9, 4), (4, 4), (4, 1), (5, 2), (2, 4), (4, 1), (3, 8)) for draw in (
            he(inputs, outputs, 0), u(outputs, -0.5, 0.5))), ("uniform", -0.05, 0.05, (9, 8))]),
    ("chars", "lstm", dict(layers=1),
     [gauss(4, 16), ("uniform", -0.5, 0.5, (16, 4)), ("uniform", -0.05, 0.05, (9, 4))]),
], ids=str)
def test_where_the_weights_of_a_task_start(task, model, given, wanted, tmp_path):
    made = task_of(task, tmp_path, model,
                   **dict(hidden=4, layers=2) | ({"batch": 8} if task == "chars" else {}) | given)
    same(starts(made.network), wanted)


@pytest.mark.parametrize("model", ["indrnn", "residual", "dense"])
@pytest.mark.parametrize("task", ["digits", "chars"])
def test_every_unit_has_the_activation_that_is_asked_for(task, model, tmp_path):
    for activation in ("tanh", "identity", "relu"):
        made = task_of(task, tmp_path, model, hidden=4, layers=1, batch=8, **{"activation": activation}
                       if activation != "relu" else {})
        found = [layer.activation for layer in within(made.network(np.random.default_rng(0)), Unit)]
        assert found == [activation] * {"indrnn": 1, "residual": 3, "dense": 10 if task == "digits" else 9}[model]


@pytest.mark.parametrize("model", ["indrnn", "residual", "dense"])
def test_texts_have_statistics_for_every_step_of_two_segments_and_the_rest(model, tmp_path):
    network = task_of("chars", tmp_path, model, length=7, hidden=4, layers=1, batch=8).network(np.random.default_rng(0))
    assert {len(norm.buffers["mean"]) for norm in within(network, BatchNorm)} == {15}

