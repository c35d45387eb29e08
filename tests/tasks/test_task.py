"""What a task trains on, what it counts, and what it says of a run: worked out by hand from the data."""
import hashlib
import json
import math
import pickle
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from minindrnn import ResidualIndRNN, StackedIndRNN, cross_entropy
from minindrnn.cli.commands import main
from minindrnn.cli.finished_run import load_run, pictures, recurrent_weights, summary
from minindrnn.cli.plots import draw_memory
from minindrnn.core.layer import leaves
from minindrnn.core.ranks import ALONE
from minindrnn.data import download, mnist, motion
from minindrnn.data.adding import adding_problem
from minindrnn.data.digits import load_digits
from minindrnn.data.download import DataError, Source, look
from minindrnn.data.motion import load_motion
from minindrnn.data.text import load_text
from minindrnn.data.user_file import load_own
from minindrnn.tasks.classification import Classification
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.tasks.task import by_all_statistics, fingerprint, parts, predict
from minindrnn.tasks.user_file import UserFile
from minindrnn.training.run import arrays_of, strict_json


def adam(network, grads, rate, decay, memory):
    """Kingma and Ba's algorithm 1, decay * value added to the gradients of weights."""
    memory["k"] = k = memory.get("k", 0) + 1
    for path, parameter, g in leaves(network.parameters, grads):
        g = g.astype(float) + (decay * parameter.value if parameter.role == "weight" else 0)
        m, v = memory.get(path, (0, 0))
        m, v = memory[path] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        parameter.value -= (rate * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)).astype(parameter.value.dtype)


def images_of_digits():
    """The training images a row a step, (8, n, 8) in -1 to 1, and their labels."""
    return load_digits(rows=True)["train"]


@pytest.mark.parametrize("model, layer, layers", [("indrnn", StackedIndRNN, 2), ("residual", ResidualIndRNN, 1)])
def test_a_run_on_digits_is_the_loop_over_the_images(tmp_path, model, layer, layers):
    """Six updates: the order of the images, the rate, dropout, decay, gamma and the bound, all as the settings say."""
    given = dict(layers=layers, hidden=4, batch=9, updates=20, rate=0.03, seed=6, gamma=1.5, norm="after", dropout=0.3, decay=0.2)
    run = TASKS["digits-rows"](settings("digits-rows", model, **given)).run(tmp_path)
    run.updates = 6
    run.start()
    run.train()
    x, labels = images_of_digits()
    wanted = layer(8, 4, layers, 10, np.random.default_rng([6, 0]), length=8, gamma=1.5, norm="after", dropout=0.3)
    order, memory, bound = np.random.default_rng([6, 1, 0]).permutation(1197), {}, np.float32(1.5 ** (1 / 8))
    for step in range(6):
        chosen, rate = order[9 * step:9 * step + 9], 0.03 * ((step + 1) / 2 if step < 2 else (1 + math.cos(math.pi * (step - 2) / 18)) / 2)
        y, cache = wanted.forward(np.ascontiguousarray(x[:, chosen]), statistics="batch", rng=np.random.default_rng([6, 3, step]))
        _, grads = wanted.backward(cross_entropy(y, labels[chosen])[1], cache)
        adam(wanted, grads, rate, 0.2, memory)
        wanted.absorb(cache)
        for _, parameter in leaves(wanted.parameters):
            if parameter.role == "recurrent":
                parameter.value[...] = np.clip(parameter.value, -bound, bound)
    for (name, array), other in zip(arrays_of(run.network).items(), arrays_of(wanted).values()):
        assert_allclose(array, other, rtol=2e-4, atol=2e-5, err_msg=name)


def test_batches_of_an_epoch_are_a_permutation_of_the_seed():
    task = Classification(settings("own", batch=4, seed=3), {"T": 3, "M": 1, "K": 2})
    task.parts["train"] = np.arange(30).reshape(10, 3), np.arange(10), None
    assert task.epoch() == 3
    for epoch in (0, 1, 5):
        order = np.random.default_rng([3, 1, epoch]).permutation(10)
        for place, size in ((0, 4), (1, 4), (2, 2)):
            x, labels, lengths = task.batch(3 * epoch + place)
            assert labels.tolist() == order[4 * place:4 * place + 4].tolist() and len(labels) == size and lengths is None
            assert x.shape == (3, size, 1) and x[:, :, 0].T.tolist() == [[3 * k, 3 * k + 1, 3 * k + 2] for k in labels]


