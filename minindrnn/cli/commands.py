"""The command line: python -m minindrnn COMMAND; for its words see `parser`."""
import argparse
import json
import shlex
import sys
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import numpy as np

from ..bench.ranks import ranks
from ..bench.sections import SECTIONS
from ..bench.sections import bench as measure
from ..bench.timing import line
from ..checks.cases import PROBLEMS
from ..checks.gradcheck import TOLERANCE, GradientError, check
from ..checks.gradient_flow import deep_networks, gradient_norms
from ..core.atomic_file import replacing
from ..core.interrupt import interruptible
from ..core.mpi import NoMPI, on_all, started, world
from ..core.terminal import Tolerant, printable, say_if_slow, silence, tell
from ..data.adding import adding_problem
from ..data.download import DataError
from ..exercises.checker import ExerciseError, check_file, starter
from ..exercises.expected import EXERCISES
from ..networks.papers import build
from ..networks.papers import describe as describe_network
from ..tasks.registry import TASKS, settings
from ..training.checkpoint import CheckpointError
from ..training.run import TrainingError, history, in_words_of_today, strict_json
from .finished_run import load_run, pictures, summary, with_data
from .parser import PROGRAM, UsageError, asked, expect_for, leave, parser
from .plots import describe_memory, draw, draw_adding, draw_curve, draw_gradients


def train(arguments):
    chosen, here = asked(arguments), arguments.ranks
    if chosen.batch < here.size:
        raise UsageError(f"--batch: expected at least {here.size} sequences, one for each rank, got {chosen.batch}")
    if here.size > 1 and arguments.device == "cuda":
        raise UsageError("--device cuda: expected one process, got several ranks, which train on CPUs only")
    task = here.in_turn(partial(TASKS[chosen.task], chosen))         # the first may have to fetch the data
    task.ranks = here
    folder = arguments.out or Path("runs") / task.label
    run = task.run(folder)
    if arguments.device == "cuda":
        run.twin = twin(run)
    words = [word for word in arguments.words if word != "--resume"]
    with run.opened(resume=arguments.resume):
        result = finished(task, run, words)
        if result is None:
            print(f"stopped after update {run.update} of {run.updates}, all saved; to go on: "
                  f"{PROGRAM} {shlex.join([*words, '--resume'])}")
            return 130
        with run.writing() as first:
            if first and (rows := history(folder)):
                draw(draw_curve, rows, folder / "curve.png")   # before anything is said, which may fail
    for said in (*task.report(run.network, result), *describe_memory(run.network, run.network.bound)):
        print(said)
    if here.rank == 0:
        names = ", ".join(sorted(path.name for path in folder.iterdir()))
        print(printable(f"run folder: {folder.resolve()} ({names})"))
    return 0


def predict(arguments):
    task, network, _ = load_run(arguments.run)
    expect_for(task, task.name, "predict", arguments)
    options = ("sample", "temperature", "seed")
    given = {name: value for name in options if (value := getattr(arguments, name)) is not None}
    for said in task.predict(network, arguments.input, **given):
        print(said)
    return 0


def report(arguments):
    task, network, updates = load_run(arguments.run)
    expect_for(task, task.name, "report", arguments)
    found = with_data(task).evaluate_dynamically(network) if arguments.dynamic else None
    for said in (*summary(arguments.run, task, updates), *describe_memory(network, network.bound),
                 *task.samples(network)):
        print(said)
    out = arguments.out or arguments.run
    out.mkdir(parents=True, exist_ok=True)
    if found:
        with replacing(out / "dynamic.json", "w") as file:
            file.write(strict_json(found) + "\n")
        print(f"test {found['test_bits']:.3f} bits a character by dynamic evaluation, at a rate of {found['rate']:g}")
    for name, picture, *what in pictures(arguments.run, task, network):
        draw(picture, *what, out / name) if picture else print(printable(f"no {name}: {what[0]}"))
    return 0


