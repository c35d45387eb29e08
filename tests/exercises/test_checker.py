"""The exercises: solutions pass, wrong ones are refused at the right array and place, and every slip gets an answer."""
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minindrnn.cli.commands import main
from minindrnn.exercises.checker import ExerciseError, check_exercise, check_file, starter
from minindrnn.exercises.expected import EXERCISES

pytestmark = pytest.mark.tutorial7

SOLUTIONS = Path(__file__).parents[2] / "tutorials/solutions"
WRONG = [       # exercise, what is wrong, old, new, how the message begins
    ("recurrence", "no carry", "da[t] = (dh[t] + carry)", "da[t] = dh[t]",
     r"da\[0, 0, 0\] \(time step 0, sequence 0, neuron 0\): got"),
    ("recurrence", "carry without u", "carry = u * da[t]", "carry = da[t]",
     r"dh0\[0, 0\] \(sequence 0, neuron 0\): got"),
    ("recurrence", "no derivative of relu", " * (h[t] > 0)", "", r"da\[0, 0, 0\]"),
    ("recurrence", "h[t] for h[t-1]", "h[t - 1] if t > 0 else h0", "h[t]", r"du\[0\] \(neuron 0\)"),
    ("recurrence", "h0 forgotten in du", "else h0", "else 0 * h0", r"du\[0\] "),
    ("recurrence", "mean for sum", ".sum(axis=0)", ".mean(axis=0)", r"du\[0\] "),
    ("recurrence", "dh0 forgotten", "du, carry  ", "du, 0 * carry  ", r"dh0\[0, 0\] "),
    ("recurrence", "forward in time", "reversed(range(len(dh)))", "range(len(dh))", r"dh0\[0, 0\]"),
    ("recurrence", "float64 out of float32", "np.zeros_like(u)", "np.zeros(len(u))",
     r"du: expected float32 like the arguments, got float64"),
    ("recurrence", "written over dh", "np.empty_like(dh)", "dh", r"dh was changed in place; it belongs to the caller"),
    ("recurrence", "wrong in the ninth digit", "return da, du, carry", "return da, du, carry * (1 + 3e-9)",
     r"dh0\[0, 0\] .*: got (-?\d\.\d{15,}), expected (?!\1)"),
    ("recurrence", "no dh0", "return da, du, carry", "return da, du", r"expected 3 results, da, du, dh0, got 2"),
    ("recurrence", "nothing returned", "return da, du, carry", "", r"expected 3 results, da, du, dh0, got none"),
    ("recurrence", "du of every sequence", ".sum(axis=0)", ".sum(axis=0)[np.newaxis]", r".* line \d+: du \+= "),
    ("recurrence", "dh0 without sequences", "du, carry  ", "du, carry[0]",
     r"dh0: expected \(B, N\) = \(1, 1\), got \(1,\)"),
    ("recurrence", "a list for an array", "return da, du, carry", "return da, list(du), carry",
     r"du: expected an array \(N,\) = \(1,\), got list"),
    ("recurrence", "NaN", "* (h[t] > 0)", "* (h[t] / h[t])", r"da\[0, 0, 0\] .*: got nan, expected 0"),
    ("recurrence", "a sum kept from call to call", 'import numpy as np\n',
     'import numpy as np\nkept = []\n\n\ndef indrnn_backward(dh, cache):\n    kept.append(1)\n'
     '    da, du, dh0 = backward(dh, cache)\n    return da, du * len(kept), dh0\n',
     "du: a second call with the same arguments gives other numbers"),
    ("linear", "absolute W", "dy @ W,", "dy @ abs(W),", r"dx\[0, 0, \d\] \(time step 0, sequence 0, input \d\)"),
    ("linear", "dW of the last step", "rows.T @ x,", "dy[-1].T @ x.reshape(*dy.shape[:2], -1)[-1],",
     r"dW\[0, 0\] \(neuron 0, input 0\)"),
    ("linear", "mean for sum", "rows.sum(axis=0)", "rows.mean(axis=0)", r"db\[0\] \(neuron 0\)"),
    ("linear", "dW transposed", "rows.T @ x", "x.T @ rows", r"dW: expected \(N, M\) = "),
    ("linear", "b forgotten", "x @ W.T + b", "x @ W.T", r"y\[0, 0, 0\]"),
    ("batchnorm", "mean of each step", "x.mean(axis=(0, 1))", "x.mean(axis=1, keepdims=True)", r"y\[0, 0, 0\]"),
    ("batchnorm", "unbiased variance", "((x - mean)**2).mean(axis=(0, 1))", "x.var(axis=(0, 1), ddof=1)",
     r"y\[0, 0, 0\]"),
    ("batchnorm", "statistics taken for constants", "(dy - dbeta / count - xhat * dgamma / count)", "dy", r"dx\["),
    ("batchnorm", "variance taken for a constant", " - xhat * dgamma / count", "", r"dx\["),
    ("batchnorm", "s forgotten", "gamma * s * (dy", "gamma * (dy", r"dx\["),
    ("batchnorm", "dgamma without xhat", "(dy * xhat).sum(axis=(0, 1))  ", "dy.sum(axis=(0, 1))  ", r"dx\["),
    ("batchnorm", "dgamma with gamma", "return dx, dgamma,", "return dx, gamma * dgamma,",
     r"dgamma\[0\] \(channel 0\)"),
    ("batchnorm", "mean for sum", "return dx, dgamma, dbeta", "return dx, dgamma, dbeta / count", r"dbeta\[0\] "),
    ("softmax", "exp overflows", "    y = y - y.max(axis=1, keepdims=True)\n", "", r"loss: got (nan|inf), expected "),
    ("softmax", "sum for mean", "np.mean(np.log", "np.sum(np.log", r"loss: got "),
    ("softmax", "right class forgotten", "    dy[rows, target] -= 1\n", "", r"dy\[0, \d\] \(sequence 0, class \d\)"),
    ("softmax", "not divided by B", "dy / len(y)", "dy", r"dy\[0, 0\] "),
    ("softmax", "y changed in place", "y = y - y.max", "y -= y.max", r"y was changed in place"),
    ("rnn", "U for U'", "da[t] @ U", "da[t] @ U.T", r"dh0\[|da\["),
    ("rnn", "no carry", "da[t] = (dh[t] + carry)", "da[t] = dh[t]", r"da\[0, 0, 0\]"),
    ("rnn", "sigmoid's derivative", "(1 - h[t]**2)", "h[t] * (1 - h[t])", r"da\[0, 0, 0\]"),
    ("rnn", "dU transposed", "dU += da[t].T @ before", "dU += before.T @ da[t]",
     r"dU\[0, 1\] \(neuron 0, previous neuron 1\)"),
    ("rnn", "h0 forgotten in dU", "else h0", "else 0 * h0", r"dU\[0, 0\] "),
    ("lstm", "no carry of c", "(1 - r**2) + carry_c", "(1 - r**2)",
     r"da\[0, 0, \d\] \(time step 0, sequence 0, gate [ifgo], neuron \d\)"),
    ("lstm", "cell kept without its gate", "da[t] @ U, dc * f", "da[t] @ U, dc",
     r"ds0\[1, 0, 0\] \(c, sequence 0, neuron 0\)"),
    ("lstm", "c[t] for c[t-1]", "dc * cell", "dc * c[t]", r"da\[0, 0, 1\] .*gate f, neuron 0"),
    ("lstm", "i and g exchanged", "dc * g, dc * cell, dc * i", "dc * i, dc * cell, dc * g",
     r"da\[0, 0, 0\] .*gate i, neuron 0"),
    ("lstm", "states exchanged", "np.stack([carry_h, carry_c])", "np.stack([carry_c, carry_h])", r"ds0\[0, 0, 0\]"),
    ("projection", "one side", "np.clip(u, -bound, bound)", "np.minimum(u, bound)",
     r"projected\[\d\] \(neuron \d\): got -"),
    ("projection", "the lower bound at the upper", "np.clip(u, -bound, bound)",
     "np.sign(u) * np.clip(abs(u), bound, bound)", r"projected\[0\]"),
    ("projection", "gamma over T", "gamma ** (1 / T)", "gamma / T", r"bound: got "),
    ("projection", "sign forgotten", "np.log(abs(u[between]))", "np.log(u[between])",
     r"t\[2\] \(neuron 2\): got nan, expected 6\.578"),
    ("projection", "u = 0 forgotten", "    t[u == 0] = 0\n", "", r"t\[0\] \(neuron 0\): got inf, expected 0"),
    ("residual", "skip forgotten", "dy + F_backward(dy)", "F_backward(dy)",
     r"dx\[0, 0, 0\] \(time step 0, sequence 0, channel 0\)"),
    ("residual", "branch forgotten", "dy + F_backward(dy)", "dy", r"dx\[0, 0, 0\]"),
    ("residual", "the other half", "dy[:, :, M:]", "dy[:, :, :-M]", r"dx\[0, 0, 0\]"),
    ("residual", "halves exchanged", "concatenate([x, F(x)]", "concatenate([F(x), x]", r"y\[0, 0, 0\]"),
    ("residual", "concatenated along time", "axis=2", "axis=0",
     r".* line \d+: return np.concatenate.*\n  ValueError|y: expected"),
]