def test_a_batch_is_as_long_as_its_longest_sequence():
    task = Classification(settings("own"), {"T": 9, "M": 2, "K": 2})
    x, lengths = np.random.default_rng(0).normal(size=(5, 9, 2)), np.array([3, 9, 1, 5, 2])
    task.parts["train"] = x, np.array([0, 1, 0, 1, 1]), lengths
    got, labels, steps = task.take("train", np.array([3, 0, 4]))
    assert steps.tolist() == [5, 3, 2] and labels.tolist() == [1, 0, 1]
    assert_array_equal(got, x[[3, 0, 4], :5].transpose(1, 0, 2))


class Scripted:
    """Gives these answers, in turn; notes by which statistics, and with which lengths it was asked."""

    buffers = {"mean": np.zeros(1)}

    def __init__(self, answers):
        self.answers, self.asked, self.ways = answers, 0, []

    def forward(self, x, lengths=None, statistics="running", ranks=ALONE):
        y = self.answers[self.asked:self.asked + x.shape[1]]
        self.asked += x.shape[1]
        self.ways.append(statistics)
        return y, None


TRUE = np.array([0, 0, 0, 1, 2, 2])
SAID = np.array([0, 1, 1, 1, 0, 2])


def recognising(part):
    task = Classification(settings("own"), {"T": 3, "M": 1, "K": 3})
    task.parts[part] = np.zeros((6, 3, 1)), TRUE, None
    return task


def test_confusion_counts_the_true_class_in_its_row():
    """Twice a 0 was called 1, once a 2 was called 0."""
    task = recognising("test")
    network = Scripted(np.eye(3)[SAID])
    assert task.confusion(network).tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 1]]
    assert set(network.ways) == {"running"}
    lines = list(task.report(Scripted(np.eye(3)[SAID]), {"test_accuracy": 0.5}))
    assert [line.split()[1:] for line in lines[-3:]] == [["1", "2", "."], [".", "1", "."], ["1", ".", "1"]]
    assert lines[0].startswith("test accuracy 50.00% (3 of 6 ")


def test_so_many_of_n_are_rounded_not_cut():
    """0.58 x 50 is 28.999999999999996."""
    task = Classification(settings("own"), {"T": 3, "M": 1, "K": 21})
    task.parts["test"] = np.zeros((50, 3, 1)), np.zeros(50, int), None
    assert list(task.report(None, {"test_accuracy": 0.58})) == ["test accuracy 58.00% (29 of 50 sequences)"]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_class_counts_in_whatever_part_it_is(part):
    task = Classification(settings("own"), {"T": 3, "M": 2, "K": 1})
    task.parts = {name: (np.zeros((2, 3, 2)), np.array([0, 4 if name == part else 1]), None) for name in ("train", "validation", "test")}
    assert task.look() == {"T": 3, "M": 2, "K": 5}


def test_what_is_counted_is_called_by_its_name():
    units = {length: TASKS["motion"](settings("motion", length=length), {"T": 9, "M": 6, "K": 7}).unit for length in (0, 200)}
    assert units == {0: "recordings", 200: "windows"}


def test_statistics_of_the_adding_problem_are_those_of_twenty_batches():
    task, asked = TASKS["adding"](settings("adding", length=4, hidden=3, batch=2, norm="after")), []
    batch = task.batch
    task.batch = lambda step: asked.append(step) or batch(step)
    assert {"test_mse", "test_mse_population", "test_mse_batch"} == task.result(task.network(np.random.default_rng(0))).keys()
    assert asked == list(range(20))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_loss_and_accuracy_are_means_over_the_part(part):
    task, y = recognising(part), np.random.default_rng(0).normal(size=(6, 3))
    network = Scripted(y)
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    found = task.evaluate(network, part=part)
    assert found == {f"{part}_loss": pytest.approx(-np.mean(np.log(p[np.arange(6), TRUE]))),
                     f"{part}_accuracy": pytest.approx(np.mean(y.argmax(axis=1) == TRUE))}
    assert network.asked == 6 and set(network.ways) == {"running"}


