"""The same task in other libraries, for `bench`: imported only on use, if they are installed.

Each peer is a function x (T, B, M), dy (T, B, N), layers -> a function that runs forward and backward.
"""
from importlib.util import find_spec

import numpy as np


def torch_lstm(x, dy, layers, device="cpu"):
    """PyTorch's LSTM; on a GPU it is that of cuDNN."""
    import torch
    network = torch.nn.LSTM(x.shape[2], dy.shape[2], layers, device=device)
    x, dy = torch.from_numpy(x).to(device).requires_grad_(), torch.from_numpy(dy).to(device)

    def run():
        network.zero_grad()
        network(x)[0].backward(dy)
    return run


def cudnn_lstm(x, dy):
    """The same on the GPU, one layer; None where PyTorch is not installed or has no GPU."""
    if find_spec("torch") is None:
        return None
    import torch
    return torch_lstm(x, dy, 1, "cuda") if torch.cuda.is_available() else None


def torch_loop(x, dy, layers):
    """IndRNN as a PyTorch loop over time: one matrix product for all steps, then a step at a time."""
    import torch
    N = dy.shape[2]
    maps = [torch.nn.Linear(M, N) for M in [x.shape[2]] + [N] * (layers - 1)]
    us = [torch.nn.Parameter(torch.rand(N)) for _ in range(layers)]
    x, dy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)

    def run():
        y = x
        for linear, u in zip(maps, us):
            a, h, hs = linear(y), torch.zeros_like(dy[0]), []
            for t in range(len(a)):
                h = torch.relu(a[t] + u * h)
                hs.append(h)
            y = torch.stack(hs)
        y.backward(dy)
    return run


def jax_scan(x, dy, layers):
    """IndRNN by jax.lax.scan, compiled."""
    import jax
    import jax.numpy as jnp
    N, rng = dy.shape[2], np.random.default_rng(0)
    parameters = [(rng.normal(0, M**-0.5, (N, M)).astype(dy.dtype), rng.random(N, dy.dtype), np.zeros(N, dy.dtype))
                  for M in [x.shape[2]] + [N] * (layers - 1)]

    def forward(parameters, x):
        for W, u, b in parameters:
            def step(h, a, u=u):
                h = jax.nn.relu(a + u * h)
                return h, h
            _, x = jax.lax.scan(step, jnp.zeros(dy.shape[1:], dy.dtype), x @ W.T + b)
        return x

    both = jax.jit(lambda parameters, x, dy: jax.vjp(forward, parameters, x)[1](dy))
    return lambda: jax.block_until_ready(both(parameters, x, dy))


PEERS = {}
if find_spec("torch"):
    PEERS |= {"PyTorch LSTM": torch_lstm, "PyTorch loop": torch_loop}
if find_spec("jax"):
    PEERS |= {"JAX scan": jax_scan}
