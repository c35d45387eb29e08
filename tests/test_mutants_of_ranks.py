"""Break on purpose what ranks exchange; updates of two and three ranks must then differ from those of one process.

The faults are those of RANKS in the tables of tests/mutants, see `mutation`. The score is printed by `pytest -s`; one
survivor fails.
"""
import warnings

import numpy as np
import pytest
from mutation import mutated, tables
from numpy.testing import assert_allclose
from threads_as_ranks import on_ranks
from training import test_ranks_train
from training.test_ranks_train import NETWORKS, batch, part_of

import minindrnn.core.ranks
from minindrnn import Adam, cross_entropy
from minindrnn.core.ranks import ALONE
from minindrnn.training import step
from minindrnn.training.run import arrays_of

MUTANTS = [mutant for table in tables().values() for mutant in table.ranks]

# (network, sequences, penalty): over time, per step, before, and none; seven sequences, and fewer than there are ranks.
CASES = [("normalised over time", 7, 0.0), ("per step", 7, 0.0), ("per step, before", 7, 0.0), ("plain", 7, 0.5),
         ("normalised over time", 2, 0.0), ("LSTM", 2, 0.0)]


def three_updates(case, here_of):
    name, sequences, penalty = case
    network, losses = NETWORKS[name](np.random.default_rng(3)), []
    optimiser = Adam(network.parameters)
    for update in range(3):
        here = here_of(sequences)
        x, target, lengths = part_of(here, *batch(name, update, sequences))
        value, _ = step.train_step(network, cross_entropy, optimiser, x, target, 3e-3, lengths=lengths, bound=0.8,
                                   penalty=penalty, rng=np.random.default_rng([9, update]), ranks=here)
        losses.append(value)
    means = {name: array for name, array in optimiser.state().items() if name.startswith("m.")}
    return losses, arrays_of(network) | means


def assert_equal_to_one_process(wanted, monkeypatch):
    with np.errstate(all="ignore"):
        for per_step in (False, True):
            test_ranks_train.test_a_rank_may_have_padding_alone_at_a_step(per_step)
        for (case, size, large), (losses, arrays) in wanted.items():
            monkeypatch.setattr(minindrnn.core.ranks, "LARGE", large)
            for their_losses, theirs in on_ranks(size, lambda ranks, case=case: three_updates(case, ranks.of)):
                assert_allclose(their_losses, losses, rtol=0, atol=1e-8)
                for path, array in arrays.items():
                    atol = 1e-6 if path.endswith(".b") else 1e-8      # a bias before a norm feels rounding alone
                    assert_allclose(theirs[path], array, rtol=0, atol=atol, err_msg=path)


def test_every_mutant_is_killed(monkeypatch):
    wanted = {(case, size, large): three_updates(case, ALONE.of) for case, size, large in
              [(CASES[0], 2, 10**6), (CASES[1], 2, 10**6), (CASES[3], 3, 0), (CASES[4], 3, 0), (CASES[5], 3, 10**6),
               (CASES[2], 3, 10**6)]}
    assert_equal_to_one_process(wanted, monkeypatch)
    survivors = []
    for mutant in MUTANTS:
        with mutated(mutant), pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert_equal_to_one_process(wanted, patched)
            except Exception as error:
                said = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
                print(f"killed: {mutant}: {said[0]}")
            else:
                survivors.append(str(mutant))
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} killed")
    assert not survivors
