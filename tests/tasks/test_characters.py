"""Language modelling by characters: what is read, what is counted, what goes on from segment to segment."""
import math

import numpy as np
import pytest
from scipy.special import softmax

from minindrnn.core.layer import leaves
from minindrnn.data.download import DataError
from minindrnn.tasks import characters
from minindrnn.tasks.characters import Characters
from minindrnn.tasks.registry import TASKS, settings

TEXT = "".join(chr(97 + k % 7) for k in np.random.default_rng(0).integers(0, 7, 1500))


def task(folder, text=TEXT, **changes):
    (folder / "text.txt").write_text(text)
    return TASKS["chars"](settings("chars", **dict(length=10, hidden=4, layers=1, batch=3,
                                                   data=str(folder / "text.txt")) | changes))


def test_an_epoch_reads_every_stream_from_end_to_end(tmp_path):
    made = task(tmp_path)
    text = made.parts["train"]
    assert made.segments == (1350 - 1) // 31
    pieces = [made.batch(step) for step in range(made.segments)]
    read = np.concatenate([x for x, _, _ in pieces])
    for x, target, lengths in pieces:
        assert x.shape == target.shape == (10, 3) and lengths is None
        np.testing.assert_array_equal(x[1:], target[:-1])
    for start, (_, target, _) in zip(range(10, len(read), 10), pieces):
        np.testing.assert_array_equal(read[start], target[-1])
    joined = "".join(map(chr, text))
    assert all("".join(map(chr, stream)) in joined for stream in read.T)
    assert not np.array_equal(made.batch(0)[0], made.batch(made.segments)[0])


def test_states_go_on_until_a_segment_starts_anew(tmp_path):
    made = task(tmp_path)
    starts = [made.starts(step) for step in range(20 * made.segments)]
    assert all(now in (0, before + 10) for before, now in zip(starts, starts[1:]))
    assert all(starts[epoch * made.segments] == 0 for epoch in range(20))
    anew = np.mean([start == 0 for start in starts])
    assert abs(anew - 0.1) < 0.05


def reading(folder, text, **given):
    (folder / "text.txt").write_text(text)
    return TASKS["chars"](settings("chars", **dict(length=5, hidden=4, layers=1, batch=2, data=str(folder / "text.txt"))
                                   | given))


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
                assert x[:, stream].tolist() == text[at:at + 5].tolist()
                assert target[:, stream].tolist() == text[at + 1:at + 6].tolist()
            seen = 0 if place == 0 or anew[place] else seen + 5
            assert task.starts(epoch * n + place) == seen


class Uniform:
    """Says that all are equally likely, and notes what it was shown."""

    def __init__(self, V):
        self.V, self.seen = V, []

    def forward(self, x, state, statistics, start, ranks=None):
        assert start == sum(len(piece) for piece in self.seen) and (state is None) == (start == 0)
        self.seen.append(x)
        return np.zeros((*x.shape, self.V)), None

    def last_state(self, cache):
        return "state"


