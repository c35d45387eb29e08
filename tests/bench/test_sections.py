"""The bench measures what it says; never how long anything takes."""
import json
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from minindrnn.bench import other_libraries, sections
from minindrnn.bench.other_libraries import PEERS
from minindrnn.bench.sections import products, training
from minindrnn.bench.timing import interleaved, line, row
from minindrnn.cli.commands import main
from minindrnn.core import memory_pool

SMALL = dict(ACTIVATIONS=(3, 2, 4), NARROW=(3, 2, 4), SIZES=[(5, 2, 3, "float32")], GROWTH=[(4, 2, 3, 1)], first_call=lambda: (2.0, 1.0),
             STEPS={"small": (4, 2, 5, 3, 2, {}), "normalised": (4, 2, 5, 3, 1, dict(norm="after", dropout=0.1))})


@pytest.fixture
def small(monkeypatch):
    shrink(monkeypatch)


def shrink(monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(sections, name, value)
    monkeypatch.setattr(sections, "interleaved", lambda functions, rounds=2, untimed=0: interleaved(functions, 2, 0))


def test_every_line_has_a_median_within_its_spread(small, capsys):
    assert main(["bench", "kernels", "steps", "growth", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["section"] for row in rows} == {"kernels", "steps", "growth"} and len(rows) == 2 + 4 + 16 + 4 + 2 + 4 + 1
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
    monkeypatch.setattr(memory_pool, "LARGE", 2000)
    memory_pool.release()
    T, B, N = 20, 4, 16
    step = training(T, B, 1, N, 6, options)
    step()
    sizes = sorted(piece.size for piece in memory_pool._pieces)
    for _ in range(20):
        step()
    assert sorted(piece.size for piece in memory_pool._pieces) == sizes
    assert sizes == [N * N * 8 + 64] + [T * B * N * 4 + 64] * arrays_of_a_step
    memory_pool.release()


def problem(rng):
    return rng.normal(size=(5, 2, 3)).astype(np.float32), rng.normal(size=(5, 2, 4)).astype(np.float32)


@pytest.mark.parametrize("name, module", [("PyTorch LSTM", "torch"), ("PyTorch loop", "torch"), ("JAX scan", "jax")])
def test_peers_run(name, module, rng):
    """Those that are installed, by what they are; the same code on stand-ins is below, on every machine."""
    assert (name in PEERS) == (find_spec(module) is not None)
    if name not in PEERS:
        pytest.skip(f"{module} is not installed")
    PEERS[name](*problem(rng), 2)()


def deep(maps, us, x):
    """Layers of h[t] = relu(W x[t] + b + u h[t-1]), a step at a time."""
    for (W, b), u in zip(maps, us):
        h, hs = np.zeros_like(x[0] @ W.T), []
        for row in x:
            h = np.maximum(row @ W.T + b + u * h, 0)
            hs.append(h)
        x = np.array(hs)
    return x


def test_the_loop_of_a_peer_is_an_indrnn(monkeypatch, rng):
    """PyTorch's place is taken by arrays that note the gradient that enters, and at what."""
    entered, maps, us = [], [], []

    class Tensor(np.ndarray):
        def requires_grad_(self):
            return self

        def backward(self, dy):
            entered.append((np.array(self), np.array(dy)))

    def linear(M, N):
        maps.append((rng.normal(size=(N, M)).astype(np.float32), rng.normal(size=N).astype(np.float32)))
        W, b = maps[-1]
        return lambda x: x @ W.T + b

    def uniform(N):
        us.append(rng.random(N, np.float32))
        return us[-1]
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(
        nn=SimpleNamespace(Linear=linear, Parameter=lambda array: array), rand=uniform, from_numpy=lambda x: x.view(Tensor),
        zeros_like=np.zeros_like, relu=lambda z: np.maximum(z, 0), stack=lambda hs: np.stack(hs).view(Tensor)))
    x, dy = problem(rng)
    other_libraries.torch_loop(x, dy, 3)()
    (y, gradient), = entered
    assert [W.shape for W, _ in maps] == [(4, 3), (4, 4), (4, 4)] and np.array_equal(gradient, dy)
    np.testing.assert_allclose(y, deep(maps, us, x), rtol=1e-5, atol=1e-6)


def test_the_scan_of_a_peer_is_an_indrnn(monkeypatch, rng):
    """JAX's place is taken by NumPy and a loop."""
    asked = []

    def scan(step, h, rows):
        hs = []
        for row in rows:
            h, y = step(h, row)
            hs.append(y)
        return h, np.array(hs)

    def vjp(forward, parameters, x):
        y = forward(parameters, x)
        return y, lambda dy: asked.append((parameters, x, y, dy)) or (parameters, x)
    jax = SimpleNamespace(nn=SimpleNamespace(relu=lambda z: np.maximum(z, 0)), lax=SimpleNamespace(scan=scan), jit=lambda f: f, vjp=vjp,
                          block_until_ready=lambda found: found, numpy=np)
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.numpy", np)
    x, dy = problem(rng)
    other_libraries.jax_scan(x, dy, 2)()
    (parameters, same, y, gradient), = asked
    assert [W.shape for W, _, _ in parameters] == [(4, 3), (4, 4)] and np.array_equal(gradient, dy) and np.array_equal(same, x)
    np.testing.assert_allclose(y, deep([(W, b) for W, _, b in parameters], [u for _, u, _ in parameters], x), rtol=1e-5, atol=1e-6)


def test_a_section_that_is_not_there(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "gpu"])
    assert caught.value.code == 2
    assert "expected some of the sections limits, kernels, steps, streaming, growth, peers, batches, got gpu" in capsys.readouterr().err


