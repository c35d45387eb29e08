"""A run of many updates, with a folder: it can be stopped and resumed with exactly the same results.

All randomness of update k, its data included, comes from a generator seeded with (seed, k). A run resumed at update k
therefore computes the same as an uninterrupted one.
"""
import json
import math
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..core.interrupt import Interruption
from ..core.layer import leaves
from ..core.ranks import ALONE, Ranks
from ..core.terminal import Tolerant, say_if_slow
from ..core.threads import Watch
from . import checkpoint
from .schedules import Plateau
from .step import train_step

FILES = "checkpoint.npz", "config.json", "metrics.jsonl", "result.json"
FACTS = "update", "config", "seen"               # what a checkpoint tells beside its arrays
EARLIER = {"step": "update", "steps": "updates"}           # words in the files of earlier versions: those of today
ARRAYS = "parameter.", "buffer.", "optimiser.", "schedule.", "state.", "losses"    # how their names begin


class TrainingError(RuntimeError):
    """A run cannot start or go on; the message says why and what is kept."""


@dataclass
class Run:
    """A training run with a folder: config.json, metrics.jsonl, checkpoint.npz.

    The seconds of an evaluation are those of all training up to it; where a run was stopped and goes on, those between
    the last evaluation and the stop are not counted.

    config      what defines the run, as a JSON-able dict; a run only continues with an equal one
    batch       update -> x, target, lengths or None; of each rank its part
    evaluate    network or its twin -> {name: number}, every sample counted once
    schedule    update -> rate; a `Plateau` also sees every evaluation, and may end the run before its last update
    noise       update -> a `numpy.random.Generator` for dropout
    updates     number of updates
    every       updates from one evaluation to the next
    options     keyword arguments of `train_step`
    starts      update -> how many steps before this batch its states have seen, where they go on from batch to batch;
                0 to start from nothing. None where every batch stands for itself
    twin        a `minindrnn.gpu.twin.Twin` of network, loss and optimiser, which then learns and is evaluated in
                their place
    assumed     settings that the config of an earlier version lacks, with the values that they had then
    seen        what the run knows of its data, a JSON-able dict: kept in the checkpoint, to use what was learned
                without the data
    ranks       that train together; the first one alone writes into the folder, which knows nothing of ranks
    sequences   update -> how many sequences its batch has, on all ranks together; not asked for where there is one
    """
    folder: Path
    config: dict
    network: object
    loss: object
    optimiser: object
    schedule: object
    batch: object
    evaluate: object
    noise: object
    updates: int
    every: int
    options: dict = field(default_factory=dict)
    starts: object = None
    twin: object = None
    seen: dict = field(default_factory=dict)
    assumed: dict = field(default_factory=dict)
    ranks: Ranks = ALONE
    sequences: object = None
    update: int = 0              # how many are done
    saved: int = 0               # and at the last checkpoint

    def __post_init__(self):
        self.folder = Path(self.folder)
        self.losses = np.zeros(self.every)           # since the last evaluation
        self.state = self._last_state(self.batch(0)[0][:1]) if self.starts else None     # only its shapes matter yet
        self.plateau = self.schedule if isinstance(self.schedule, Plateau) else None
        if self.plateau:
            self.plateau.watch(self.learned())

    def learned(self):
        """The arrays of network and optimiser."""
        return (arrays_of(self.network)
                | {f"optimiser.{name}": array for name, array in self.optimiser.state().items()})

    def arrays(self):
        """Every array that training changes, of all ranks together."""
        plateau = self.plateau.state() if self.plateau else {}
        states = {f"state.{path}": self._ranks().whole(h, -2) for path, h in leaves(self.state) if h is not None}
        return (self.learned() | {f"schedule.{name}": array for name, array in plateau.items()} | states
                | {"losses": self.losses})

    @property
    def over(self):
        return self.update >= self.updates or bool(self.plateau and self.plateau.over)

    @contextmanager
    def opened(self, *, resume=False):
        """Start the run, or resume it, while no other process may write into its folder. If it is started and fails
        before anything was learned and saved, its files go: the next try finds the folder free."""
        with ExitStack() as held:
            with self.writing() as first:
                if first and resume and not (self.folder / "checkpoint.npz").exists():
                    raise checkpoint.CheckpointError(f"{self.folder / 'checkpoint.npz'}: no such checkpoint")
                if first and not resume:
                    self.folder.mkdir(parents=True, exist_ok=True)
                if first:
                    held.enter_context(checkpoint.alone(self.folder))
            self.resume() if resume else self.start()
            try:
                yield
            except BaseException:
                if self.ranks.rank == 0 and not resume and not self.saved:
                    self._remove()
                raise

    @contextmanager
    def writing(self):
        """For what the first rank alone does with the folder: whether this is the first one. An error of it is that of
        all ranks."""
        with self.ranks.together():
            yield self.ranks.rank == 0

    def start(self):
        """Make the folder and its first checkpoint. Raises TrainingError if it already holds a run."""
        with self.writing() as first:
            if first and any((self.folder / name).exists() for name in FILES):
                raise TrainingError(f"{self.folder}: holds a run already; continue it with --resume, "
                                    "or choose another --out")
            if first:
                self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.save()                               # first: without it nothing can go on
            with self.writing() as first:
                if first:
                    with checkpoint.replacing(self.folder / "config.json", "w") as file:
                        file.write(json.dumps(self.config, indent=2) + "\n")
                    with checkpoint.replacing(self.folder / "metrics.jsonl", "w"):
                        pass
        except BaseException:
            if self.ranks.rank == 0:
                self._remove()
            raise

    def _remove(self):
        for name in FILES:
            with suppress(OSError):
                (self.folder / name).unlink()

    def resume(self):
        """Take up the run in the folder. Raises TrainingError or CheckpointError if it is not this one, whole."""
        targets, update = self.arrays(), np.zeros((), np.int64)
        with self.writing() as first:
            if first:
                update[...] = self._restore(targets)
        for array in (*targets.values(), update):
            self.ranks.broadcast(array)
        self.update = self.saved = int(update)
        for path, h in leaves(self.state):
            if h is not None:
                h[...] = targets[f"state.{path}"][..., self._ranks().part, :]

    def _restore(self, targets):
        """Fill the targets from the checkpoint, and take the rows of later updates out of the metrics. Returns the
        update."""
        arrays, update, config, seen = checkpoint_of(self.folder)
        config = self.assumed | config
        for name in sorted(config.keys() | self.config.keys(), key=lambda name: (name != "task", name)):
            if config.get(name) != self.config.get(name):
                raise TrainingError(f"{self.folder}: was started with {name} = {config.get(name)!r}, "
                                    f"not {self.config.get(name)!r}")
        if seen not in (None, self.seen):
            raise TrainingError(f"{self.folder}: the data is not that which the run was started with")
        rows = [row for row in history(self.folder) if row["update"] <= update]
        checkpoint.restore(self.folder / "checkpoint.npz", arrays, targets)
        with checkpoint.replacing(self.folder / "metrics.jsonl", "w") as file:
            file.writelines(strict_json(row) + "\n" for row in rows)
        return update

    def save(self):
        """Write the checkpoint: parameters, optimiser, update; equal runs write equal bytes."""
        arrays = self.arrays()
        with self.writing() as first:
            if first:
                checkpoint.save(self.folder / "checkpoint.npz", arrays,
                                {"update": self.update, "config": self.config, "seen": self.seen})
        self.saved = self.update

    def train(self):
        """Do the updates that remain, and save. Returns True when all are done, False when Ctrl-C asked to stop."""
        with self.writing() as first:
            rows = history(self.folder) if first else []
        before = rows[-1]["seconds"] if rows else 0.0
        began, unread = time.perf_counter(), []
        learn = self.twin.train_step if self.twin else partial(train_step, self.network, self.loss, self.optimiser)
        if self.twin:
            self.twin.send()
        stderr, watch = Tolerant(sys.stderr), Watch(self.ranks.size == 1 and not self.twin)
        with Interruption() as interrupted, tqdm(total=self.updates, initial=self.update, unit="update",
                                                 dynamic_ncols=True, smoothing=0.1, file=stderr) as bar:
            say_if_slow(f"compiling the kernels{'' if self.twin else ', once on this machine'} ...",
                        partial(bar.write, file=stderr), lambda: self.ranks.in_turn(self._compile))
            while not self.over and not self.ranks.any(interrupted()):
                with watch.update():
                    x, target, lengths = self.batch(self.update)
                    value, state = learn(x, target, self.schedule(self.update), lengths=lengths,
                                         rng=self.noise(self.update), **self._shared(),
                                         **self._before(), **self.options)
                self.state = state if self.starts else None
                unread.append(value)
                self.update += 1
                evaluating = self.update % self.every == 0 or self.update == self.updates
                if bar.update() or evaluating or not self.twin:      # reading a loss makes a GPU finish all its work
                    self._read(unread)
                    bar.set_postfix(loss=f"{self.losses[(self.update - 1) % self.every]:.4g}", refresh=False)
                if evaluating:
                    if advice := watch.advice(partial(self._pass, x, lengths)):
                        bar.write(advice, file=stderr)
                    self._fetch()
                    n = (self.update - 1) % self.every + 1
                    row = {"update": self.update, "loss": float(self.losses[:n].mean())}
                    row |= self.evaluate(self.twin or self.network)
                    row |= {"seconds": round(before + time.perf_counter() - began, 1)}
                    with self.writing() as first:
                        if first:
                            with open(self.folder / "metrics.jsonl", "a") as file:
                                file.write(strict_json(row) + "\n")
                    if self.plateau:
                        self.plateau.observe(row)
                        if self.twin:
                            self.twin.send()
                    self.save()
        self._read(unread)
        self._fetch()
        if self.plateau and self.over:
            self.plateau.back_to_the_best()
        self.save()
        return self.over and not self.ranks.any(interrupted())

    def _last_state(self, x):
        return self.network.last_state(self.network.forward(x, statistics="batch")[1])

    def _ranks(self):
        """The ranks, with the batch of this update."""
        return self.ranks.of(self.sequences(self.update)) if self.ranks.size > 1 else ALONE

    def _shared(self):
        """Who shares the batch, if anyone does."""
        return {"ranks": self._ranks()} if self.ranks.size > 1 else {}

    def _before(self):
        """What went before the batch, if anything can."""
        start = self.starts(self.update) if self.starts else 0
        return {"state": self.state, "start": start} if start else {}

    def _read(self, losses):
        """Keep the losses of the last updates. Raises TrainingError for one that is not finite."""
        for update, value in enumerate(map(float, losses), self.update - len(losses)):
            if not np.isfinite(value):
                raise TrainingError(f"the loss is {value} at update {update}{self._kept()}; try a smaller --rate")
            self.losses[update % self.every] = value
        losses.clear()

    def _fetch(self):
        """What was learned, from the twin if there is one. Raises TrainingError if some of it is not finite."""
        if self.twin:
            self.twin.fetch()
        if not all(np.isfinite(array).all() for array in self.learned().values()):
            raise TrainingError(f"the parameters are not finite at update {self.update}{self._kept()}; "
                                "try a smaller --rate")

    def _kept(self):
        if self.saved:
            return f"; the checkpoint in {self.folder} is the last good one, of update {self.saved}"
        return ", before the first evaluation"

    def _compile(self):
        x, _, _ = self.batch(self.update)
        x = np.ascontiguousarray(x[:2, :1])
        if self.twin:
            self.twin.compile(x, self.noise(self.update))
        else:
            self._pass(x, None)

    def _pass(self, x, lengths):
        y, cache = self.network.forward(x, lengths=lengths, statistics="batch", rng=self.noise(self.update))
        self.network.backward(y, cache)


