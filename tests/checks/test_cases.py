"""Every hand-derived gradient against finite differences, on sizes and values that Hypothesis picks the seed of."""
import numpy as np
import pytest
from hypothesis import given
from strategies import seeds

from minindrnn.checks.cases import PROBLEMS
from minindrnn.checks.gradcheck import TOLERANCE, check


@pytest.mark.parametrize("name", PROBLEMS)
@given(seed=seeds)
def test_gradients(name, seed):
    module, problem = PROBLEMS[name]
    rng = np.random.default_rng(seed)
    errors = check(problem(module, rng), rng)
    assert errors and max(errors.values()) <= TOLERANCE
