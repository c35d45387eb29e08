"""Break every backward pass on purpose; the gradient check must notice each time.

The faults are those of BACKWARD in the tables of tests/mutants, see `mutation`. Kernels run without compilation, with
blocks and sums so short that their borders lie inside the drawn problems. The score is printed by `pytest -s`; one
survivor fails.
"""
import contextlib

import numpy as np
import pytest
from mutation import mutated, tables, uncompiled

from minindrnn.checks.cases import PROBLEMS
from minindrnn.checks.gradcheck import GradientError, check
from minindrnn.networks.combinators import Chain

DRAWS = 40
MUTANTS = [(problem, mutant) for table in tables().values() for problem, mutants in table.backward.items()
           for mutant in mutants]


def noticed(problem):
    """What the gradient check says of the first draw that fails it, or None."""
    module, draw_problem = PROBLEMS[problem]
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        try:
            with np.errstate(all="ignore"):
                check(draw_problem(module, rng), rng)
        except (GradientError, ValueError, IndexError, KeyError) as error:
            return f"draw {draw + 1}, {error}"
    return None


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("problem", sorted({problem for problem, _ in MUTANTS}))
def test_what_is_taken_out_and_put_in_again_unchanged_passes(problem):
    names = {mutant[:2]: mutant for of, mutant in MUTANTS if of == problem}
    with contextlib.ExitStack() as stack:
        for mutant in names.values():
            stack.enter_context(mutated(mutant._replace(old="", new="")))
        stack.enter_context(uncompiled())
        assert noticed(problem) is None


def test_every_case_has_mutants():
    """But for a network that is nothing but a chain, which has no backward pass of its own."""
    for problem in PROBLEMS.keys() - {problem for problem, _ in MUTANTS}:
        module, _ = PROBLEMS[problem]
        own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
        kinds = [kind for kind in own if isinstance(kind, type)]
        chains = kinds and all(issubclass(kind, Chain) and "backward" not in vars(kind) for kind in kinds)
        assert chains, f"tests/mutants: no faults of {problem}: add three that its case must catch to a BACKWARD there"


@pytest.mark.slow
@pytest.mark.tutorial7
@pytest.mark.once
def test_every_mutant_is_killed():
    verdicts = {}
    for problem, mutant in MUTANTS:
        with mutated(mutant), uncompiled():
            verdicts[f"{problem}: {mutant}"] = noticed(problem)
    assert len(verdicts) == len(MUTANTS)
    print(f"\nmutants killed: {sum(map(bool, verdicts.values()))} of {len(verdicts)}, within {DRAWS} draws")
    for fault, said in verdicts.items():
        print(f"  {fault:<98} {said or 'SURVIVED'}"[:190])
    assert [fault for fault, said in verdicts.items() if not said] == []
