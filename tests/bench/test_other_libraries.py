import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from minindrnn.bench import other_libraries
from minindrnn.bench.other_libraries import PEERS

pytestmark = pytest.mark.tutorial9


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
        nn=SimpleNamespace(Linear=linear, Parameter=lambda array: array), rand=uniform,
        from_numpy=lambda x: x.view(Tensor),
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
    jax = SimpleNamespace(nn=SimpleNamespace(relu=lambda z: np.maximum(z, 0)), lax=SimpleNamespace(scan=scan),
                          jit=lambda f: f, vjp=vjp, block_until_ready=lambda found: found, numpy=np)
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.numpy", np)
    x, dy = problem(rng)
    other_libraries.jax_scan(x, dy, 2)()
    (parameters, same, y, gradient), = asked
    assert [W.shape for W, _, _ in parameters] == [(4, 3), (4, 4)]
    assert np.array_equal(gradient, dy)
    assert np.array_equal(same, x)
    np.testing.assert_allclose(y, deep([(W, b) for W, _, b in parameters], [u for _, u, _ in parameters], x),
                               rtol=1e-5, atol=1e-6)