def test_the_step_that_is_timed_learns():
    step = training(5, 4, 2, 8, 1, {})
    losses = [step()[0] for _ in range(60)]
    assert losses[-1] < losses[0]


SECONDS = {"two": 2.0, "three": 4.0, "product": 3.0, "two streams": 3.0, "three streams": 1.0, "forward": 4.0, "backward": 5.0, "ours": 6.0,
           "layer": 18.0, "obvious": 12.0, "one step": 4.0, "four": 2.0, "step": 0.5, "products": 0.125, "IndRNN, 1 layer": 0.25,
           "IndRNN, 2 layers": 0.5, "LSTM": 1.5}


@pytest.mark.parametrize("section, wanted", [
    ("limits", [(2 * 0.128 / 2, "GB/s"), (3 * 0.128 / 4, "GB/s"), (2 * 3.375 / 3, "GFLOP/s")]),
    ("kernels", [(75, "% of limit"), (20, "% of limit")] + 2 * [(3, "x"), (2, "x")] + 8 * [(4 / 24 * 1e9, "ns an element"), (5 / 24 * 1e9, "ns an element")]
     + 2 * [(2, "x"), (2, "x")] + [(2, "s"), (1, "s")]),
    ("steps", 2 * [(500, "ms"), (4, "x")]),
    ("growth", [(0.5e6 / 4, "us")]),
    ("batches", 3 * [(250, "ms"), (6, "x"), (500, "ms"), (3, "x"), (1500, "ms")]),
    ("streaming", 2 * [(0.5e6, "us")])])
def test_every_number_is_what_its_unit_says(section, wanted, small, monkeypatch):
    """From seconds that are given: bytes, multiplications and additions, elements of 3, 2, 4, steps of T = 4."""
    monkeypatch.setattr(sections, "interleaved", lambda functions, **how: {name: np.array([SECONDS[name]]) for name in functions})
    if section == "limits":                                    # 400 MB that nothing touches here
        monkeypatch.setattr(np, "ones", lambda shape, dtype: np.broadcast_to(np.zeros((), dtype), shape))
    rows = list(sections.SECTIONS[section]())
    assert [row["unit"] for row in rows] == [unit for _, unit in wanted]
    assert [row["median"] for row in rows] == pytest.approx([number for number, _ in wanted], rel=1e-12)
