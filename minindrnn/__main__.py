"""The command line: python -m minindrnn train | figure | gradcheck | gradients | describe | bench."""
import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np

from .architectures import ARCHITECTURES, build
from .architectures import describe as describe_network
from .bench import SECTIONS, line
from .bench import bench as measure
from .checkpoint import CheckpointError, replacing
from .data.adding import adding_problem
from .experiments import BASELINES, EXPERIMENTS, MODELS, Settings, settings
from .gradcheck import TOLERANCE, GradientError, check
from .gradientflow import deep_networks, gradient_norms
from .problems import PROBLEMS
from .report import describe_memory, draw_adding, draw_curve, draw_gradients
from .training import TrainingError, history


class Parser(argparse.ArgumentParser):
    """Answers wrong input with one line and exit code 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def number(convert, low, high=float("inf")):
    """An argparse type: a number from low to high."""
    def parse(text):
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not (low <= value <= high and np.isfinite(value)):
            kind = "a whole number" if convert is int else "a number"
            limits = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"expected {kind} {limits}, got {text!r}")
        return value
    return parse


def parser():
    top = Parser(prog="python -m minindrnn",
                 description="Independently recurrent networks: train one, check its gradients, time its kernels.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a network on a task", description=(
        "Train an IndRNN. Ctrl-C stops and saves; the same command with --resume goes on as if it had never "
        "stopped. Defaults: digits 3 layers, 6000 steps of 32, rate 0.003; by rows 4000 steps of 16, rate 0.005; "
        "adding  2 layers (baselines 1), 60300 steps of 32, rate 0.0002 (rnn, lstm, gru 0.002; irnn from T = 500 on "
        "0.00001), T = 100; 128 neurons a layer, the dense network 16."))
    add = train.add_argument
    add("task", choices=["digits", "adding"],
        help="digits: read an image and name the digit; adding: add two marked numbers of a long sequence")
    add("--model", choices=MODELS, default="indrnn",
        help="three deep IndRNNs (the first one, stacked layers, is the default) and four baselines")
    add("--norm", choices=["none", "before", "after"],
        help="batch normalisation over time, before or after the recurrence (default none)")
    add("--dropout", type=number(float, 0, 0.99), metavar="P", help="after every unit (default 0)")
    add("--rows", action="store_true", help="digits: a row a step (T = 8) instead of a pixel a step (T = 64)")
    add("--length", type=number(int, 2), metavar="T", help="adding: steps of a sequence")
    add("--layers", type=number(int, 1), metavar="L",
        help="indrnn and baselines: layers; residual: blocks of two; dense: layers in each of three blocks")
    add("--hidden", type=number(int, 1), metavar="N",
        help="neurons of a layer; dense: growth rate, channels that each layer adds, best far below 128")
    add("--steps", type=number(int, 1), metavar="S", help="updates of the parameters")
    add("--batch", type=number(int, 1), metavar="B", help="sequences of an update")
    add("--rate", type=number(float, 0, 1), metavar="R", help="learning rate of Adam")
    add("--gamma", type=number(float, 1), metavar="G", help="recurrent weights stay within G^(1/T) (default 2)")
    add("--decay", type=number(float, 0), metavar="D", help="weight decay, of W only (default 0)")
    add("--plateau", type=number(int, 1), metavar="P",
        help="instead of the task's schedule: after more than P evaluations that were not the best, go back to the "
             "best, divide the rate by 10 and halve P; until the rate is below 1e-6")
    add("--penalty", type=number(float, 0), metavar="P",
        help="add P times what exceeds that bound to the loss, instead of the bound (default 0: the bound)")
    add("--seed", type=number(int, 0), metavar="K", help="of everything that is random (default 0)")
    add("--device", choices=["cpu", "cuda"], default="cpu",
        help="where to train: a run may go on where it did not begin (default cpu)")
    add("--out", type=Path, metavar="DIR", help="run folder (default runs/TASK)")
    add("--resume", action="store_true", help="continue the run in that folder")
    figure = commands.add_parser("figure", help="IndRNN beside RNN, IRNN and LSTM on the adding problem", description=(
        "Train every model on the adding problem at every length, with the papers' settings, and draw all learning "
        "curves in one figure. Ctrl-C stops and saves; the same command goes on, and passes over what is done."))
    figure.add_argument("--lengths", type=number(int, 2), nargs="+", default=[100, 500, 1000], metavar="T",
                        help="steps of a sequence (default 100 500 1000)")
    figure.add_argument("--models", nargs="+", choices=MODELS, default=["indrnn", "lstm", "rnn", "irnn"], metavar="M",
                        help="default indrnn lstm rnn irnn")
    figure.add_argument("--steps", type=number(int, 1), metavar="S", help="updates of each (default 60300)")
    figure.add_argument("--seed", type=number(int, 0), default=0, metavar="K", help="of everything random (default 0)")
    figure.add_argument("--out", type=Path, default=Path("runs/figure"), metavar="DIR",
                        help="folder of the run folders and of adding.png (default runs/figure)")
    gradcheck = commands.add_parser("gradcheck", help="compare every gradient with finite differences", description=(
        "Compare every hand-derived gradient with finite differences, on drawn sizes and values."))
    gradcheck.add_argument("--draws", type=number(int, 1), default=100, metavar="D", help="problems each (default 100)")
    gradcheck.add_argument("--seed", type=number(int, 0), default=0, metavar="K", help="of the draws (default 0)")
    gradients = commands.add_parser("gradients", help="draw how far gradients reach in deep networks", description=(
        "Draw the norm of the gradient at every layer and step: three deep IndRNNs and a tanh RNN, before training."))
    gradients.add_argument("--length", type=number(int, 2), default=100, metavar="T", help="steps (default 100)")
    gradients.add_argument("--seed", type=number(int, 0), default=0, metavar="K",
                           help="of everything that is random (default 0)")
    gradients.add_argument("--out", type=Path, default=Path("gradients.png"), metavar="FILE",
                           help="the picture (default gradients.png)")
    describe = commands.add_parser("describe", help="print the parameters of a network of the papers",
                                   description="Print every parameter of a network of the papers, its shape and count.")
    describe.add_argument("network", choices=ARCHITECTURES, metavar="NAME", help=", ".join(ARCHITECTURES))
    bench = commands.add_parser("bench", help="time everything beside the limits of this machine", description=(
        "Time kernels, training steps and other libraries, each beside its limit on this machine, a median with the "
        "middle half of the rounds. Sections: " + ", ".join(SECTIONS) + "."))
    bench.add_argument("what", nargs="*", metavar="SECTION", help="which sections (default all)")
    bench.add_argument("--device", choices=["cpu", "cuda"], default="cpu",
                       help="cuda: minindrnn.gpu, sections limits, kernels, steps and peers (default cpu)")
    bench.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    return top


def train(arguments):
    if arguments.task == "adding" and arguments.rows:
        raise TrainingError("--rows is for digits")
    if arguments.task == "digits" and arguments.length is not None:
        raise TrainingError("--length is for adding; digits have 64 steps, 8 with --rows")
    for name in ("norm", "dropout", "gamma", "penalty"):
        if arguments.model in BASELINES and getattr(arguments, name) is not None:
            raise TrainingError(f"--{name} is for indrnn, residual and dense, not for {arguments.model}")
    given = {name: value for name, value in vars(arguments).items() if name in Settings.__dataclass_fields__}
    chosen = settings(**given | {"task": "digits-rows" if arguments.rows else arguments.task})
    folder = arguments.out or Path("runs") / (f"adding-{chosen.length}" if chosen.task == "adding" else chosen.task)
    experiment = EXPERIMENTS[chosen.task](chosen)
    run = experiment.run(folder)
    if arguments.device == "cuda":
        run.twin = twin(run)
    run.resume() if arguments.resume else run.start()
    words = [word for word in arguments.words if word != "--resume"]
    result = finished(experiment, run, words)
    if result is None:
        print(f"stopped after step {run.step} of {run.steps}, all saved; to go on: "
              f"python -m minindrnn {shlex.join([*words, '--resume'])}")
        return 130
    for said in (*experiment.report(run.network, result), *describe_memory(run.network, run.network.bound)):
        print(said)
    if history(run.folder):
        draw(draw_curve, history(run.folder), folder / "curve.png")
    print(f"run folder: {folder.resolve()} ({', '.join(sorted(path.name for path in folder.iterdir()))})")
    return 0


def twin(run):
    from .gpu.device import NoGPU                # not before it is asked for: importing CUDA takes its time
    from .gpu.training import NoTwin, Twin
    try:
        return Twin(run.network, run.loss, run.optimiser)
    except (NoGPU, NoTwin) as error:
        raise TrainingError(f"--device cuda: {error}") from None


def finished(experiment, run, words):
    """Train; write what came out, and the words of the command, to result.json and return it; None after Ctrl-C."""
    if not run.train():
        return None
    rows = history(run.folder)
    result = experiment.result(run.network) | {"steps": run.step, "seconds": rows[-1]["seconds"] if rows else 0.0,
                                               "command": shlex.join(["python", "-m", "minindrnn", *words])}
    with replacing(run.folder / "result.json", "w") as file:
        file.write(json.dumps(result, indent=2) + "\n")
    return result


def draw(picture, *arguments):
    try:
        picture(*arguments)
        print(f"drawn: {arguments[-1]}")
    except ImportError:
        print(f"no {arguments[-1].name}: Matplotlib is not installed (pip install matplotlib)")


def steps_done(folder):
    """How far the finished run in the folder went; 0 if there is none, or its result.json cannot be read."""
    try:
        return json.loads((folder / "result.json").read_text())["steps"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def figure(arguments):
    for T in arguments.lengths:
        for model in arguments.models:
            folder = arguments.out / f"adding-{T}-{model}-seed{arguments.seed}"
            chosen = settings("adding", model, T, steps=arguments.steps, seed=arguments.seed)
            if steps_done(folder) >= chosen.steps:
                continue
            print(f"T = {T}, {model}: {chosen.steps} steps, in {folder}", flush=True)
            experiment = EXPERIMENTS["adding"](chosen)
            run = experiment.run(folder)
            run.resume() if (folder / "checkpoint.npz").exists() else run.start()
            words = (f"train adding --length {T} --model {model} --steps {chosen.steps} --seed {chosen.seed}").split()
            if finished(experiment, run, words) is None:
                print("stopped, all saved; the same command goes on")
                return 130
    draw(draw_adding, arguments.out, arguments.out / "adding.png")
    return 0


def gradients(arguments):
    if not arguments.out.parent.is_dir():
        raise TrainingError(f"{arguments.out}: cannot be written: there is no folder {arguments.out.parent}")
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
        for draw in range(arguments.draws):
            rng = np.random.default_rng([arguments.seed, draw])
            for array, error in check(problem(module, rng), rng).items():
                if error >= worst:
                    worst, where = error, f"d{array}, draw {draw}"
        print(f"  {name:<20} {worst:.1e}   {where}", flush=True)
    return 0


def describe(arguments):
    print(arguments.network)
    for said in describe_network(build(arguments.network)):
        print(said)
    return 0


def bench(arguments):
    sections = SECTIONS
    if arguments.device == "cuda":
        from .gpu.bench import SECTIONS as sections
        from .gpu.device import NoGPU, expect_gpu
        try:
            expect_gpu()
        except NoGPU as error:
            raise TrainingError(error) from None
    for name in arguments.what:
        if name not in sections:
            raise TrainingError(f"expected some of the sections {', '.join(sections)}, got {name}")
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


def main(argv=None):
    top = parser()
    arguments = top.parse_args(argv, argparse.Namespace(words=sys.argv[1:] if argv is None else argv))
    try:
        return {"train": train, "figure": figure, "gradcheck": gradcheck, "gradients": gradients,
                "describe": describe, "bench": bench}[arguments.command](arguments)
    except (TrainingError, CheckpointError) as error:
        top.exit(2, f"{top.prog} {arguments.command}: {error}\n")
    except BrokenPipeError:                      # whoever read the output has had enough
        sys.stderr.close()
        return 1
    except MemoryError as error:
        top.exit(2, f"{top.prog} {arguments.command}: this does not fit into memory: {error}\n")
    except OSError as error:
        top.exit(2, f"{top.prog} {arguments.command}: {error.filename}: cannot be written: {error.strerror}\n")
    except GradientError as error:
        top.exit(1, f"{top.prog} gradcheck: {error}\n")
    except KeyboardInterrupt:
        top.exit(130, "\n")


if __name__ == "__main__":
    sys.exit(main())
