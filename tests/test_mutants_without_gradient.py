"""Break on purpose what has no gradient; the ordinary tests must notice each time.

The faults are those of OTHER in the tables of tests/mutants, see `mutation`. The tests of the module, and then those of
TESTS, are called one after the other until one fails. Where a kernel is broken, all kernels run without compilation,
with blocks and sums so short that their borders lie inside the problems. The score is printed by `pytest -s`; one
survivor fails.
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
def files():
    """{"ops/test_linear.py": names of its tests}"""
    return {path.relative_to(TESTS).as_posix(): [node.name for node in ast.parse(path.read_text()).body
                                                 if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
            for path in sorted(TESTS.rglob("test_*.py")) if "gpu" not in path.parts}


def found(name, module):
    """[(file, test)] of a name in the table of the module: a test, file::test, or a file with all its tests."""
    if name in files():
        return [(name, test) for test in files()[name]]
    places = [(file, test) for file, tests in files().items() for test in tests if name in (test, f"{file}::{test}")]
    if len(places) != 1:
        raise MutantError(f"{module}, TESTS: expected {name!r} to be one test, or a file, found it in "
                          f"{', '.join(file for file, _ in places) or 'no file'}")
    return places


@cache
def killers(module):
    """[(number, name, call)] for a module. Where a file stands, of each test the first set of parameters comes first,
    then of each the second, ..."""
    calls, own = [], f"{module.replace('.', '/test_')}.py"
    for entry in [own] * (own in files()) + tables()[module].tests:
        calls += sorted((each for place in found(entry, module) for each in sets(*place)), key=lambda each: each[0])
    if not calls:
        raise MutantError(f"{module}, TESTS: expected at least one test that can be called")
    return calls


def sets(file, name):
    """(number, name, call) for every set of parameters of a test; none if it is skipped, draws from Hypothesis, or asks
    for what neither FIXTURES nor its own file has."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    test = getattr(module, name)
    marks = getattr(test, "pytestmark", [])
    if hasattr(test, "hypothesis") or any(mark.name == "skipif" and mark.args[0] for mark in marks):
        return
    columns = []
    for mark in marks:
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            rows = [row.values if isinstance(row, type(pytest.param())) else row if len(names) > 1 else (row,)
                    for row in mark.args[1]]
            columns.append([dict(zip(names, row, strict=True)) for row in rows])
    for number, chosen in enumerate(itertools.product(*columns)):
        given = {name: value for part in chosen for name, value in part.items()}
        missing = [name for name in inspect.signature(test).parameters if name not in given]
        if not all(can_be_made(name, module) for name in missing):
            return

        def call(given=given, missing=missing):
            with contextlib.ExitStack() as stack:
                test(**given, **{name: fixture(name, module, stack) for name in missing})
        yield number, f"{name}[{number}]" if columns else name, call


FIXTURES = {"rng": lambda stack: np.random.default_rng(0),
            "tmp_path": lambda stack: Path(stack.enter_context(tempfile.TemporaryDirectory())),
            "monkeypatch": lambda stack: stack.enter_context(pytest.MonkeyPatch.context())}


def can_be_made(name, module):
    """Whether a fixture is one of FIXTURES, or a function of the file that asks for nothing else."""
    function = inspect.unwrap(getattr(module, name, None))
    return name in FIXTURES or inspect.isfunction(function) and not inspect.isgeneratorfunction(function) and all(
        can_be_made(argument, module) for argument in inspect.signature(function).parameters)


def fixture(name, module, stack):
    """What pytest would hand to a test of the module."""
    if name in FIXTURES:
        return FIXTURES[name](stack)
    function = inspect.unwrap(getattr(module, name))
    return function(*(fixture(argument, module, stack) for argument in inspect.signature(function).parameters))


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
def test_every_mutant_is_killed():
    for module in MODULES:
        killers(module)                           # so that all are imported before anything is broken
    verdicts = {}
    for mutant in MUTANTS:
        with mutated(mutant), uncompiled() if compiled(mutant) else contextlib.nullcontext():
            verdicts[str(mutant)] = noticed(mutant.module)
    assert len(verdicts) == len(MUTANTS)
    print(f"\nmutants killed: {sum(map(bool, verdicts.values()))} of {len(verdicts)}")
    for fault, said in verdicts.items():
        print(f"  {fault:<88} {said or 'SURVIVED'}"[:190])
    assert [fault for fault, said in verdicts.items() if not said] == []