def solution(name):
    return (SOLUTIONS / f"{name}.py").read_text()


def test_there_is_a_solution_for_every_exercise_and_three_wrong_ones():
    assert {path.stem for path in SOLUTIONS.glob("*.py")} == set(EXERCISES)
    for name in EXERCISES:
        assert sum(exercise == name for exercise, *_ in WRONG) >= 3


@pytest.mark.parametrize("name", EXERCISES)
def test_solutions_are_right(name, capsys):
    assert main(["exercise", name, str(SOLUTIONS / f"{name}.py")]) == 0
    written = ", ".join(function.__name__ for function in EXERCISES[name].written)
    said = re.fullmatch(rf"right: {written}, on (\d+) problems\n", capsys.readouterr().out)
    assert said and int(said[1]) >= 30


@pytest.mark.parametrize("name, fault, old, new, message", WRONG, ids=[f"{name}: {fault}" for name, fault, *_ in WRONG])
def test_wrong_solutions_are_refused_where_they_are_wrong(name, fault, old, new, message, tmp_path, capsys):
    text = solution(name)
    assert text.count(old) == 1
    if "kept" in new:
        text = text.replace("def indrnn_backward", "def backward")
    path = tmp_path / "mine.py"
    path.write_text(text.replace(old, new))
    with pytest.raises(SystemExit) as caught:
        main(["exercise", name, str(path)])
    said = capsys.readouterr().err.removeprefix("python -m minindrnn exercise: ")
    assert caught.value.code == 1 and re.match(message, said), said
    assert solution(name).strip() not in said and "Traceback" not in said and len(said.splitlines()) < 10