def test_a_run_is_validated_by_the_running_statistics_of_the_validation_part():
    task = recognising("validation")
    task.parts["train"] = task.parts["test"] = np.zeros((6, 3, 1)), TRUE[::-1], None
    network = Scripted(np.eye(3)[SAID])
    assert task.run("nowhere").evaluate(network)["validation_accuracy"] == pytest.approx(0.5) and network.ways == ["running"]


def test_three_ways_to_normalise_are_three_numbers():
    """By what training kept, by all training data, by the test batch itself; statistics are those of before afterwards."""
    class Batchwise:
        buffers = {"mean": np.array([7.0]), "updates": np.array([5])}
        parameters = {}

        def forward(self, x, lengths=None, statistics="running", ranks=ALONE):
            return x, x

        def absorb(self, cache, average=False):
            assert average
            self.buffers["updates"] += 1
            self.buffers["mean"] += (cache.mean() - self.buffers["mean"]) / self.buffers["updates"]
    network = Batchwise()
    found = by_all_statistics(network, lambda network, statistics: {"loss": (statistics, float(network.buffers["mean"][0]))},
                              [np.full((2, 1, 1), value) for value in (1.0, 2.0, 6.0)])
    assert found == {"loss": ("running", 7.0), "loss_population": ("running", 3.0), "loss_batch": ("batch", 7.0)}
    assert network.buffers["mean"].tolist() == [7.0] and network.buffers["updates"].tolist() == [5]
    assert by_all_statistics(SimpleNamespace(buffers={}), lambda network, statistics: {"loss": statistics}, ()) == {"loss": "running"}


def test_the_result_takes_statistics_from_every_training_sequence_once():
    task = recognising("test")
    task.settings = settings("own", batch=4)
    task.parts["train"] = np.arange(10.0).reshape(10, 1, 1), np.zeros(10, int), np.ones(10, int)
    absorbed = []

    class Noting(Scripted):
        parameters = {}

        def forward(self, x, lengths=None, statistics="running", ranks=ALONE):
            if len(self.ways) == 1 and statistics == "batch" and len(absorbed) < 10:
                assert lengths.tolist() == [1] * x.shape[1]
                return None, x.ravel().tolist()
            return super().forward(x, lengths, statistics)

        def absorb(self, cache, average):
            absorbed.extend(cache)
    network = Noting(np.tile(np.eye(3)[SAID], (3, 1)))
    result = task.result(network)
    assert sorted(absorbed) == list(range(10)) and network.ways == ["running", "running", "batch"]
    assert set(result) == {f"test_{what}{way}" for what in ("loss", "accuracy") for way in ("", "_population", "_batch")}


def test_adding_is_tested_on_numbers_of_its_own():
    task = TASKS["adding"](settings("adding", length=9, batch=5, seed=4))
    x, target = adding_problem(9, 1000, np.random.default_rng([4, 2]))
    assert_array_equal(task.test[0], x)
    for step in (0, 3):
        got, wanted, lengths = task.batch(step)
        again = adding_problem(9, 5, np.random.default_rng([4, 1, step]))
        assert lengths is None and np.array_equal(got, again[0]) and np.array_equal(wanted, again[1])
    network = Scripted(np.full((1000, 1), 1.0, np.float32))
    assert task.evaluate(network)["test_mse"] == pytest.approx(np.mean((1 - target.astype(float))**2), rel=1e-5)
    assert network.asked == 1000 and set(network.ways) == {"running"}


@pytest.mark.parametrize("at_most", [1, 3, 7, 100])
def test_answers_come_in_pieces_each_sequence_once(at_most):
    x = np.arange(14.0).reshape(2, 7, 1)
    network = Scripted(np.arange(7.0)[:, np.newaxis])
    assert predict(network, x, at_most).tolist() == np.arange(7.0)[:, np.newaxis].tolist() and network.asked == 7
    pieces = list(parts(x, at_most))
    assert_array_equal(np.concatenate(pieces, axis=1), x)
    assert max(piece.shape[1] for piece in pieces) == min(at_most, 7) and all(piece.flags.c_contiguous for piece in pieces)


# ---------------------------------------------------------------------------------------------------------
# Characters

def reading(folder, text, **given):
    (folder / "text.txt").write_text(text)
    return TASKS["chars"](settings("chars", **dict(length=5, hidden=4, layers=1, batch=2, data=str(folder / "text.txt")) | given))


