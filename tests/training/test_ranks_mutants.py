"""Break on purpose what ranks exchange; updates of two and three ranks must then differ from those of one process.

A mutant is a function of the package with one piece of its source replaced. The score is printed by `pytest -s`; one
survivor fails.
"""
import importlib
import inspect
import textwrap
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from threads_as_ranks import on_ranks
from training import test_ranks_train
from training.test_ranks_train import NETWORKS, batch, part_of

import minindrnn.core.ranks
from minindrnn import Adam, cross_entropy
from minindrnn.core.ranks import ALONE
from minindrnn.training import step
from minindrnn.training.run import arrays_of


MUTANTS = [
    ("core.ranks", "Ranks.sum", "a forgotten sum", "return self.gather(array).sum(axis=0)", "return array"),
    ("core.ranks", "Ranks.sum", "a mean for a sum", "self.gather(array).sum(axis=0)", "self.gather(array).mean(axis=0)"),
    ("core.ranks", "Ranks.sum", "the last rank is left out", "self.gather(array).sum(", "self.gather(array)[:-1].sum("),
    ("core.ranks", "Ranks.sum", "slices are not summed", "self.comm.exchange(slices).sum(axis=0)", "slices[self.rank]"),
    ("core.ranks", "Ranks.sum", "the slice of the first rank for all", "self.comm.gather(total).reshape(-1)",
     "np.tile(total, self.size)"),
    ("core.ranks", "Ranks.sum", "a borrowed sequence counts in slices", "        if self.counts:\n", "        if True:\n"),
    ("core.ranks", "Ranks.gather", "a borrowed sequence counts", "array if self.counts else np.zeros_like(array)", "array"),
    ("core.ranks", "Ranks._bounds", "a sequence is two ranks' share", "(rank + 1) * self.sequences // self.size",
     "min(self.sequences, (rank + 1) * self.sequences // self.size + 1)"),
    ("core.ranks", "Ranks._bounds", "the last sequence is nobody's", "(rank + 1) * self.sequences // self.size",
     "(rank + 1) * self.sequences // self.size - (rank + 1 == self.size)"),
    ("core.ranks", "Ranks.weigh", "a mean of means", "n / float(self.sum(n))", "self.counts / float(self.sum(1.0))"),
    ("core.ranks", "Ranks.weigh", "a sum of means", "n / float(self.sum(n))", "0 * self.sum(n) + 1.0"),
    ("core.ranks", "Ranks.weigh", "the loss alone is weighed", "gradient * gradient.dtype.type(weight)", "gradient"),
    ("core.ranks", "Ranks.weigh", "the gradient alone is weighed", "weight * value", "value"),
    ("core.ranks", "Ranks.sum_in_place", "the first array for all", "total[at:at + array.size]", "total[:array.size]"),
    ("core.ranks", "Ranks.sum_in_place", "sums are lost", "array[...] = total", "array.copy()[...] = total"),
    ("ops.batchnorm", "moments", "statistics of one rank", "if ranks.size > 1:", "if False:"),
    ("ops.batchnorm", "of_all", "a mean of means", "(n * means).sum(axis=0) / total", "means.mean(axis=0)"),
    ("ops.batchnorm", "of_all", "variances within ranks alone", "variances + (means - mean)**2", "variances"),
    ("ops.batchnorm", "of_all", "variances between ranks alone", "variances + (means - mean)**2", "(means - mean)**2"),
    ("ops.batchnorm", "of_all", "padding of a rank counts", "np.where(parts[:, :, :1] > 0, parts, 0)", "parts"),
    ("ops.batchnorm", "of_all", "values of one rank are counted", "return n.sum(axis=0)[:, 0]", "return n[0, :, 0]"),
    ("ops.batchnorm", "backward_sums", "sums of one rank", "total, product = ranks.sum(np.stack([total, product]))", "pass"),
    ("ops.batchnorm", "backward_sums", "the mean of one rank", "ranks.sum(np.stack([total, product]))",
     "total, ranks.sum(product)"),
    ("ops.batchnorm", "backward_sums", "gain and shift counted by every rank",
     "    dgamma, dbeta = product.sum(axis=0).astype(dy.dtype), total.sum(axis=0).astype(dy.dtype)\n"
     "    if own.any():\n        total, product = ranks.sum(np.stack([total, product]))\n",
     "    if own.any():\n        total, product = ranks.sum(np.stack([total, product]))\n"
     "    dgamma, dbeta = product.sum(axis=0).astype(dy.dtype), total.sum(axis=0).astype(dy.dtype)\n"),
    ("ops.dropout", "draw", "every rank has the mask of the first", "np.arange(first * shape[1], (first + shape[0]) * shape[1]",
     "np.arange(0, shape[0] * shape[1]"),
    ("ops.dropout", "draw", "masks of ranks overlap", "np.arange(first * shape[1], (first + shape[0]) * shape[1]",
     "np.arange(first, first + shape[0] * shape[1]"),
    ("ops.dropout", "dropout_forward", "nobody knows whose part it is", "x.dtype, ranks.first)", "x.dtype)"),
    ("networks.fused", "unit_forward", "a mask of its own", "h.dtype, ranks.first)", "h.dtype)"),
    ("networks.fused", "unit_forward", "dropout alone", "rng, ranks=ranks)\n        return", "rng)\n        return"),
    ("networks.fused", "unit_forward", "statistics of its own", "mask=mask, ranks=ranks, **how)", "mask=mask, **how)"),
    ("networks.indrnn", "Unit.forward", "statistics of its own, before", "a, of_norm = self.norm.forward(a, lengths=lengths, ranks=ranks,",
     "a, of_norm = self.norm.forward(a, lengths=lengths,"),
    ("networks.indrnn", "Unit.forward", "dropout of its own", "self.dropout, rng, ranks=ranks)", "self.dropout, rng)"),
    ("training.step", "train_step", "nobody shares", "rng=rng, ranks=ranks)", "rng=rng)"),
    ("training.step", "train_step", "gradients of one rank",
     "    ranks.sum_in_place([grad for _, _, grad in matched(optimiser.parameters, grads)])\n", ""),
    ("training.step", "train_step", "the loss of one rank", "float(ranks.sum(value))", "float(value)"),
    ("training.step", "train_step", "the loss of the parts is not weighed",
     "ranks.weigh(counted(target), *loss(y, target))", "loss(y, target)"),
    ("training.step", "train_step", "the penalty is counted by every rank", "    value = float(ranks.sum(value))\n    ranks.sum_in_place(",
     "    for _, parameter, grad in matched(optimiser.parameters, grads) if penalty else ():\n"
     "        if parameter.role == 'recurrent':\n"
     "            grad += penalty * bounds.penalty(parameter.value, bound)[1]\n"
     "    value = float(ranks.sum(value))\n    ranks.sum_in_place("),
]

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
    return losses, arrays_of(network) | {name: array for name, array in optimiser.state().items() if name.startswith("m.")}


