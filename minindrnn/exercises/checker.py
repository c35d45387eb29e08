"""Exercises with a checker: write a backward pass, and see its first wrong number.

    python -m minindrnn exercise recurrence --start mine.py      the functions to write, with their equations
    python -m minindrnn exercise recurrence mine.py              are they right?

or, in a notebook, `check_exercise("recurrence", indrnn_backward)`. Problems are drawn, the same every time, the
smallest first: a mistake shows in the smallest problem that has it. Arrays are compared in the order in which they are
computed and, after a backward pass, from the last time step to the first, as an error at one step makes all earlier
ones wrong too. No message reveals the solution.
"""
import inspect
import linecache
import traceback

import numpy as np

from ..core.expect import expect_choice
from .expected import EXERCISES

TOLERANCE = {"float64": 1e-9, "float32": 1e-3}       # relative to the array's largest number, or to 1 if that is less
SIZES = [(1, 1, 1), (2, 1, 1), (3, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 2)]     # T, B, N of the first problems
TIMES = 4                                            # each, as a relu that is silent hides mistakes
DRAWS, SINGLE = 20, 3                                # problems of drawn sizes, of which the last ones are float32
FEW = 8                                              # arrays of so many numbers are shown: T = 2 of the LSTM
AXES = {"T": "time step", "B": "sequence", "N": "neuron", "M": "input", "K": "class", "C": "channel",
        "P": "previous neuron"}
GATES, STATES = "ifgo", "hc"                         # what the axes G (four gates of N neurons) and 2 hold


class ExerciseError(AssertionError):
    """The learner's function is wrong; the message says where."""


def check_exercise(name, *functions):
    """Run the functions, known by their own names, on the problems; return a line that says that they are right.

    Raises ExerciseError, whose message names the array and the place that are wrong first, with both numbers.
    """
    expect_choice("exercise", name, EXERCISES)
    files = {function.__code__.co_filename for function in functions if hasattr(function, "__code__")}
    return _check(name, {getattr(function, "__name__", function): function for function in functions}, files)


def check_file(name, path):
    """The same for the functions that a file defines."""
    expect_choice("exercise", name, EXERCISES)
    source, defined = path.read_bytes(), {"__name__": path.stem, "__file__": str(path)}
    linecache.checkcache(str(path))
    try:
        program = compile(source, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ExerciseError(f"{path}, line {line}: not Python: {error.args[0]}") from None
    _guarded({str(path)}, str(path), lambda: exec(program, defined))
    return _check(name, defined, {str(path)})


def starter(name):
    """The text of a file to begin with."""
    exercise = EXERCISES[name]
    top = f'"""{exercise.title}\n\nTo check it:  python -m minindrnn exercise {name} FILE\n"""\nimport numpy as np\n'
    return "\n\n".join([top, *map(inspect.getsource, exercise.given + exercise.written)])


def _check(name, functions, files):
    written = [function.__name__ for function in EXERCISES[name].written]
    for function in written:
        if not callable(functions.get(function)):
            found = type(functions[function]).__name__ if function in functions else "none"
            raise ExerciseError(f"expected a function {function}, got {found}; "
                                f"to see how it begins: python -m minindrnn exercise {name}")
    rng = np.random.default_rng(0)
    sizes = [(*size, np.float64) for size in SIZES for _ in range(TIMES)]
    sizes += [(*map(int, rng.integers(1, (8, 5, 6))), np.float64 if k < DRAWS - SINGLE else np.float32)
              for k in range(DRAWS)]
    problems = [(question.astype(dtype), f"T, B, N = {T}, {B}, {N}, {np.dtype(dtype)}")
                for k, (T, B, N, dtype) in enumerate(sizes)
                for question in EXERCISES[name].questions(np.random.default_rng(k), T, B, N)]
    for number, (question, size) in enumerate(problems, 1):
        where = f"{question.function}, problem {number} of {len(problems)}: {size}"
        _attempt(question, functions[question.function], files, where)
    return f"right: {', '.join(written)}, on {len(problems)} problems"


def _attempt(question, function, files, where):
    """Call the function twice, and raise ExerciseError for the first thing that is wrong."""
    arguments = [*question.arguments.values(), *([tuple(question.cache.values())] if question.cache else [])]
    arrays = {name: value for name, value in (question.arguments | question.cache).items()
              if isinstance(value, np.ndarray)}
    before = {name: array.copy() for name, array in arrays.items()}
    results = []
    for _ in range(2):
        got = _guarded(files, where, lambda: function(*arguments))
        for name, array in arrays.items():
            if not np.array_equal(array, before[name]):
                raise ExerciseError(f"{name} was changed in place; it belongs to the caller\n  {where}")
        results.append(_results(question, got, where))
    seen = []
    for (form, expected), got, again in zip(question.expected.items(), *results):
        name, _, letters = form.partition(" ")
        _expect_form(name, letters, got, expected, where)
        wrong = _wrong(name, letters, got, expected, backwards="backward" in question.function)
        if wrong:
            place, said = wrong
            said += [f"right before it: {', '.join(seen)}"] if seen else []
            lines = [where, *(["; ".join(said)] if said else [])]
            shown = all(array.size <= FEW for array in arrays.values())
            lines += [f"{name} = {np.round(array, 8).tolist()}" for name, array in before.items() if shown]
            raise ExerciseError("\n  ".join([place, *lines]))
        if not np.array_equal(got, again):
            raise ExerciseError(f"{name}: a second call with the same arguments gives other numbers\n  {where}")
        seen.append(name)


def _guarded(files, where, work):
    """Do the work; an exception in those files becomes a line that shows where it came from."""
    try:
        with np.errstate(all="ignore"):
            return work()
    except NotImplementedError:
        raise ExerciseError(f"{where.partition(',')[0]}: not written yet") from None
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
        place = f"{frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line}" if frames else where
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"stopped in {place}") from None
        raise ExerciseError(f"{place}\n  {type(error).__name__}: {error}") from None