def twin(run):
    from ..gpu.device import NoGPU  # only on request: importing CUDA is slow
    from ..gpu.twin import NoTwin, Twin
    try:
        return Twin(run.network, run.loss, run.optimiser)
    except (NoGPU, NoTwin) as error:
        raise UsageError(f"--device cuda: {error}") from None


def finished(task, run, words):
    """Train; write what came out, and the words of the command, to result.json and return it; None after Ctrl-C."""
    if not run.train():
        return None
    with run.writing() as first:
        rows = history(run.folder) if first else []
    try:
        found = say_if_slow("counting over the whole test ...", tell, partial(task.result, run.network))
    except KeyboardInterrupt:
        return None
    result = found | {"updates": run.update, "seconds": rows[-1]["seconds"] if rows else 0.0,
                      "command": shlex.join(["python", "-m", "minindrnn", *words])}
    with run.writing() as first:
        if first:
            with replacing(run.folder / "result.json", "w") as file:
                file.write(strict_json(result, indent=2) + "\n")
    return result


def updates_done(folder):
    """How far the finished run in the folder went; 0 if there is none, or its result.json cannot be read."""
    try:
        return in_words_of_today(json.loads((folder / "result.json").read_text()))["updates"]
    except (OSError, ValueError, KeyError, AttributeError):
        return 0


def figure(arguments):
    for T in arguments.lengths:
        for model in arguments.models:
            folder = arguments.out / f"adding-{T}-{model}-seed{arguments.seed}"
            chosen = settings("adding", model, T, updates=arguments.updates, seed=arguments.seed)
            if updates_done(folder) >= chosen.updates:
                continue
            print(printable(f"T = {T}, {model}: {chosen.updates} updates, in {folder}"), flush=True)
            task = TASKS["adding"](chosen)
            run = task.run(folder)
            words = f"train adding --length {T} --model {model} --updates {chosen.updates} --seed {chosen.seed}".split()
            with run.opened(resume=(folder / "checkpoint.npz").exists()):
                if finished(task, run, words) is None:
                    print("stopped, all saved; the same command goes on")
                    return 130
    draw(draw_adding, arguments.out, arguments.out / "adding.png")
    return 0


def gradients(arguments):
    if arguments.out.is_dir():
        raise UsageError(f"{arguments.out}: expected the name of a picture, got a folder")
    if not arguments.out.parent.is_dir():
        raise UsageError(f"{arguments.out}: cannot be written: there is no folder {arguments.out.parent}")
    rng = np.random.default_rng(arguments.seed)
    x, _ = adding_problem(arguments.length, 32, rng)
    norms = {}
    for name, network in deep_networks(arguments.length, rng).items():
        norms[name] = gradient_norms(network, x, rng)[:-1]          # the input of the last map is zero but at one step
        first, last = norms[name][0, 0], norms[name][-1, -1]
        print(f"  {name:<28} at the last layer and step {last:.1e}, at the first of both {first:.1e}", flush=True)
    draw(draw_gradients, norms, arguments.out)
    return 0


def gradcheck(arguments):
    print(f"worst relative error of the gradients over {arguments.draws} drawn problems each; "
          f"right is at most {TOLERANCE:g}")
    for name, (module, problem) in PROBLEMS.items():
        worst, where = 0.0, "-"
        for number in range(arguments.draws):
            rng = np.random.default_rng([arguments.seed, number])
            try:
                errors = check(problem(module, rng), rng)
            except GradientError as error:
                raise GradientError(f"{name}: {error}") from None
            for array, error in errors.items():
                if error >= worst:
                    worst, where = error, f"d{array}, draw {number}"
        print(f"  {name:<20} {worst:.1e}   {where}", flush=True)
    return 0


def describe(arguments):
    print(arguments.network)
    for said in describe_network(build(arguments.network)):
        print(said)
    return 0


