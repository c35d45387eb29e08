"""The words of the command line: the commands, their options, and the answers to wrong ones."""
import argparse
import sys
from itertools import groupby
from pathlib import Path

from ..bench.sections import SECTIONS
from ..core.terminal import tell
from ..exercises.expected import EXERCISES
from ..networks.papers import ARCHITECTURES
from ..ops.activations import KIND
from ..tasks.models import MODELS, OPTIONS
from ..tasks.registry import TASKS, settings
from ..tasks.settings import Settings
from ..tasks.user_file import UserFile

NAMED = [task for task in TASKS.values() if task.word == task.name]        # those that one asks for by their name
PROGRAM = "python -m minindrnn"
SMALLEST = 1e-6          # the rate at which --plateau ends


class UsageError(ValueError):
    """The command cannot be carried out; the message says why."""


class Parser(argparse.ArgumentParser):
    """Answers wrong input with one line and exit code 2."""

    def error(self, message):
        leave(2, f"{self.prog}: {message}")


def leave(code, *lines):
    """End the process with these lines on stderr."""
    for line in lines:
        tell(line)
    sys.exit(code)


def number(convert, low, high=float("inf"), most=10**12):
    """An argparse type: a number from low to high, a whole one at most `most`, which is beyond any use."""
    most = min(high, most) if convert is int else high

    def parse(text):
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not (low <= value <= most and value < float("inf")):
            kind = "a whole number" if convert is int else "a number"
            limits = f"from {low} to {most}" if high < float("inf") or value and value > most else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"expected {kind} {limits}, got {text!r}")
        return value
    return parse


def layers(text):
    """An argparse type: how many layers, or a list of numbers, one for each block."""
    one = number(int, 1, most=10_000)
    return [one(part) for part in text.split(",")] if "," in text else one(text)


def name(text):
    """An argparse type: the name of a file or a folder. An empty one is often a shell variable that is not set."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got ''")
    return text


def path(text):
    """An argparse type: the same as a Path."""
    return Path(name(text))


def task(word):
    """An argparse type: a task, or a file of one's own."""
    names = [each.name for each in NAMED]
    if word not in names and not word.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, or {UserFile.word}, got {word!r}")
    return word


def tasks_in_words():
    """What each task asks for, those that ask for the same together."""
    said = [f"{', '.join(each.name for each in tasks)}: {words}"
            for words, tasks in groupby(NAMED, lambda each: each.help)]
    return "; ".join(said) + f"; or {UserFile.word}: {UserFile.help}"


def usual(task):
    """A line: the options of a task that are not given; of the plain network, unless the task has another one."""
    options = (f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
               for name, value in settings(task.name).worth_saying().items() if name != "task" and value != "indrnn")
    return f"  {task.word:<15}{' '.join(options)}"


def only_for(command, option):
    """The names of the tasks that an option of the command is for."""
    return ", ".join(task.name for task in NAMED if option in task.takes.get(command, ()))


def expect_for(task, called, command, arguments):
    """UsageError for an option of the command that is for other tasks than this one, called so."""
    special = {option for each in TASKS.values() for option in each.takes.get(command, ())}
    for option, value in vars(arguments).items():
        given = value is not None and value is not False
        if given and option in special and option not in task.takes.get(command, ()):
            raise UsageError(f"--{option} is for {only_for(command, option)}, not for {called}")


def asked(arguments):
    """The Settings that the words of `train` ask for. UsageError where these do not fit the task, the model or each
    other."""
    given = {option: value for option, value in vars(arguments).items() if value is not None}
    word = given.pop("task")
    task = UserFile if word.endswith(".npz") else TASKS[word]
    expect_for(task, word, "train", arguments)
    for option, why in task.refuses.items():
        if given.get(option):
            raise UsageError(f"--{option} is not for {word}{why}")
    stands_for = {}
    for option, meant in task.stands_for.items():
        if given[option]:
            for name in meant.keys() & given.keys():
                raise UsageError(f"expected either --{option} or --{name}, got both")
            stands_for |= meant
    if task is UserFile:
        stands_for |= {"data": word}
    known = {option: value for option, value in given.items() if option in Settings.__dataclass_fields__}
    chosen = settings(**{"task": task.name} | known | stands_for)
    model = MODELS[chosen.model]
    for option in OPTIONS:
        if model.baseline and option in given:
            deep = [name for name, each in MODELS.items() if not each.baseline]
            raise UsageError(f"--{option} is for {', '.join(deep[:-1])} and {deep[-1]}, not for {chosen.model}")
    if isinstance(chosen.layers, list) and not model.blocks:
        raise UsageError(f"--layers: expected one number for {chosen.model}, got {chosen.layers}")
    if chosen.plateau and chosen.rate < SMALLEST:
        raise UsageError(f"--rate: expected at least {SMALLEST:g}, where --plateau ends, got {chosen.rate:g}")
    return chosen


