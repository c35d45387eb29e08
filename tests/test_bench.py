"""The bench measures what it says; never how long anything takes."""
import json

import numpy as np
import pytest

from minindrnn import arrays, bench
from minindrnn.__main__ import main
from minindrnn.bench import products, training
from minindrnn.peers import PEERS
from minindrnn.timing import interleaved, line, row

SMALL = dict(ACTIVATIONS=(3, 2, 4), NARROW=(3, 2, 4), SIZES=[(5, 2, 3, "float32")], GROWTH=[(4, 2, 3, 1)], first_call=lambda: (2.0, 1.0),
             STEPS={"small": (4, 2, 5, 3, 2, {}), "normalised": (4, 2, 5, 3, 1, dict(norm="after", dropout=0.1))})


@pytest.fixture
def small(monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr(bench, "interleaved", lambda functions, rounds=2, untimed=0: interleaved(functions, 2, 0))


def test_every_line_has_a_median_within_its_spread(small, capsys):
    assert main(["bench", "kernels", "steps", "growth", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["section"] for row in rows} == {"kernels", "steps", "growth"} and len(rows) == 2 + 16 + 4 + 2 + 4 + 1
    assert all(0 < row["low"] <= row["median"] <= row["high"] for row in rows)
    assert main(["bench", "growth"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("growth: What a training step costs") and "T, B, N = 4, 2, 3, 1 layers: step / T" in said[1]


def test_a_line_shows_median_and_noise():
    assert line(row("a thing", [1.0, 2.0, 3.0, 4.0, 5.0], "ms", 1)).split() == ["a", "thing", "3.0", "ms", "(2.0", "to", "4.0)"]
    assert line(row("a thing", 3.0, "s", 1)).split() == ["a", "thing", "3.0", "s"]


def test_interleaving_times_every_function_every_round():
    calls = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4, untimed=1)
    assert calls.count("a") == calls.count("b") == 2 + 1 + 3 * 2 and {len(v) for v in seconds.values()} == {4}
    assert (np.array([seconds["a"], seconds["b"]]) > 0).all()


def test_the_products_are_those_of_the_step(monkeypatch):
    """The same number of multiplications as the affine maps of the network do, forward and backward."""
    done = []
    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, out=None: done.append(a.shape[0] * a.shape[1] * b.shape[1]) or matmul(a, b, out=out))
    products(4, 2, 5, 3, 2)()
    assert sum(done) == 3 * (4 * 2 * 5 * 3 + 4 * 2 * 3 * 3) and len(done) == 6


@pytest.mark.parametrize("options, arrays_of_a_step", [({}, 6 + 2), (dict(norm="after", dropout=0.1), 2 * 6 + 1)])
def test_the_memory_of_a_step_is_used_again_by_the_next(options, arrays_of_a_step, monkeypatch):
    """L arrays of T, B, N and two gradients; with batch normalisation 2 L - 1 and two, as nobody needs the last layer's y
    but for its last step. Beside these stands one of N, N in which products are
    added up. Nothing is added after the first step."""
    monkeypatch.setattr(arrays, "LARGE", 2000)
    arrays.release()
    T, B, N = 20, 4, 16
    step = training(T, B, 1, N, 6, options)
    step()
    sizes = sorted(piece.size for piece in arrays._pieces)
    for _ in range(20):
        step()
    assert sorted(piece.size for piece in arrays._pieces) == sizes
    assert sizes == [N * N * 8 + 64] + [T * B * N * 4 + 64] * arrays_of_a_step
    arrays.release()


@pytest.mark.parametrize("name", PEERS)
def test_peers_run(name, rng):
    x, dy = rng.normal(size=(5, 2, 3)).astype(np.float32), rng.normal(size=(5, 2, 4)).astype(np.float32)
    PEERS[name](x, dy, 2)()


def test_a_section_that_is_not_there(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "gpu"])
    assert caught.value.code == 2
    assert "expected some of the sections limits, kernels, steps, streaming, growth, peers, batches, got gpu" in capsys.readouterr().err


def test_the_step_that_is_timed_learns():
    step = training(5, 4, 2, 8, 1, {})
    losses = [step()[0] for _ in range(60)]
    assert losses[-1] < losses[0]
