"""Break on purpose what has no gradient; the ordinary tests must notice each time.

The faults are those of OTHER in the tables of tests/mutants, see `mutation`. The tests of the module, and then those of
TESTS, are called one after the other until one fails; not those of LONG, nor those that are marked as slow. Where a
kernel is broken, all kernels run without compilation, with blocks and sums so short that their borders lie inside the
problems. The score is printed by `pytest -s`; one survivor fails.
"""
import ast
import contextlib
import importlib
import inspect
import io
import itertools
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from mutation import MutantError, compiled, mutated, tables, uncompiled

TESTS = Path(__file__).parent
MUTANTS = [mutant for table in tables().values() for mutant in table.other]
MODULES = sorted({mutant.module for mutant in MUTANTS})


# ---------------------------------------------------------------------------------------------------------
# Tests, found and called

@cache
def functions():
    """{"ops/test_linear.py": what it defines}"""
    return {path.relative_to(TESTS).as_posix(): [node for node in ast.parse(path.read_text()).body
                                                 if isinstance(node, ast.FunctionDef)]
            for path in sorted(TESTS.rglob("test_*.py")) if "gpu" not in path.parts}


@cache
def files():
    """{"ops/test_linear.py": names of its tests}"""
    return {file: [node.name for node in nodes if node.name.startswith("test_")] for file, nodes in functions().items()}


@cache
def automatic(file):
    """Names of the fixtures that every test of the file asks for without a word."""
    return [node.name for node in functions()[file]
            if any("autouse=True" in ast.unparse(decorator) for decorator in node.decorator_list)]


def found(name, module):
    """[(file, test)] of a name in the table of the module: a test, file::test, or a file with all its tests."""
    if name in files():
        return [(name, test) for test in files()[name]]
    places = [(file, test) for file, tests in files().items() for test in tests if name in (test, f"{file}::{test}")]
    if len(places) != 1:
        raise MutantError(f"{module}, TESTS or LONG: expected {name!r} to be one test, or a file, found it in "
                          f"{', '.join(file for file, _ in places) or 'no file'}")
    return places


@cache
def killers(module):
    """[(number, name, call)] for a module. Where a file stands, of each test the first set of parameters comes first,
    then of each the second, ..."""
    calls, own, table = [], f"{module.replace('.', '/test_')}.py", tables()[module]
    long = [place for entry in table.long for place in found(entry, module)]
    for entry in [own] * (own in files()) + table.tests:
        places = [place for place in found(entry, module) if entry not in files() or place not in long]
        calls += sorted((each for place in places for each in sets(*place)), key=lambda each: each[0])
    if not calls:
        raise MutantError(f"{module}, TESTS: expected at least one test that can be called")
    return calls


def sets(file, name):
    """(number, name, call) for every set of parameters of a test; none if it is skipped, takes long, draws from
    Hypothesis, or asks for what neither FIXTURES nor its own file has."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    test = getattr(module, name)
    marks = getattr(test, "pytestmark", [])
    if hasattr(test, "hypothesis") or any(mark.name in MARKS or mark.name == "skipif" and mark.args[0]
                                          for mark in marks):
        return
    columns = []
    for mark in marks:
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            rows = [row.values if isinstance(row, type(pytest.param())) else row if len(names) > 1 else (row,)
                    for row in mark.args[1] if not getattr(row, "marks", ())]
            columns.append([dict(zip(names, row, strict=True)) for row in rows])
    own = list(inspect.signature(test).parameters)
    for number, chosen in enumerate(itertools.product(*columns)):
        given = {name: value for part in chosen for name, value in part.items()}
        if not all(name in given or can_be_made(name, module) for name in [*automatic(file), *own]):
            return

        def call(given=given):
            with contextlib.ExitStack() as stack:
                values = Fixtures(given, module, stack)
                asked = {name: values[name] for name in [*automatic(file), *own]}
                test(**{name: asked[name] for name in own})
        yield number, f"{name}[{number}]" if columns else name, call


MARKS = "slow", "compiled"          # of tests that take long
FIXTURES = {"rng": lambda stack: np.random.default_rng(0),
            "tmp_path": lambda stack: Path(stack.enter_context(tempfile.TemporaryDirectory())),
            "monkeypatch": lambda stack: stack.enter_context(pytest.MonkeyPatch.context())}


def can_be_made(name, module):
    """Whether a fixture is one of FIXTURES, or a function of the file that asks for nothing else."""
    function = inspect.unwrap(getattr(module, name, None))
    return name in FIXTURES or inspect.isfunction(function) and not inspect.isgeneratorfunction(function) and all(
        can_be_made(argument, module) for argument in inspect.signature(function).parameters)


class Fixtures(dict):
    """What pytest would hand to a test of the module: {name: value}, each made when it is first asked for."""

    def __init__(self, given, module, stack):
        super().__init__(given)
        self.module, self.stack = module, stack

    def __missing__(self, name):
        if name in FIXTURES:
            self[name] = FIXTURES[name](self.stack)
        else:
            function = inspect.unwrap(getattr(self.module, name))
            self[name] = function(*(self[argument] for argument in inspect.signature(function).parameters))
        return self[name]


def noticed(module, at_most=1000):
    """The first test that fails, with one of its first so many sets of parameters, and what it says; None if all pass.
    A name that is not there is a mistake in a mutant."""
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], np.errstate(all="ignore"):
        for number, name, call in killers(module):
            try:
                number >= at_most or call()
            except pytest.skip.Exception:
                pass
            except (NameError, ImportError, SyntaxError):
                raise
            except (Exception, SystemExit, pytest.fail.Exception) as error:
                said = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
                return f"{name}: {said[0]}"
    return None


# ---------------------------------------------------------------------------------------------------------
# Mutants

@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("module", MODULES)
def test_what_is_taken_out_and_put_in_again_unchanged_passes(module):
    """One set of parameters of each test; all of them where there are kernels, which then run without compilation."""
    killers(module)
    names = {mutant.name: mutant for mutant in MUTANTS if mutant.module == module}
    kernels = any(map(compiled, names.values()))
    with contextlib.ExitStack() as stack:
        for mutant in names.values():
            stack.enter_context(mutated(mutant._replace(old="", new="")))
        stack.enter_context(uncompiled() if kernels else contextlib.nullcontext())
        assert noticed(module, 1000 if kernels else 1) is None


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("module", MODULES)
def test_every_mutant_is_killed(module):
    for each in MODULES:
        killers(each)                             # so that all are imported before anything is broken
    verdicts = {}
    for mutant in tables()[module].other:
        with mutated(mutant), uncompiled() if compiled(mutant) else contextlib.nullcontext():
            verdicts[str(mutant)] = noticed(module)
    assert len(verdicts) == len(tables()[module].other)
    print(f"\n{module}, mutants killed: {sum(map(bool, verdicts.values()))} of {len(verdicts)}")
    for fault, said in verdicts.items():
        print(f"  {fault:<88} {said or 'SURVIVED'}"[:190])
    assert [fault for fault, said in verdicts.items() if not said] == []