def test_the_message_says_what_is_right_and_shows_a_small_problem():
    def indrnn_backward(dh, cache):
        u, h0, h = cache
        da = dh * (h > 0)
        da[:-1] += u * da[1:] * (h[:-1] > 0)                 # carried over one step, not over two
        du = (da * np.concatenate([h0[None], h[:-1]])).sum(axis=(0, 1))
        return da, du, u * da[0]

    with pytest.raises(ExerciseError) as caught:
        check_exercise("recurrence", indrnn_backward)
    first, where, pattern, *inputs = str(caught.value).splitlines()
    assert re.fullmatch(r"da\[0, 0, 0\] \(time step 0, sequence 0, neuron 0\): got \S+, expected \S+", first)
    assert re.fullmatch(r"  indrnn_backward, problem \d+ of 44: T, B, N = 3, 1, 1, float64", where)
    assert pattern == "  wrong in 1 of 3 numbers of da; all later time steps are right"
    shown = dict(line.strip().split(" = ") for line in inputs)
    assert list(shown) == ["dh", "u", "h0", "h"]
    dh, u, h0, h = (np.array(eval(text)) for text in shown.values())          # the problem by hand, from what is shown
    d2 = dh[2] * (h[2] > 0)
    d1 = (dh[1] + u * d2) * (h[1] > 0)
    d0 = (dh[0] + u * d1) * (h[0] > 0)
    expected, got = (float(re.search(rf"{word} (\S+?),?$", first).group(1)) for word in ("expected", "got .*expected"))
    assert expected == pytest.approx(d0.item(), rel=1e-6) and got == expected


def test_what_was_right_before_is_said():
    with pytest.raises(ExerciseError, match=r"du\[0\] (.|\n)*, float64\n  right before it: da\n"):
        check_exercise("recurrence", *changed("recurrence", "else h0", "else 0 * h0"))


def changed(name, old, new):
    """The functions of a solution with a piece replaced."""
    text, defined = solution(name), {}
    assert text.count(old) == 1
    exec(text.replace(old, new), defined)
    return [defined[function.__name__] for function in EXERCISES[name].written]


def test_in_a_notebook():
    def project(u, bound):
        return np.clip(u, -bound, bound)

    def largest(T, gamma):
        return gamma ** (1 / T)

    with pytest.raises(ExerciseError, match="expected a function half_life, got none"):
        check_exercise("projection", largest, project)
    with pytest.raises(ValueError, match="exercise: expected one of recurrence, linear, .*, got 'adam'"):
        check_exercise("adam", project)

    def half_life(u):
        return np.array([np.inf if abs(v) >= 1 else 0 if v == 0 else np.log(0.5) / np.log(abs(v)) for v in u], u.dtype)

    assert check_exercise("projection", half_life, largest, project).startswith("right: largest, project, half_life")