def assert_equal_to_one_process(wanted, monkeypatch):
    with np.errstate(all="ignore"):
        for per_step in (False, True):
            test_ranks_train.test_a_rank_may_have_padding_alone_at_a_step(per_step)
        for (case, size, large), (losses, arrays) in wanted.items():
            monkeypatch.setattr(minindrnn.core.ranks, "LARGE", large)
            for their_losses, theirs in on_ranks(size, lambda ranks, case=case: three_updates(case, ranks.of)):
                assert_allclose(their_losses, losses, rtol=0, atol=1e-8)
                for path, array in arrays.items():
                    # a bias before a normalisation has no gradient but rounding
                    assert_allclose(theirs[path], array, rtol=0, atol=1e-6 if path.endswith(".b") else 1e-8, err_msg=path)


def broken(module, path, old, new):
    """Put the changed function into its module or class. Returns what undoes that."""
    module = importlib.import_module(f"minindrnn.{module}")
    *classes, name = path.split(".")
    owner = getattr(module, classes[0]) if classes else module
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    if classes:
        source = textwrap.indent(source, "    ")                            # pieces stand as they do in the file
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {path}"
    changed = textwrap.dedent(source.replace(old, new))
    made = {}
    exec(compile(changed, module.__file__, "exec"), vars(module), made)
    return owner, name, function, made[name]


def test_every_mutant_is_killed(monkeypatch):
    wanted = {(case, size, large): three_updates(case, ALONE.of) for case, size, large in
              [(CASES[0], 2, 10**6), (CASES[1], 2, 10**6), (CASES[3], 3, 0), (CASES[4], 3, 0), (CASES[5], 3, 10**6),
               (CASES[2], 3, 10**6)]}
    assert_equal_to_one_process(wanted, monkeypatch)
    survivors = []
    for module, path, words, old, new in MUTANTS:
        owner, name, function, changed = broken(module, path, old, new)
        users = [found for found in map(importlib.import_module, ("minindrnn.networks.fused", "minindrnn.networks.indrnn"))
                 if getattr(found, name, None) is function]
        with pytest.MonkeyPatch.context() as patched:
            for each in (owner, *users):
                patched.setattr(each, name, changed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    assert_equal_to_one_process(wanted, patched)
            except Exception as error:
                said = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
                print(f"killed: {module}.{path}: {words}: {said[0]}")
            else:
                survivors.append(f"{module}.{path}: {words}")
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} killed")
    assert not survivors