def add_updates(command, words):
    """The option --updates; --steps, its name in earlier versions, is taken and not shown."""
    command.add_argument("--updates", type=number(int, 1), metavar="U", help=words)
    command.add_argument("--steps", type=number(int, 1), metavar="U", dest="updates", help=argparse.SUPPRESS)


def parser():
    top = Parser(prog=PROGRAM,
                 description="Independently recurrent networks: train one, check its gradients, time its kernels.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train", help="train a network on a task", formatter_class=argparse.RawDescriptionHelpFormatter, description=(
            "Train an IndRNN. Ctrl-C stops and saves; the same command with --resume goes on as if it had never "
            "stopped."),
        epilog="defaults, for the plain network or the one named here "
               "(for any other, see config.json of its run):\n"
               + "\n".join(map(usual, TASKS.values())))
    add = train.add_argument
    add("task", type=task, metavar="TASK", help=tasks_in_words())
    add("--model", type=lambda name: "indrnn" if name == "plain" else name, choices=MODELS,
        help="three deep IndRNNs (the first one, stacked layers, is also called plain) and four baselines")
    add("--activation", choices=list(KIND), help="of every unit of an IndRNN (default relu)")
    add("--norm", choices=["none", "before", "after"],
        help="batch normalisation, before or after the recurrence; over time, of chars for each step")
    add("--dropout", type=number(float, 0, 0.99), metavar="P", help="after every unit")
    for option, how in (
            ("rows", dict(action="store_true", help="a row a step (T = 8) instead of a pixel a step (T = 64)")),
            ("length", dict(type=number(int, 2), metavar="T", help="steps of a sequence, of a segment of a text, or of "
                            "a window of a recording, 50 a second")),
            ("whole", dict(action="store_true", help="whole recordings, up to 2618 steps, instead of windows")),
            ("fold", dict(type=number(int, 0, 4), metavar="F",
                          help="which two of ten people are the test (default 0)")),
            ("data", dict(type=name, metavar="PATH",
                          help="folder with the files (default $MININDRNN_DATA/NAME, else the cache, which is filled "
                          "from the network); of chars: a text file, or a folder with "
                          "ptb.char.train.txt, .valid.txt, .test.txt (default Shakespeare)"))):
        add(f"--{option}", **how | {"help": f"{only_for('train', option)}: {how['help']}"})
    add("--layers", type=layers, metavar="L",
        help="indrnn and baselines: layers; residual: blocks of two; dense: layers in each of three blocks, or as many "
             "blocks as there are numbers, 8,6,4")
    add("--hidden", type=number(int, 1), metavar="N",
        help="neurons of a layer; dense: growth rate, channels that each layer adds, best far below 128")
    add_updates(train, "updates of the parameters")
    add("--batch", type=number(int, 1), metavar="B", help="sequences of an update")
    add("--rate", type=number(float, 0, 1), metavar="R", help="learning rate of Adam")
    add("--gamma", type=number(float, 1, 1000), metavar="G", help="recurrent weights stay within G^(1/T)")
    add("--decay", type=number(float, 0), metavar="D", help="weight decay, of W only")
    add("--plateau", type=number(int, 0), metavar="P",
        help="0: the schedule of the task; else after more than P evaluations that were not the "
             "best, go back to the best, divide the rate by 10 (chars: 5) and halve P; until the rate is below 1e-6")
    add("--penalty", type=number(float, 0), metavar="P",
        help="add P times what exceeds that bound to the loss, instead of the bound (default 0: the bound)")
    add("--seed", type=number(int, 0), metavar="K", help="of everything that is random (default 0)")
    add("--device", choices=["cpu", "cuda"], default="cpu",
        help="where to train: a run may go on where it did not begin (default cpu)")
    add("--out", type=path, metavar="DIR", help="run folder (default runs/TASK)")
    add("--resume", action="store_true", help="continue the run in that folder")
    predict = commands.add_parser("predict", help="use what a run has learned", description=(
        "Answer sequences in a file by the network of a run folder; the data that it learned from is not needed. Where "
        "the file has y, the answers are counted."))
    predict.add_argument("run", type=path, metavar="RUN", help="run folder")
    predict.add_argument("input", metavar="INPUT", help="sequences in the units of the task (digits 0 to 16, "
                         "images 0 to 255, motion and your own as they are): .npz with X (n, T, M) or (n, T), and "
                         "lengths if ragged; or .npy with X. Of chars: a text to go on from")
    predict.add_argument("--sample", type=number(int, 0), metavar="N", help="chars: so many characters (default 400)")
    predict.add_argument("--temperature", type=number(float, 1e-3), metavar="R",
                         help="chars: the lower, the surer of itself (default 0.7)")
    predict.add_argument("--seed", type=number(int, 0), metavar="K", help="chars: of what is drawn (default 0)")
    report = commands.add_parser("report", help="draw what a run has learned", description=(
        "Sum up a run, finished or not, and draw its learning curve, the memory of its layers, and its confusion."))
    report.add_argument("run", type=path, metavar="RUN", help="run folder")
    report.add_argument("--out", type=path, metavar="DIR", help="folder of the pictures (default RUN)")
    report.add_argument("--dynamic", action="store_true", help="chars: also test it while it goes on learning from "
                        "what it has read, which takes minutes, and write dynamic.json")
    figure = commands.add_parser("figure", help="IndRNN beside RNN, IRNN and LSTM on the adding problem", description=(
        "Train every model on the adding problem at every length, with the papers' settings, and draw all learning "
        "curves in one figure. Ctrl-C stops and saves; the same command goes on, and passes over what is done."))
    figure.add_argument("--lengths", type=number(int, 2), nargs="+", default=[100, 500, 1000], metavar="T",
                        help="steps of a sequence (default 100 500 1000)")
    figure.add_argument("--models", nargs="+", choices=MODELS, default=["indrnn", "lstm", "rnn", "irnn"], metavar="M",
                        help="default indrnn lstm rnn irnn")
    add_updates(figure, "updates of each (default 60300)")
    figure.add_argument("--seed", type=number(int, 0), default=0, metavar="K", help="of everything random (default 0)")
    figure.add_argument("--out", type=path, default=Path("runs/figure"), metavar="DIR",
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
    gradients.add_argument("--out", type=path, default=Path("gradients.png"), metavar="FILE",
                           help="the picture (default gradients.png)")
    describe = commands.add_parser("describe", help="print the parameters of a network of the papers",
                                   description="Print every parameter of a network of the papers, its shape and count.")
    describe.add_argument("network", choices=ARCHITECTURES, metavar="NAME", help=", ".join(ARCHITECTURES))
    bench = commands.add_parser("bench", help="time everything beside the limits of this machine", description=(
        "Time kernels, updates and other libraries, each beside its limit on this machine, a median with the "
        "middle half of the rounds. Sections: " + ", ".join(SECTIONS)
        + "; and, started by mpiexec, ranks."))
    bench.add_argument("what", nargs="*", metavar="SECTION", help="which sections (default all)")
    bench.add_argument("--device", choices=["cpu", "cuda"], default="cpu",
                       help="cuda: minindrnn.gpu, sections limits, kernels, steps and peers (default cpu)")
    bench.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    exercise = commands.add_parser("exercise", help="write a backward pass yourself, and have it checked", description=(
        "Without a name, list the exercises; without a file, print the functions to write. With one, run them on drawn "
        "problems and say which number of which array is wrong first; exit code 0 if all is right, 1 if not."))
    exercise.add_argument("name", choices=EXERCISES, nargs="?", metavar="NAME", help=", ".join(EXERCISES))
    exercise.add_argument("file", type=path, nargs="?", metavar="FILE", help="Python file with your functions")
    exercise.add_argument("--start", type=path, metavar="FILE", help="make a file that holds the functions to write")
    return top
