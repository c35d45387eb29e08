"""The command line: python -m minindrnn train | gradcheck | bench."""
import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np

from .architectures import ARCHITECTURES, build
from .architectures import describe as describe_network
from .bench import bench_kernels
from .checkpoint import CheckpointError, replacing
from .experiments import EXPERIMENTS, Settings
from .gradcheck import TOLERANCE, GradientError, check
from .problems import PROBLEMS
from .report import describe_memory, draw_curve
from .training import TrainingError


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
        "adding 2 layers, 60300 steps of 32, rate 0.0002, T = 100; all 128 neurons a layer."))
    add = train.add_argument
    add("task", choices=["digits", "adding"],
        help="digits: read an image and name the digit; adding: add two marked numbers of a long sequence")
    add("--model", choices=["stacked", "residual", "dense"], default="stacked", help="default stacked")
    add("--norm", choices=["none", "before", "after"], default="none",
        help="batch normalisation over time, before or after the recurrence (default none)")
    add("--dropout", type=number(float, 0, 0.99), default=0.0, metavar="P", help="after every unit (default 0)")
    add("--rows", action="store_true", help="digits: a row a step (T = 8) instead of a pixel a step (T = 64)")
    add("--length", type=number(int, 2), metavar="T", help="adding: steps of a sequence")
    add("--layers", type=number(int, 1), metavar="L",
        help="stacked: IndRNN layers; residual: blocks of two; dense: layers in each of three blocks")
    add("--hidden", type=number(int, 1), metavar="N",
        help="neurons of a layer; dense: growth rate, channels that each layer adds, best far below 128")
    add("--steps", type=number(int, 1), metavar="S", help="updates of the parameters")
    add("--batch", type=number(int, 1), metavar="B", help="sequences of an update")
    add("--rate", type=number(float, 0, 1), metavar="R", help="learning rate of Adam")
    add("--gamma", type=number(float, 1), metavar="G", help="recurrent weights stay within G^(1/T) (default 2)")
    add("--penalty", type=number(float, 0), default=0.0, metavar="P",
        help="add P times what exceeds that bound to the loss, instead of the bound (default 0: the bound)")
    add("--seed", type=number(int, 0), default=0, metavar="K", help="of everything that is random (default 0)")
    add("--out", type=Path, metavar="DIR", help="run folder (default runs/TASK)")
    add("--resume", action="store_true", help="continue the run in that folder")
    gradcheck = commands.add_parser("gradcheck", help="compare every gradient with finite differences", description=(
        "Compare every hand-derived gradient with finite differences, on drawn sizes and values."))
    gradcheck.add_argument("--draws", type=number(int, 1), default=100, metavar="D", help="problems each (default 100)")
    gradcheck.add_argument("--seed", type=number(int, 0), default=0, metavar="K", help="of the draws (default 0)")
    describe = commands.add_parser("describe", help="print the parameters of a network of the papers",
                                   description="Print every parameter of a network of the papers, its shape and count.")
    describe.add_argument("network", choices=ARCHITECTURES, metavar="NAME", help=", ".join(ARCHITECTURES))
    bench = commands.add_parser("bench", help="time the kernels beside the limits of this machine")
    bench.add_argument("what", choices=["kernels"])
    return top


def train(arguments):
    if arguments.task == "adding" and arguments.rows:
        raise TrainingError("--rows is for digits")
    if arguments.task == "digits" and arguments.length is not None:
        raise TrainingError("--length is for adding; digits have 64 steps, 8 with --rows")
    task = "digits-rows" if arguments.rows else arguments.task
    given = {name: value for name, value in vars(arguments).items()
             if name in Settings.__dataclass_fields__ and value is not None}
    experiment = EXPERIMENTS[task]
    settings = Settings(**{"length": 100} | experiment.defaults | given | {"task": task})
    folder = arguments.out or Path("runs") / (f"adding-{settings.length}" if task == "adding" else task)
    experiment = experiment(settings)
    run = experiment.run(folder)
    run.resume() if arguments.resume else run.start()
    finished = run.train()
    if not finished:
        again = shlex.join(sys.argv[1:]) + ("" if arguments.resume else " --resume")
        print(f"stopped after step {run.step} of {run.steps}, all saved; to go on: python -m minindrnn {again}")
        return 130
    command = shlex.join(["python", "-m", "minindrnn", *(word for word in sys.argv[1:] if word != "--resume")])
    result = experiment.result(run.network) | {"steps": run.step, "seconds": run.history()[-1]["seconds"],
                                               "command": command}
    with replacing(folder / "result.json", "w") as file:
        file.write(json.dumps(result, indent=2) + "\n")
    for line in (*experiment.report(run.network), *describe_memory(run.network, run.network.bound)):
        print(line)
    try:
        draw_curve(run.history(), folder / "curve.png")
    except ImportError:
        print("no curve.png: Matplotlib is not installed (pip install matplotlib)")
    print(f"run folder: {folder.resolve()} ({', '.join(sorted(path.name for path in folder.iterdir()))})")
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
    for line in describe_network(build(arguments.network)):
        print(line)
    return 0


def bench(arguments):
    for line in bench_kernels():
        print(line, flush=True)
    return 0


def main(argv=None):
    top = parser()
    arguments = top.parse_args(argv)
    try:
        command = {"train": train, "gradcheck": gradcheck, "describe": describe, "bench": bench}[arguments.command]
        return command(arguments)
    except (TrainingError, CheckpointError) as error:
        top.exit(2, f"{top.prog} {arguments.command}: {error}\n")
    except OSError as error:
        top.exit(2, f"{top.prog} {arguments.command}: {error.filename}: cannot be written: {error.strerror}\n")
    except GradientError as error:
        top.exit(1, f"{top.prog} gradcheck: {error}\n")
    except KeyboardInterrupt:
        top.exit(130, "\n")


if __name__ == "__main__":
    sys.exit(main())