def arrays_of(network):
    """{name: array} of what a network has learned, parameters and buffers, as they are called in a checkpoint."""
    return ({f"parameter.{path}": parameter.value for path, parameter in leaves(network.parameters)}
            | {f"buffer.{path}": buffer for path, buffer in leaves(network.buffers)})


def checkpoint_of(folder):
    """{name: array}, update, config and seen (None in a run of an earlier version) of the checkpoint in a run folder.
    Raises CheckpointError if it is no run's, or holds what nobody reads."""
    path = Path(folder) / "checkpoint.npz"
    arrays, facts = checkpoint.load(path)
    facts = in_words_of_today(facts)
    checkpoint.expect_known(path, facts, FACTS)
    unknown = [name for name in arrays if not name.startswith(ARRAYS)]
    checkpoint.expect_known(path, unknown, [f"{beginning}*" for beginning in ARRAYS])
    update, config, seen = map(facts.get, FACTS)
    if (type(update) is not int or update < 0 or not isinstance(config, dict)
            or not isinstance(seen, (dict, type(None)))):
        raise checkpoint.CheckpointError(f"{path}: expected the checkpoint of a run, with its update, config and seen")
    return arrays, update, in_words_of_today(config), seen


def in_words_of_today(facts):
    """{name: value} of a file of any version, in the same order."""
    return {EARLIER.get(name, name): value for name, value in facts.items()}