@pytest.mark.parametrize("name", EXERCISES)
def test_starters_are_files_to_begin_with(name, tmp_path, capsys):
    path = tmp_path / "mine.py"
    assert main(["exercise", name]) == 0
    printed = capsys.readouterr().out
    assert main(["exercise", name, "--start", str(path)]) == 0
    assert path.read_text() == printed == starter(name)
    assert capsys.readouterr().out == f"made: {path}\n"
    defined = {}
    exec(compile(printed, str(path), "exec"), defined)
    for function in EXERCISES[name].written:
        assert "->" in defined[function.__name__].__doc__ or name == "projection"
    with pytest.raises(ExerciseError, match=f"^{EXERCISES[name].written[0].__name__}: not written yet"):
        check_file(name, path)
    with pytest.raises(SystemExit) as caught:
        main(["exercise", name, "--start", str(path)])
    assert caught.value.code == 2 and capsys.readouterr().err == (
        f"python -m minindrnn exercise: {path}: is there already, and is not written over\n")
    assert path.read_text() == printed


def test_the_starter_does_not_hold_the_solution():
    for name in EXERCISES:
        lines = [line.partition("#")[0].strip() for line in solution(name).splitlines() if "# B" in line]
        assert not any(line in starter(name) for line in lines)


def test_without_a_name_the_exercises_are_listed(capsys):
    assert main(["exercise"]) == 0
    listed = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert listed == [[name, exercise.title] for name, exercise in EXERCISES.items()]


@pytest.mark.parametrize("text, message", [
    ("",
     r"expected a function indrnn_backward, got none; to see how it begins: python -m minindrnn exercise recurrence"),
    ("indrnn_backward = 3", r"expected a function indrnn_backward, got int"),
    ("def indrnn_backward(dh, cache)\n    pass", r"\S+mine.py, line 1: not Python: expected ':'"),
    ("a = 1\nb = a + c\n", r"\S+mine.py, line 2: b = a \+ c\n  NameError: name 'c' is not defined"),
    ("import sys\nsys.exit(0)", r"\S+mine.py, line 2: sys.exit\(0\)\n  SystemExit: 0"),
    ("def indrnn_backward(dh):\n    pass", r"indrnn_backward, problem 1 of 44: .*\n  TypeError: .*takes 1 positional"),
    ("def indrnn_backward(dh, cache):\n    u, h = cache", r"\S+mine.py, line 2: u, h = cache\n  ValueError: "),
    ("import numpy as np\ndef indrnn_backward(dh, cache):\n    return np.matmul(dh, dh[0, 0])[5]",
     r"\S+mine.py, line 3: return np.matmul"),
])
def test_slips_get_a_line(text, message, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SystemExit) as caught:
        main(["exercise", "recurrence", str(path)])
    out, err = capsys.readouterr()
    assert caught.value.code == 1 and out == ""
    assert re.match(message, err.removeprefix("python -m minindrnn exercise: ")), err


@pytest.mark.parametrize("arguments, message", [
    (["adam"], "argument NAME: invalid choice: 'adam'"),
    (["--start", "mine.py"], "--start mine.py: expected the name of an exercise before it, got none"),
    (["linear", "none.py"], "none.py: cannot be read: No such file or directory"),
    (["linear", "."], ".: cannot be read: Is a directory"),
    (["linear", "--start", "none/mine.py"], "none/mine.py: cannot be written: No such file or directory"),
    (["linear", "a.py", "--start", "b.py"], "expected either FILE, to check it, or --start FILE, to make it"),
])
def test_wrong_words(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["exercise", *arguments])
    out, err = capsys.readouterr()
    assert caught.value.code == 2 and out == "" and message in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_endless_loop_can_be_stopped(tmp_path):
    path, here = tmp_path / "mine.py", tmp_path / "here"
    path.write_text(f"def indrnn_backward(dh, cache):\n    open({str(here)!r}, 'w').close()\n"
                    "    while True:\n        pass\n")
    process = subprocess.Popen([sys.executable, "-m", "minindrnn", "exercise", "recurrence", str(path)],
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while not here.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^stopped in \S+mine.py, line [34]: (while True:|pass)\n\Z", err, re.M)
    assert "Traceback" not in err


def test_a_list_of_results_will_do():
    functions = changed("recurrence", "return da, du, carry", "return [da, du, carry]")
    assert check_exercise("recurrence", *functions).startswith("right")