@pytest.mark.parametrize("part", ["validation", "test"])
def test_every_character_but_the_first_is_asked_once(tmp_path, part):
    made = task(tmp_path, TEXT * 9)
    network, n = Uniform(7), len(made.parts[part])
    assert n == 675 and made.evaluate(network, part=part)[f"{part}_bits"] == pytest.approx(math.log2(7))

    class Cheat(Uniform):
        """Knows the answer to each question, and is asked n - 1 of them."""
        def forward(self, x, state, statistics, start, ranks=None):
            y, cache = super().forward(x, state, statistics, start)
            span = -(-(n - 1) // x.shape[1])
            at = np.minimum(span * np.arange(x.shape[1]) + np.arange(start, start + len(x))[:, None] + 1, n - 1)
            np.put_along_axis(y, made.parts[part][at][..., None], 1e3, axis=2)
            return y, cache

    assert made.evaluate(Cheat(7), part=part)[f"{part}_bits"] == pytest.approx(0, abs=1e-9)


class Weighing:
    """Says the same of every character, whatever it is shown."""

    def __init__(self, y):
        self.y, self.shown = np.array(y), []

    def forward(self, x, state=None, statistics="running", start=0, ranks=None):
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


@pytest.mark.once
@pytest.mark.parametrize("model", ["indrnn", "residual", "dense", "lstm"])
def test_a_network_learns_a_rhyme(tmp_path, model):
    """Each character follows from the last three: the entropy is 0."""
    sizes = {"indrnn": dict(hidden=24, layers=2), "residual": dict(hidden=24), "dense": dict(hidden=4),
             "lstm": dict(hidden=16)}[model]
    made = task(tmp_path, "abcbadb" * 200, model=model, updates=120, batch=8, rate=2e-2, dropout=0.0, **sizes)
    run = made.run(tmp_path / "run")
    run.start()
    assert run.train()
    assert made.result(run.network)["test_bits"] < 0.3
    said = made.sample(run.network, "abcbadb", 30, 1e-3, np.random.default_rng(0))
    assert len(said) == 30 and said == made.sample(run.network, "abcbadb", 30, 1e-3, np.random.default_rng(1))
    with pytest.raises(DataError, match="expected characters of the text of the run, got 'x'"):
        made.sample(run.network, "abx", 3, 1.0, np.random.default_rng(0))
    with pytest.raises(DataError, match="expected at least one character to go on from, got none"):
        made.sample(run.network, "", 3, 1.0, np.random.default_rng(0))
    assert any("bits a character" in line for line in made.report(run.network, made.result(run.network)))


def test_a_network_that_goes_on_learning_says_more(tmp_path):
    """It has learned another rhyme than that of the other parts."""
    made = task(tmp_path, "abcbadb" * 1800 + "acbdabd" * 200, updates=60, batch=8, rate=2e-2, hidden=24)
    for part in made.parts:
        pieces = made.segments_of(part)
        read, asked = (np.concatenate(arrays)[:, 0] for arrays in zip(*pieces))
        np.testing.assert_array_equal(read, made.parts[part][:-1])
        np.testing.assert_array_equal(asked, made.parts[part][1:])
        assert len(made.segments_of(part, 2)) == 2
    run = made.run(tmp_path / "run")
    run.start()
    assert run.train()
    network = run.network
    kept = [parameter.value.copy() for _, parameter in leaves(network.parameters)]
    found = made.evaluate_dynamically(network)
    assert found["test_bits"] < made.evaluate(network, part="test")["test_bits"] / 2 and found["rate"] > 5e-5
    for copy, (path, parameter) in zip(kept, leaves(network.parameters)):
        np.testing.assert_array_equal(parameter.value, copy, path)


def test_a_rate_that_is_too_high_for_the_whole_validation_is_halved_before_the_test(tmp_path, monkeypatch):
    made = task(tmp_path, TEXT * 95 + TEXT[::-1] * 5)
    asked, tested = [], []

    def evaluate(network, loss, pieces, squares, rate, decay):
        pieces = list(pieces)
        n = len(pieces)
        asked.append((n, rate))
        tested.append(np.array_equal(pieces[-1][0], made.segments_of("test")[-1][0]))
        return [abs(rate - 4e-4) if n == 500 else 0.5 if rate < 3e-4 else np.nan if rate < 5e-4 else np.inf] * n

    monkeypatch.setattr(characters, "evaluate_dynamically", evaluate)
    found = made.evaluate_dynamically(made.network(np.random.default_rng(0)))
    assert found == {"test_bits": pytest.approx(0.5 / math.log(2)), "rate": 2e-4}
    assert asked == [(500, 5e-5), (500, 1e-4), (500, 2e-4), (500, 4e-4), (500, 8e-4), (750, 4e-4), (750, 2e-4),
                     (750, 2e-4)]
    assert tested == [False] * (len(asked) - 1) + [True]


def test_language_models_divide_by_five(tmp_path):
    """The authors' phases 2e-4, 4e-5, 8e-6, 1.6e-6. P = 1: the counts that end them are more than 1, 1, 0, 0."""
    (tmp_path / "text.txt").write_text("to be, or not to be " * 30)
    made = Characters(settings("chars", plateau=1, rate=2e-4, data=str(tmp_path / "text.txt"), layers=1, hidden=4,
                               batch=2, length=5))
    schedule, rates = made.run(tmp_path / "run").schedule, []
    for bits in [2.0] + [3.0] * 10:
        assert not schedule.over
        schedule.observe({"validation_bits": bits})
        rates.append(schedule(update=0))
    assert rates == pytest.approx([2e-4] * 3 + [4e-5] * 3 + [8e-6] * 2 + [1.6e-6] * 2 + [3.2e-7]) and schedule.over


def test_irnn_begins_with_a_short_memory(tmp_path):
    """Else its state grows with all that it has read."""
    made = task(tmp_path, TEXT * 20, model="irnn", hidden=8)
    body, = made.network(np.random.default_rng(0)).parameters["body"]
    np.testing.assert_array_equal(body["U"].value, np.float32(0.01) * np.eye(8, dtype=np.float32))


def test_too_short_a_text(tmp_path):
    message = r"too short: for batches of 3 x 10 expected 31 characters for training, .* got \[27, 1, 2\]"
    with pytest.raises(DataError, match=message):
        task(tmp_path, "ab" * 15)


def test_the_shortest_text_and_one_without_lines(tmp_path):
    made = task(tmp_path, "ab" * 17 + "a")                            # 31 characters for training
    assert made.segments == 1 and [made.starts(step) for step in range(3)] == [0, 0, 0]
    assert all(made.batch(step)[1].shape == (10, 3) for step in range(3))
    network = made.network(np.random.default_rng(0))
    assert len(list(made.report(network, made.result(network)))) >= 3


def test_a_text_to_go_on_from_is_read_as_in_training(tmp_path):
    made = task(tmp_path, TEXT[:700] + "\n" + TEXT[700:])
    network = made.network(np.random.default_rng(0))
    wanted = list(made.predict(network, "ab\nc\n", sample=5))
    assert wanted[:2] == ["ab", "c"]
    for same in ("ab\r\nc\r\n", "\ufeffab\nc\r", "ab\rc\n"):
        assert list(made.predict(network, same, sample=5)) == wanted