class Weighing:
    """Says the same of every character, whatever it is shown."""

    def __init__(self, y):
        self.y, self.shown = np.array(y), []

    def forward(self, x, state=None, statistics="running", start=0, ranks=ALONE):
        self.shown.append((statistics, start, state))
        return np.tile(self.y, (*x.shape, 1)), None

    def step(self, x, state=None, *, start=0):
        self.shown.append((int(x[0]), start, state))
        return self.y[np.newaxis], len(self.shown)

    def last_state(self, cache):
        return "state"


def test_bits_are_nats_over_the_logarithm_of_two(tmp_path):
    """Of the validation "a" x 40 and "b" x 10: each character but the first is asked once."""
    task = reading(tmp_path, "ab" * 450 + "a" * 40 + "b" * 10 + "a" * 50)
    p = softmax([1.0, -0.5])
    wanted = -(39 * math.log2(p[0]) + 10 * math.log2(p[1])) / 49
    network = Weighing([1.0, -0.5])
    assert task.evaluate(network)["validation_bits"] == pytest.approx(wanted, rel=1e-12)
    assert {way for way, _, _ in network.shown} == {"running"}
    assert [start for _, start, _ in network.shown] == list(range(0, 49, 5))
    assert [state for _, _, state in network.shown] == [None] + ["state"] * 9
    assert task.evaluate(Weighing([1.0, -0.5]), part="test")["test_bits"] == pytest.approx(-math.log2(p[0]), rel=1e-12)