def bench(arguments):
    sections = SECTIONS
    if arguments.what == ["ranks"]:
        if arguments.ranks.size == 1:
            raise UsageError("ranks: expected several; start it as: mpiexec -n 2 python -m minindrnn bench ranks")
        sections = {"ranks": ranks}
    if arguments.device == "cuda":
        from ..gpu.bench import SECTIONS as sections
        from ..gpu.device import NoGPU, expect_gpu
        try:
            expect_gpu()
        except NoGPU as error:
            raise UsageError(error) from None
    for name in arguments.what:
        if name not in sections:
            raise UsageError(f"expected some of the sections {', '.join(sections)}, got {name}")
    before = None
    for section, row in measure(arguments.what or sections, sections):
        if arguments.json:
            print(json.dumps({"section": section} | row), flush=True)
            continue
        if section != before:
            print(f"{section}: {' '.join(sections[section].__doc__.split())}")
        print(line(row), flush=True)
        before = section
    return 0


def exercise(arguments):
    name, path, start = arguments.name, arguments.file, arguments.start
    if name is None:
        if start:
            raise UsageError(f"--start {start}: expected the name of an exercise before it, got none")
        print("\n".join(f"{name:<12}{exercise.title}" for name, exercise in EXERCISES.items()))
        return 0
    if path and start:
        raise UsageError("expected either FILE, to check it, or --start FILE, to make it")
    if start and start.exists():
        raise UsageError(f"{start}: is there already, and is not written over")
    try:
        if path:
            path.open().close()
            say_if_slow("compiling the kernels, once on this machine ...", tell,
                        lambda: list(EXERCISES[name].questions(np.random.default_rng(0), 2, 2, 2)))
            print(check_file(name, path))
        elif start:
            with replacing(start, "w") as file:
                file.write(starter(name))
            print(printable(f"made: {start}"))
        else:
            print(starter(name).rstrip())
    except OSError as error:
        raise UsageError(f"{start or path}: cannot be {'written' if start else 'read'}: {error.strerror}") from None
    return 0


COMMANDS = {"train": train, "predict": predict, "report": report, "figure": figure, "gradcheck": gradcheck,
            "gradients": gradients, "describe": describe, "bench": bench, "exercise": exercise}


def main(argv=None):
    """Do what the words say, on all ranks; exit code 0, 2 for what cannot be done, which one line tells, 130 after
    Ctrl-C.

    NumPy warns of no number that overflows: losses, parameters and answers are looked at themselves.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        ranks = world()
    except NoMPI as error:
        rank, _ = started()
        sys.exit(2 if rank else f"{PROGRAM}: {error}")
    return on_all(ranks, partial(answer, words, ranks))


def answer(words, ranks):
    name = " ".join([PROGRAM, *words[:1]])
    with redirect_stderr(Tolerant(sys.stderr)), np.errstate(all="ignore"):
        try:
            with interruptible():
                try:
                    arguments = parser().parse_args(words, argparse.Namespace(words=words, ranks=ranks))
                    shared = arguments.command == "train" or vars(arguments).get("what") == ["ranks"]
                    if ranks.size > 1 and not shared:
                        raise UsageError(f"expected one process, got {ranks.size} ranks; those train, or bench ranks")
                    return COMMANDS[arguments.command](arguments)
                finally:
                    if sys.stdout:
                        sys.stdout.flush()           # what cannot be written shows here, not at exit
        except (UsageError, TrainingError, CheckpointError, DataError) as error:
            leave(2, f"{name}: {error}")
        except BrokenPipeError:                      # the reader of the output has stopped
            silence(sys.stdout)
            return 1
        except MemoryError as error:
            leave(2, f"{name}: this does not fit into memory: {error}")
        except OSError as error:
            if not error.filename:
                silence(sys.stdout)
            leave(2, f"{name}: {error.filename or 'the output'}: cannot be written: {error.strerror}")
        except (GradientError, ExerciseError) as error:
            leave(1, *f"{name}: {error}".split("\n"))
        except KeyboardInterrupt as error:
            leave(130, str(error))
