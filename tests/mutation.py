"""Mutants: the package with one fault in it, put in on purpose. The three `test_mutants*` make them here, from tables:
tests/mutants/ROOM/MODULE.py holds the faults of minindrnn/ROOM/MODULE.py.

    BACKWARD   {problem: [row, ...]}   the gradient check of that problem of `checks.cases` must notice each of them
    OTHER      [row, ...]              faults in what has no gradient: tests/ROOM/test_MODULE.py must notice each
    TESTS      [name, ...]             or else these: a test, or a file, which stands for all of its tests
    WITHOUT    [name, ...]             but not these tests of a file, unless TESTS has their names: they take long, or
                                       ask for compiled kernels
    RANKS      [row, ...]              faults in what ranks exchange: `test_mutants_of_ranks` must notice each

A row is (name, tag, fault, old, new):

    name   a function, Class.method or a constant of the module; function.kernel where the one makes the other
    tag    the equation of the line, "B2"; None to look at all lines of the name
    fault  in words
    old    a piece of code that stands once in those lines; comments and the blanks before them are no part of it.
           Further lines of a piece are indented from the line in which it begins
    new    what stands there in the mutant
"""
import ast
import contextlib
import importlib
import inspect
import re
import runpy
import sys
import textwrap
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numba
import pytest

from minindrnn.ops import recurrence_kernels

FOLDER = Path(__file__).parent / "mutants"


class Mutant(NamedTuple):
    module: str              # "ops.linear"
    name: str
    tag: str | None = None
    fault: str = "unchanged"
    old: str = ""
    new: str = ""

    def __str__(self):
        return f"{self.module}.{self.name}{f' {self.tag}' if self.tag else ''}: {self.fault}"


class MutantError(ValueError):
    """A mistake in a table; it names the row."""


class Table(NamedTuple):
    backward: dict           # {problem: [Mutant]}
    other: list              # of Mutant
    tests: list              # of names
    without: list            # of names
    ranks: list              # of Mutant


@cache
def tables():
    """{module: its Table}"""
    found = {}
    for path in sorted(FOLDER.rglob("*.py")):
        module = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        held = runpy.run_path(str(path))
        backward = {problem: mutants(module, rows) for problem, rows in held.get("BACKWARD", {}).items()}
        found[module] = Table(backward, mutants(module, held.get("OTHER", [])), held.get("TESTS", []),
                              held.get("WITHOUT", []), mutants(module, held.get("RANKS", [])))
    return found


def mutants(module, rows):
    for row in rows:
        if len(row) != 5:
            raise MutantError(f"{module}: expected (name, tag, fault, old, new), got {row}")
    return [Mutant(module, *row) for row in rows]


# ---------------------------------------------------------------------------------------------------------
# Source

class Source(NamedTuple):
    lines: list              # without comments and trailing blanks
    tags: list               # of each line: the equations that its comment names
    tree: ast.Module


@cache
def source(module):
    path = importlib.import_module(f"minindrnn.{module}").__file__
    with tokenize.open(path) as file:
        text = file.read()
    lines = text.splitlines()
    tags = [frozenset()] * len(lines)
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1], tags[row - 1] = lines[row - 1][:column], equations(token.string)
    return Source([line.rstrip() for line in lines], tags, ast.parse(text))


def equations(comment):
    """The tags with which a comment begins.

    >>> sorted(equations("# B1 to B3, B6: four times"))
    ['B1', 'B2', 'B3', 'B6']
    """
    head = re.match(r"#\s*((?:[A-Z]\d+(?:, | to )?)*)", comment)[1]
    found = set()
    for letter, first, last in re.findall(r"([A-Z])(\d+)(?: to [A-Z](\d+))?", head):
        found |= {f"{letter}{number}" for number in range(int(first), int(last or first) + 1)}
    return frozenset(found)


def nodes(mutant):
    """The definitions on the way to what the mutant names, from the outermost one."""
    found, inside = [], source(mutant.module).tree
    for name in mutant.name.split("."):
        inside = next((child for child in inside.body if name in names(child)), None)
        if inside is None:
            raise MutantError(f"{mutant}: nothing in {mutant.module} has the name {mutant.name}")
        found.append(inside)
    return found