@pytest.mark.parametrize("n, places", [(240, 1), (1000, 1), (2020, 2), (60_000, 50)])
def test_a_text_is_read_from_many_places_ten_segments_apart(tmp_path, n, places):
    """At most 50 of them; its last tenth is half validation, half test."""
    task, shown = reading(tmp_path, "ab" * (n // 2), length=5), []
    network = Weighing([0.0, 0.0])
    forward = network.forward
    network.forward = lambda x, *arguments, **how: shown.append(x) or forward(x, *arguments, **how)
    assert task.evaluate(network)["validation_bits"] == pytest.approx(1)
    assert {x.shape[1] for x in shown} == {places}
    assert np.concatenate(shown).shape[0] == -(-(n // 20 - 1) // places)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_what_is_said_is_drawn_from_the_softmax_at_that_temperature(tmp_path, temperature):
    task, y = reading(tmp_path, "abc" * 300), np.array([1.0, 0.3, -0.8])
    network, p = Weighing(y), np.exp(y / temperature) / np.exp(y / temperature).sum()
    said = task.sample(network, "cab", 30, temperature, np.random.default_rng(8))
    rng = np.random.default_rng(8)
    wanted = [int(np.searchsorted(np.cumsum(p), rng.random())) for _ in range(30)]
    assert said == "".join("abc"[k] for k in wanted)
    assert network.shown == [(token, t, t or None) for t, token in enumerate([2, 0, 1, *wanted])]


def test_segments_follow_each_other_and_start_anew_one_time_in_ten(tmp_path):
    task = reading(tmp_path, "abcdefg" * 300, seed=2)
    text, n = task.parts["train"], task.segments
    assert n == (1890 - 1) // 11
    for epoch in (0, 3):
        first = np.random.default_rng([2, 1, epoch]).integers(1890 - 5 * n * 2)
        anew = np.random.default_rng([2, 1, epoch, 1]).random(n) < 0.1
        seen = 0
        for place in range(n):
            x, target, _ = task.batch(epoch * n + place)
            for stream in range(2):
                at = first + stream * 5 * n + 5 * place
                assert x[:, stream].tolist() == text[at:at + 5].tolist() and target[:, stream].tolist() == text[at + 1:at + 6].tolist()
            seen = 0 if place == 0 or anew[place] else seen + 5
            assert task.starts(epoch * n + place) == seen


# ---------------------------------------------------------------------------------------------------------
# Data

def ragged(path, n=60):
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 7, n)
    X = rng.normal([5, -300], [2, 40], (n, 6, 2))
    X[np.arange(6) >= lengths[:, np.newaxis]] = 1e6                    # padding: not to be counted
    X[:, :, 0] += np.arange(n)[:, np.newaxis]                          # so that the parts differ
    np.savez(path, X=X, y=np.arange(n) % 3, lengths=lengths)
    return str(path)


def test_numbers_are_standardised_by_the_training_part_alone(tmp_path):
    path = ragged(tmp_path / "mine.npz")
    task = UserFile(settings("own", data=path, seed=7))
    x, _, lengths = load_own(path, [7, 4])["train"]
    steps = np.concatenate([sequence[:length] for sequence, length in zip(x, lengths)])
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    assert_allclose(task.seen["mean"], mean, rtol=1e-12)
    assert_allclose(task.seen["deviation"], deviation, rtol=1e-12)
    assert (task.T, task.M, task.K) == (6, 2, 3)
    for part in ("train", "validation", "test"):
        raw, _, lengths = task.parts[part]
        scaled, _, _ = task.take(part, np.arange(len(raw)))
        for b, length in enumerate(lengths):
            assert_allclose(scaled[:length, b], (raw[b, :length] - mean) / deviation, rtol=1e-5, atol=1e-5)


def test_the_parts_of_ones_own_are_those_of_the_seed(tmp_path):
    """Sorted by class at random, every tenth to the test, the fifth after it to the validation."""
    path = ragged(tmp_path / "mine.npz")
    whole = np.load(path)
    rng = np.random.default_rng(5)
    order = rng.permutation(60)
    order = np.concatenate([order[whole["y"][order] == k] for k in range(3)])
    parts = {"test": order[0::10], "validation": order[5::10]}
    parts["train"] = np.array([i for i in order if i not in parts["test"] and i not in parts["validation"]])
    for name, (x, labels, _) in load_own(path, 5).items():
        assert sorted(x[:, 0, 0]) == sorted(whole["X"][parts[name], 0, 0])
        assert np.bincount(labels).tolist() == [len(parts[name]) // 3] * 3


def test_a_file_is_known_by_its_whole_hash(tmp_path):
    """Whichever of the 64 digits is another one: the file is not that which is looked for."""
    (tmp_path / "one").write_bytes(b"contents")
    right = hashlib.sha256(b"contents").hexdigest()
    assert look(Source("fake", {"one": right}, ("none",)), tmp_path) == {"one": b"contents"}
    for place in range(64):
        wrong = right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1:]
        with pytest.raises(DataError, match="one: expected SHA-256"):
            look(Source("fake", {"one": wrong}, ("none",)), tmp_path)


def test_a_fingerprint_is_that_of_all_numbers():
    arrays = np.arange(6.0).reshape(2, 3), np.array([1, 2])
    assert fingerprint(*arrays) == hashlib.sha256(arrays[0].tobytes() + arrays[1].tobytes()).hexdigest()
    assert fingerprint(arrays[0].T) == hashlib.sha256(np.ascontiguousarray(arrays[0].T).tobytes()).hexdigest()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_run_knows_its_own_data_by_every_number_of_every_part(tmp_path, part):
    path = tmp_path / "mine.npz"
    ragged(path)
    before = UserFile(settings("own", data=str(path))).seen["data"]
    one = load_own(path, [0, 4])[part][0][0, 0, 0]
    whole = dict(np.load(path))
    X = np.where(whole["X"] == one, one + 1e-9, whole["X"])
    assert np.count_nonzero(X != whole["X"]) == 1
    np.savez(path, **whole | {"X": X})
    assert UserFile(settings("own", data=str(path))).seen["data"] != before


def test_a_text_is_divided_ninety_to_five_to_five(tmp_path):
    whole = "".join(np.random.default_rng(0).choice(list("abe"), 1000))
    (tmp_path / "text.txt").write_text(whole)
    parts, symbols = load_text(tmp_path / "text.txt")
    read = {name: "".join(symbols[token] for token in part) for name, part in parts.items()}
    assert read == {"train": whole[:900], "validation": whole[900:950], "test": whole[950:]} and symbols == "abe"


def test_the_digits_are_always_divided_alike():
    """The labels of the three parts in their order, written down once; every other run would be another experiment."""
    parts = load_digits()
    found = {name: hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()[:12] for name, (_, labels) in parts.items()}
    assert {name: len(labels) for name, (_, labels) in parts.items()} == {"train": 1197, "validation": 300, "test": 300}
    assert found == {"train": "8daef539b211", "validation": "9734e6c90a81", "test": "2eb4464fa7d1"}


@pytest.mark.parametrize("folder", [None, "here"])
def test_images_are_held_out_by_the_seed(monkeypatch, folder):
    """The first 3000 of a permutation are the validation; the test stays what it is."""
    def file(array):
        return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
    x, labels = np.zeros((4000, 28, 28), np.uint8), (np.arange(4000) % 10).astype(np.uint8)
    x[:, 0, 0], x[:, 27, 27] = np.arange(4000) % 251, np.arange(4000) // 251
    asked = []
    monkeypatch.setattr(mnist, "read", lambda source, folder: asked.append((source, folder)) or dict(zip(
        mnist.NAMES, (file(x), file(labels), file(x[:7]), file(labels[:7])))))
    parts = mnist.load_images(mnist.MNIST, [3, 4], folder)
    order = np.random.default_rng([3, 4]).permutation(4000)
    number = {name: x[:, 0].astype(int) + 251 * x[:, -1].astype(int) for name, (x, _) in parts.items()}
    assert number["validation"].tolist() == order[:3000].tolist() and number["train"].tolist() == order[3000:].tolist()
    assert number["test"].tolist() == list(range(7)) and asked == [(mnist.MNIST, folder)]
    assert all(np.array_equal(labels, number[name] % 10) for name, (_, labels) in parts.items())


def test_where_data_is_looked_for(tmp_path, monkeypatch):
    """A folder that is named, else the variable, else the cache."""
    source = Source("fake", {"one": hashlib.sha256(b"contents").hexdigest()}, ("none",))
    for place in ("named", "variable/fake", "cache/minindrnn/fake"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "cache/minindrnn/fake/one").write_bytes(b"contents")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MININDRNN_DATA", str(tmp_path / "variable"))
    assert download.read(source) == {"one": b"contents"}
    with pytest.raises(DataError, match="expected a folder with one"):
        download.read(source, tmp_path / "named")


def test_recordings_are_those_of_the_file(monkeypatch):
    """An .npy file of one pickled dictionary; people are counted from 1 there, from 0 here."""
    found = {"X": [np.arange(12.0).reshape(2, 6), np.ones((3, 6))], "y": np.array([4, 6]), "subject": np.array([1, 10])}
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    inner = np.empty((), object)
    inner[()] = found
    pickled = pickle.dumps(inner, protocol=2).replace(b"numpy._core", b"numpy.core")
    contents = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled
    monkeypatch.setattr(motion, "read", lambda source, folder: {"watch_dataset.npy": contents})
    x, labels, people = motion.recordings("here")
    assert [one.tolist() for one in x] == [found["X"][0].tolist(), found["X"][1].tolist()] and {one.dtype for one in x} == {np.dtype(np.float32)}
    assert labels.tolist() == [4, 6] and people.tolist() == [0, 9]


def test_people_are_divided_by_the_fold(monkeypatch):
    found = [np.full((6, 6), person, np.float32) for person in range(10)]
    monkeypatch.setattr(motion, "recordings", lambda folder: (found, np.arange(10) % 7, np.arange(10)))
    who = {name: x[:, 0, 0].astype(int).tolist() for name, (x, _, _) in load_motion(3, 0).items()}
    assert who == {"train": [0, 1, 2, 3, 4, 5], "validation": [8, 9], "test": [6, 7]}
    _, labels, lengths = load_motion(3, 4)["test"]
    assert labels.tolist() == [6, 6, 0, 0] and lengths.tolist() == [4] * 4


# ---------------------------------------------------------------------------------------------------------
# What is said of a run

def test_the_result_is_that_of_the_network_in_the_checkpoint(tmp_path):
    """Over the 300 images of the test, by the network as it is read back; with the updates and seconds of the last row."""
    words = "train digits --rows --hidden 8 --layers 1 --batch 8 --updates 90 --rate 0.02 --seed 3 --out".split() + [str(tmp_path / "run")]
    assert main(words) == 0
    result = json.loads((tmp_path / "run/result.json").read_text())
    _, network, steps = load_run(tmp_path / "run")
    x, labels = load_digits(rows=True)["test"]
    y = network.forward(x)[0].astype(float)
    assert result["test_accuracy"] == pytest.approx(np.mean(y.argmax(axis=1) == labels))
    assert result["test_loss"] == pytest.approx(-np.mean(np.log(softmax(y, axis=1)[np.arange(300), labels])), rel=1e-5)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert result["updates"] == steps == 90 and result["seconds"] == rows[-1]["seconds"] and len(rows) == 45
    assert result["command"].split()[:4] == ["python", "-m", "minindrnn", "train"] and result["command"].split()[3:] == words
    assert main([*words, "--resume"]) == 0                       # there is nothing left to do
    assert json.loads((tmp_path / "run/result.json").read_text()) == result


def test_a_figure_asks_for_every_model_at_every_length(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("minindrnn.cli.commands.finished", lambda experiment, run, words: asked.append((experiment.settings, run.folder, words)) or {})
    monkeypatch.setattr("minindrnn.cli.commands.draw", lambda *_: None)
    assert main(["figure", "--models", "lstm", "gru", "--updates", "2", "--seed", "4", "--out", str(tmp_path)]) == 0
    runs = [(length, model) for length in (100, 500, 1000) for model in ("lstm", "gru")]
    assert [chosen for chosen, _, _ in asked] == [settings("adding", model, length, updates=2, seed=4) for length, model in runs]
    assert [folder.name for _, folder, _ in asked] == [f"adding-{length}-{model}-seed4" for length, model in runs]
    assert [" ".join(words) for _, _, words in asked] == [f"train adding --length {length} --model {model} --updates 2 --seed 4"
                                                          for length, model in runs]


def test_the_best_is_the_highest_accuracy_and_the_lowest_loss(tmp_path):
    rows = [dict(update=10, loss=3.0, validation_loss=2.0, validation_accuracy=0.25, seconds=1.4),
            dict(update=20, loss=2.0, validation_loss=0.5, validation_accuracy=0.75, seconds=2.6),
            dict(update=30, loss=1.0, validation_loss=1.5, validation_accuracy=0.5, seconds=61.2)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "result.json").write_text(json.dumps({"test_accuracy": 0.625, "updates": 30, "seconds": 61.2, "command": "python"}))
    said = list(summary(tmp_path, SimpleNamespace(settings=settings("digits", hidden=5, norm="after")), 30))
    assert said[0] == "digits, indrnn: layers 3, hidden 5, batch 32, rate 0.003, gamma 2.0, norm after"
    assert said[1:] == ["30 updates in 61 seconds", "  validation loss: best 0.5 at update 20, last 1.5",
                        "  validation accuracy: best 0.75 at update 20, last 0.5", "result: test accuracy 0.625"]


@pytest.mark.parametrize("bits, said", [([2.0, 1.5, 1.75], "best 1.5 at update 20, last 1.75"),
                                        ([2.0, 1.5, math.nan], "best 1.5 at update 20, last nan")])
def test_fewer_bits_are_better_and_the_last_is_the_last(tmp_path, bits, said):
    rows = [dict(step=10 * k, loss=3.0, validation_bits=value, seconds=1.0) for k, value in enumerate(bits, 1)]
    (tmp_path / "metrics.jsonl").write_text("".join(strict_json(row) + "\n" for row in rows))
    lines = list(summary(tmp_path, SimpleNamespace(settings=settings("chars")), 30))
    assert lines[1:] == ["30 updates in 1 seconds", f"  validation bits: {said}", "no result yet: the command of the run with --resume goes on"]


def test_memory_is_drawn_beside_where_it_began(tmp_path):
    """The last of two units starts at 0.5^(1/4) to 2^(1/4); what became of it is another number."""
    task = TASKS["adding"](settings("adding", length=4, hidden=3, seed=2))
    began, network = (task.network(np.random.default_rng([2, 0])) for _ in range(2))
    for layer in network.layers[:2]:
        layer["u"][:] = 0.125
    (name, picture, before, after, bound), = pictures(tmp_path, task, network)
    assert name == "memory.png" and picture is draw_memory and bound == pytest.approx(2 ** (1 / 4))
    assert {path: u.tolist() for path, u in after.items()} == {"0.u": [0.125] * 3, "1.u": [0.125] * 3}
    assert {path: u.tolist() for path, u in before.items()} == {f"{k}.u": began.layers[k]["u"].tolist() for k in range(2)}


def test_recurrent_weights_are_those_of_the_network(rng):
    network = StackedIndRNN(2, 3, 2, 1, rng, length=9)
    found = recurrent_weights(network)
    assert list(found) == ["0.u", "1.u"] and all(found[f"{i}.u"] is network.layers[i]["u"] for i in range(2))
