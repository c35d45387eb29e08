"""The tables of mutants: every row stands in the source, once, and a row that does not is named."""
import importlib.util

import pytest
from mutation import Mutant, MutantError, changed, definition, mutants, mutated, source, tables

from minindrnn.checks.cases import PROBLEMS
from minindrnn.ops.linear import scaled

ROW = Mutant("ops.linear", "narrow_backward", "B2", "of the last row only", "part[m, n] +=", "part[m, n] =")


def lines_changed(mutant):
    lines, after = source(mutant.module).lines, changed(mutant)
    return [line.strip() for before, line in zip(lines, after, strict=True) if before != line]


@pytest.mark.parametrize("module", tables())
def test_every_row_stands_in_the_source_once(module):
    backward, other, *_, ranks = tables()[module]
    wrong = []
    for mutant in [*other, *ranks, *(mutant for rows in backward.values() for mutant in rows)]:
        try:
            definition(mutant)
        except MutantError as error:
            wrong.append(str(error))
    assert wrong == []


@pytest.mark.parametrize("module", tables())
def test_every_table_is_that_of_a_module_and_of_its_problems(module):
    assert importlib.util.find_spec(f"minindrnn.{module}")
    assert tables()[module].backward.keys() <= PROBLEMS.keys()


@pytest.mark.parametrize("module", tables())
def test_no_two_rows_are_alike(module):
    backward, other, *_, ranks = tables()[module]
    for rows in [other, ranks, *backward.values()]:
        assert len({(row.name, row.tag, row.old, row.new) for row in rows}) == len({*map(str, rows)}) == len(rows)


@pytest.mark.parametrize("other, error", [
    ({"old": "part[m, n] -="}, "expected 'part[m, n] -=' once in the lines B2 of narrow_backward, found it 0 times"),
    ({"tag": None, "old": "n] +="}, "expected 'n] +=' once in narrow_backward, found it 3 times"),
    ({"old": "dx[r, m] ="}, "expected 'dx[r, m] =' once in the lines B2 of narrow_backward, found it 0 times"),
    ({"tag": "B9"}, "expected 'part[m, n] +=' once in the lines B9 of narrow_backward, found it 0 times"),
    ({"old": "# B2"}, "expected '# B2' once in the lines B2 of narrow_backward, found it 0 times"),
    ({"name": "backward"}, "nothing in ops.linear has the name backward"),
    ({"new": "part[m, n"}, "'part[m, n' is no code there: '[' was never closed")],
    ids=["not there", "often", "on another line", "no such tag", "a comment", "no such function", "no code"])
def test_a_row_that_is_wrong_is_named(other, error):
    row = ROW._replace(**other)
    with pytest.raises(MutantError) as caught:
        definition(row)
    assert str(caught.value) == f"{row}: {error}"
    assert str(ROW) == "ops.linear.narrow_backward B2: of the last row only"


def test_a_row_of_other_length_is_named():
    with pytest.raises(MutantError) as caught:
        mutants("ops.linear", [("scaled", None)])
    assert str(caught.value) == "ops.linear: expected (name, tag, fault, old, new), got ('scaled', None)"


def test_the_tag_tells_equal_pieces_apart():
    twice = Mutant("ops.recurrence", "obvious_backward", None, "", "dz", "dh[t]")
    with pytest.raises(MutantError, match="found it 4 times"):
        changed(twice)
    assert lines_changed(twice._replace(tag="B3")) == ["da[t] = dh[t]"]


def test_the_same_piece_in_another_function_is_not_looked_at():
    assert lines_changed(Mutant("ops.linear", "scaled", None, "", "inputs**-0.5", "inputs**-1")) == [
        'return lambda inputs: ("normal", 0, gain * inputs**-1)']


def test_comments_and_the_blanks_before_them_are_no_part_of_the_source():
    lines, tags, _ = source("ops.recurrence")
    line, = (number for number, text in enumerate(lines) if text.endswith("carry = u * dz"))
    assert tags[line] == {"B2"}


def test_further_lines_of_a_piece_are_indented_from_the_first():
    mutant = Mutant("ops.recurrence", "obvious_backward", None, "", "carry = u * dz\nda[t] = dz",
                    "da[t] = dz\ncarry = u * dz")
    assert lines_changed(mutant) == ["da[t] = dz", "carry = u * dz"]


def test_within_a_mutant_the_package_is_wrong_and_afterwards_right_again():
    row = Mutant("ops.linear", "scaled", None, "", "inputs**-0.5", "inputs**-1")
    with pytest.raises(KeyError), mutated(row):
        assert scaled()(4) == ("normal", 0, 0.25)
        raise KeyError
    assert scaled()(4) == ("normal", 0, 0.5)