def names(node):
    """What a statement gives a name to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    found = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found | ({node.name} if hasattr(node, "name") else set())


def changed(mutant):
    """The lines of the module with the fault, or a MutantError."""
    lines, tags, _ = source(mutant.module)
    if not mutant.old:
        return lines
    node, found = nodes(mutant)[-1], []
    for first in range(node.lineno - 1, node.end_lineno):
        indent = re.match(" *", lines[first])[0]
        old, new = (piece.replace("\n", "\n" + indent) for piece in (mutant.old, mutant.new))
        last = min(first + old.count("\n") + 1, node.end_lineno)
        before, after, text = lines[:first], lines[last:], "\n".join(lines[first:last])
        if mutant.tag is None or mutant.tag in frozenset().union(*tags[first:last]):
            found += [before + (text[:match.start()] + new + text[match.end():]).split("\n") + after
                      for match in re.finditer(re.escape(old), text)]
    if len(found) != 1:
        where = f"the lines {mutant.tag} of {mutant.name}" if mutant.tag else mutant.name
        raise MutantError(f"{mutant}: expected {mutant.old!r} once in {where}, found it {len(found)} times")
    return found[0]


def definition(mutant):
    """The definition that holds the fault, of the module or of a class, as a tree; and the class's name, or None."""
    outer, *inner = nodes(mutant)
    node, owner = (inner[0], outer.name) if isinstance(outer, ast.ClassDef) else (outer, None)
    before, after = source(mutant.module).lines, changed(mutant)
    end = node.end_lineno + len(after) - len(before)
    try:
        made, = ast.parse(textwrap.dedent("\n".join(after[node.lineno - 1:end]))).body
    except SyntaxError as error:
        raise MutantError(f"{mutant}: {mutant.new!r} is no code there: {error.msg}") from None
    return made, owner


# ---------------------------------------------------------------------------------------------------------
# Putting it in, and taking it out

KERNELS = {"kernel", "inlined", "reordered", "unfused"}
SMALL = {"BLOCK": 4, "TERMS": 6, "ROWS": 4, "SMALL": 9}           # so that borders lie inside small problems
MAKERS = "forward_kernel", "backward_kernel"                      # of kernels that are made when they are asked for
MADE = ("ops.rnn", "KERNELS"),                                    # kernels that are made on import


@contextlib.contextmanager
def mutated(mutant):
    """Within, the package has the fault, wherever it uses what the mutant names."""
    made, kind = definition(mutant)
    module = importlib.import_module(f"minindrnn.{mutant.module}")
    owner, fresh = getattr(module, kind) if kind else module, executed(made, module, kind)
    with pytest.MonkeyPatch.context() as patched:
        if isinstance(made, ast.FunctionDef):
            target = vars(owner)[made.name]
            for inside in ("fget", "py_func", "__wrapped__"):     # of a property; a kernel; a static or cached function
                target = getattr(target, inside, target)
            for name in ("__code__", "__defaults__", "__kwdefaults__"):
                patched.setattr(target, name, getattr(fresh[made.name], name))
        else:
            for name in names(made):
                patched.setattr(owner, name, fresh[name])
        yield


def executed(made, module, kind=None):
    """{name: what it is} of a definition that belongs into the module, or into this class of it, and sees its names."""
    if kind:
        made = ast.ClassDef(kind, [], [], [made], [], **({"type_params": []} if sys.version_info >= (3, 12) else {}))
    found = {}
    exec(compile(ast.fix_missing_locations(ast.Module([made], [])), module.__file__, "exec"), vars(module), found)
    return dict(vars(found[kind])) if kind else found


def compiled(mutant):
    """Whether what it names is compiled, or makes what is."""
    marks = {decorator.id for node in ast.walk(nodes(mutant)[0]) for decorator in getattr(node, "decorator_list", [])
             if isinstance(decorator, ast.Name)}
    return bool(marks & KERNELS)


@contextlib.contextmanager
def uncompiled():
    """Within, every kernel of the package is the Python function that it is made of, for the tests too, and blocks and
    sums are short."""
    package = {name: module for name, module in sys.modules.items() if re.match(r"minindrnn\.(?!gpu)", name)}
    tests = [module for name, module in sys.modules.items() if re.search(r"(^|\.)test_\w+$", name)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(numba.config, "DISABLE_JIT", 1)
        for module in [*package.values(), *tests]:
            for name, value in list(vars(module).items()):
                if inspect.isfunction(getattr(value, "py_func", None)):
                    patched.setattr(module, name, value.py_func)
                elif name in SMALL:
                    patched.setattr(module, name, SMALL[name])
        for name in MAKERS:
            patched.setattr(recurrence_kernels, name, cache(getattr(recurrence_kernels, name).__wrapped__))
        for name, table in MADE:
            module = package[f"minindrnn.{name}"]
            made, _ = definition(Mutant(name, table))
            for key, value in executed(made, module)[table].items():
                patched.setitem(getattr(module, table), key, value)
        yield