def _results(question, got, where):
    """What a function returned, as one array for each name."""
    names = [form.split()[0] for form in question.expected]
    several = isinstance(got, tuple) or isinstance(got, list) and len(names) > 1
    results = got if several else () if got is None else (got,)
    if len(results) != len(names):
        raise ExerciseError(f"expected {len(names)} result{'s' * (len(names) > 1)}, {', '.join(names)}, "
                            f"got {len(results) or 'none'}\n  {where}")
    return [np.array(result) if isinstance(result, (np.ndarray, np.number, float, int)) else result
            for result in results]


def _expect_form(name, letters, got, expected, where):
    wanted = f"({', '.join(letters)}{',' * (len(letters) == 1)}) = {expected.shape}" if letters else "a number"
    if not isinstance(got, np.ndarray):
        raise ExerciseError(f"{name}: expected {'an array ' * bool(letters)}{wanted}, got {type(got).__name__}\n"
                            f"  {where}")
    if got.shape != expected.shape:
        raise ExerciseError(f"{name}: expected {wanted}, got {got.shape}\n  {where}")
    if letters and got.dtype != expected.dtype:
        raise ExerciseError(f"{name}: expected {expected.dtype} like the arguments, got {got.dtype}\n  {where}")


def _axis(letter, i, size):
    """What place i of an axis is called."""
    if letter == "G":
        return f"gate {GATES[4 * i // size]}, neuron {i % (size // 4)}"
    return STATES[i] if letter == "2" else f"{AXES[letter]} {i}"


def _wrong(name, letters, got, expected, *, backwards):
    """None, or the first wrong number in the order of computation, and what else there is to say."""
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    with np.errstate(invalid="ignore"):
        right = (got == expected) | (np.abs(got - expected) <= TOLERANCE[str(expected.dtype)] * scale)
    if right.all():
        return None
    timed, wrong = letters.startswith("T"), np.argwhere(~right)
    place = tuple(map(int, wrong[np.argmax(wrong[:, 0])] if timed and backwards else wrong[0]))
    axes = ", ".join(map(_axis, letters, place, got.shape))
    at = f"[{', '.join(map(str, place))}] ({axes})" if letters else ""
    said = [f"wrong in {len(wrong)} of {got.size} numbers of {name}"] if got.size > 1 else []
    if timed and place[0] != (len(got) - 1 if backwards else 0):
        said.append(f"all {'later' if backwards else 'earlier'} time steps are right")
    numbers = [value[place] + 0 for value in (got, expected)]                # + 0: never -0
    digits = 8 if f"{numbers[0]:.8g}" != f"{numbers[1]:.8g}" else 17
    return f"{name}{at}: got {numbers[0]:.{digits}g}, expected {numbers[1]:.{digits}g}", said
