"""What all tasks have in common: a run of it, statistics, answers in pieces, fingerprints."""
import hashlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import Scripted

from minindrnn import ResidualIndRNN, StackedIndRNN, cross_entropy
from minindrnn.core.layer import leaves
from minindrnn.data.digits import load_digits
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.tasks.task import by_all_statistics, fingerprint, parts, predict
from minindrnn.training.run import arrays_of


def adam(network, grads, rate, decay, memory):
    """Kingma and Ba's algorithm 1, decay * value added to the gradients of weights."""
    memory["k"] = k = memory.get("k", 0) + 1
    for path, parameter, g in leaves(network.parameters, grads):
        g = g.astype(float) + (decay * parameter.value if parameter.role == "weight" else 0)
        m, v = memory.get(path, (0, 0))
        m, v = memory[path] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        parameter.value -= (rate * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k))
                                                         + 1e-8)).astype(parameter.value.dtype)


def images_of_digits():
    """The training images a row a step, (8, n, 8) in -1 to 1, and their labels."""
    return load_digits(rows=True)["train"]


@pytest.mark.parametrize("model, layer, layers", [("indrnn", StackedIndRNN, 2), ("residual", ResidualIndRNN, 1)])
def test_a_run_on_digits_is_the_loop_over_the_images(tmp_path, model, layer, layers):
    """Six updates: the order of the images, the rate, dropout, decay, gamma and the bound, all as the settings say."""
    given = dict(layers=layers, hidden=4, batch=9, updates=20, rate=0.03, seed=6, gamma=1.5, norm="after",
                 dropout=0.3, decay=0.2)
    run = TASKS["digits-rows"](settings("digits-rows", model, **given)).run(tmp_path)
    run.updates = 6
    run.start()
    run.train()
    x, labels = images_of_digits()
    wanted = layer(8, 4, layers, 10, np.random.default_rng([6, 0]), length=8, gamma=1.5, norm="after", dropout=0.3)
    order, memory, bound = np.random.default_rng([6, 1, 0]).permutation(1197), {}, np.float32(1.5 ** (1 / 8))
    for step in range(6):
        chosen, rate = order[9 * step:9 * step + 9], 0.03 * ((step + 1) / 2 if step < 2
                                                             else (1 + math.cos(math.pi * (step - 2) / 18)) / 2)
        y, cache = wanted.forward(np.ascontiguousarray(x[:, chosen]), statistics="batch",
                                  rng=np.random.default_rng([6, 3, step]))
        _, grads = wanted.backward(cross_entropy(y, labels[chosen])[1], cache)
        adam(wanted, grads, rate, 0.2, memory)
        wanted.absorb(cache)
        for _, parameter in leaves(wanted.parameters):
            if parameter.role == "recurrent":
                parameter.value[...] = np.clip(parameter.value, -bound, bound)
    for (name, array), other in zip(arrays_of(run.network).items(), arrays_of(wanted).values()):
        assert_allclose(array, other, rtol=2e-4, atol=2e-5, err_msg=name)


def test_three_ways_to_normalise_are_three_numbers():
    """By what training kept, by all training data, by the test batch itself; afterwards statistics are those of
    before."""
    class Batchwise:
        buffers = {"mean": np.array([7.0]), "updates": np.array([5])}
        parameters = {}

        def forward(self, x, lengths=None, statistics="running", ranks=None):
            return x, x

        def absorb(self, cache, average=False):
            assert average
            self.buffers["updates"] += 1
            self.buffers["mean"] += (cache.mean() - self.buffers["mean"]) / self.buffers["updates"]
    network = Batchwise()
    found = by_all_statistics(network,
                              lambda network, statistics: {"loss": (statistics, float(network.buffers["mean"][0]))},
                              [np.full((2, 1, 1), value) for value in (1.0, 2.0, 6.0)])
    assert found == {"loss": ("running", 7.0), "loss_population": ("running", 3.0), "loss_batch": ("batch", 7.0)}
    assert network.buffers["mean"].tolist() == [7.0] and network.buffers["updates"].tolist() == [5]
    assert by_all_statistics(SimpleNamespace(buffers={}), lambda network, statistics: {"loss": statistics},
                             ()) == {"loss": "running"}


@pytest.mark.parametrize("at_most", [1, 3, 7, 100])
def test_answers_come_in_pieces_each_sequence_once(at_most):
    x = np.arange(14.0).reshape(2, 7, 1)
    network = Scripted(np.arange(7.0)[:, np.newaxis])
    assert predict(network, x, at_most).tolist() == np.arange(7.0)[:, np.newaxis].tolist() and network.asked == 7
    pieces = list(parts(x, at_most))
    assert_array_equal(np.concatenate(pieces, axis=1), x)
    assert max(piece.shape[1] for piece in pieces) == min(at_most, 7)
    assert all(piece.flags.c_contiguous for piece in pieces)


def test_a_fingerprint_is_that_of_all_numbers():
    arrays = np.arange(6.0).reshape(2, 3), np.array([1, 2])
    assert fingerprint(*arrays) == hashlib.sha256(arrays[0].tobytes() + arrays[1].tobytes()).hexdigest()
    assert fingerprint(arrays[0].T) == hashlib.sha256(np.ascontiguousarray(arrays[0].T).tobytes()).hexdigest()