def strict_json(numbers, **how):
    """{name: number or text} as JSON, which has no word for NaN and infinity: null stands for what is not finite."""
    return json.dumps({name: None if isinstance(value, float) and not math.isfinite(value) else value
                       for name, value in numbers.items()}, allow_nan=False, **how)


def history(folder):
    """The rows of the folder's metrics.jsonl, {name: number}, one per evaluation; NaN for what was not finite, null in
    the file, or is not in that row. A last line cut short by a crash is passed over. Raises CheckpointError if it holds
    anything else."""
    path = Path(folder) / "metrics.jsonl"
    try:
        lines = path.read_text().splitlines(keepends=True)
        rows = [_row(line) for line in (lines if "".join(lines[-1:]).endswith("}\n") else lines[:-1])]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise checkpoint.CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, AttributeError, OverflowError):
        raise checkpoint.CheckpointError(f"{path}: expected an evaluation on each line, with update, loss and "
                                         "seconds") from None
    blank = {name: math.nan for row in rows for name in row}
    return [blank | row for row in rows]


def _row(line):
    row = in_words_of_today(json.loads(line))
    if not (row.keys() >= {"update", "loss", "seconds"} and type(row["update"]) is int
            and all(type(number) in (int, float, type(None)) for number in row.values())):
        raise ValueError
    for number in row.values():
        float(number or 0)                   # OverflowError for a whole number that no float holds
    return {name: math.nan if number is None else number for name, number in row.items()}
