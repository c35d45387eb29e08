"""The traditional recurrent network, a baseline: every neuron sees the states of all neurons.

Letters   T steps, B sequences, N neurons
    a    (T, B, N)   input of the neurons, already projected (W x + b)
    U    (N, N)      recurrent weights, from every neuron to every neuron
    h0   (B, N)      state before the first step, zero unless given
    h    (T, B, N)   activations

Forward   F1  z[t]  = a[t] + U h[t-1]                       h[-1] = h0
          F2  h[t]  = act(z[t])
Backward  B1  dz[t] = (dh[t] + carry) * act'(z[t])          from F2; carry = 0 after the last step
          B2  carry = U' dz[t]                              from F1, argument h[t-1]
          B3  da[t] = dz[t]                                 from F1, argument a[t]
          B4  dU    = sum over t and b of dz[t] h[t-1]'     from F1, argument U
          B5  dh0   = carry after t = 0

IndRNN's gradient is multiplied by u^T, this one by a product of T matrices U' diag(act'), one after the other. So it is
slow, and it vanishes or explodes. With relu and U starting at the identity matrix it is IRNN.
Cache: U, h0, h (and the lengths). Source: arXiv 1803.04831, equation 1; IRNN: Le et al., arXiv 1504.00941.
"""
from typing import NamedTuple

import numpy as np

from ..core.expect import expect, expect_choice, expect_count
from ..core.jit import kernel
from ..core.layer import Layer, Parameter, drawn
from ..core.memory_pool import empty
from ..core.padding import last_step, without_padding
from .activations import KIND, activate, differentiate
from .linear import Linear, products, scaled


class Cache(NamedTuple):
    U: np.ndarray
    h0: np.ndarray
    h: np.ndarray
    activation: str
    lengths: np.ndarray | None


def rnn_forward(a, U, h0=None, *, activation="tanh", lengths=None):
    """a (T, B, N), U (N, N), h0 (B, N) or zero  ->  h (T, B, N), cache.

    activation   "relu", "tanh", "sigmoid" or "identity"
    lengths      (B,) integers in 1..T: later steps of a sequence are not read, and give h = 0

    float32 or float64, the same for all arrays. Raises TypeError or ValueError naming the array.

    >>> a = np.array([[[1.0, 0.0]], [[0.0, 0.0]]])
    >>> h, cache = rnn_forward(a, np.array([[0.0, 0.0], [2.0, 0.0]]), activation="identity")
    >>> h[:, 0].tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    like = ("a", a, "TBN")
    expect(*like)
    T, B, N = a.shape
    h0 = np.zeros((B, N), a.dtype) if h0 is None else h0
    expect("U", U, "NN", like)
    expect("h0", h0, "BN", like)
    expect_choice("activation", activation, KIND)
    a, h = without_padding(a, lengths), empty(a.shape, a.dtype)
    before, product = h0, np.empty_like(h0)
    for t in range(T):
        np.matmul(before, U.T, out=product)                                # F1
        KERNELS[activation][0](a[t], product, h[t])                        # F1, F2
        before = h[t]
    h = without_padding(h, lengths, overwrite=True)
    return h, Cache(U, h0, h, activation, lengths)


def rnn_backward(dh, cache):
    """dh (T, B, N), cache of the forward pass  ->  da (T, B, N), dU (N, N), dh0 (B, N)."""
    U, h0, h, activation, lengths = cache
    expect("dh", dh, "TBN", like=("h", h, "TBN"))
    T, _, N = h.shape
    dh, da, carry = without_padding(dh, lengths), empty(h.shape, h.dtype), np.zeros_like(h0)
    for t in reversed(range(T)):
        KERNELS[activation][1](dh[t], carry, h[t], da[t])                  # B1, B3
        np.matmul(da[t], U, out=carry)                                     # B2
    dU = products(da[1:].reshape(-1, N), h[:-1].reshape(-1, N)) + products(da[0], h0)
    return da, dU.astype(U.dtype), carry                                   # B4, B5


class RNN(Layer):
    """x (T, B, inputs)  ->  h (T, B, neurons): h[t] = act(W x[t] + b + U h[t-1]).

    rng          a `numpy.random.Generator`, for W and U
    activation   "tanh", "relu", "sigmoid" or "identity"
    W            its initialiser, as for `Linear`
    U            "uniform": within +-1 / sqrt(neurons); "identity": U = 1, with relu this is IRNN

    Parameters W (neurons, inputs), b (neurons,), U (neurons, neurons). The state is h, (B, neurons).

    To load a layer of `torch.nn.RNN`, or of `torch.nn.LSTM` into an `LSTM`, whose gates have the same order, given its
    weights and biases as NumPy arrays (for a GRU see `GRU`):

        layer["W"][:], layer["U"][:], layer["b"][:] = weight_ih_l0, weight_hh_l0, bias_ih_l0 + bias_hh_l0
    """

    gates, forward_pass, backward_pass = 1, staticmethod(rnn_forward), staticmethod(rnn_backward)

    def __init__(self, inputs, neurons, rng, *, activation="tanh", W=scaled(), U="uniform", dtype=np.float32):
        expect_count("neurons", neurons)
        expect_choice("activation", activation, KIND if self.gates == 1 else ("tanh",))
        expect_choice("U", U, ("uniform", "identity"))
        self.options = {"activation": activation} if self.gates == 1 else {}
        rows, limit = self.gates * neurons, neurons**-0.5
        self.linear = Linear(inputs, rows, rng, W=W, dtype=dtype)
        self.parameters = self.linear.parameters | {"U": Parameter(
            np.tile(np.eye(neurons, dtype=dtype), (self.gates, 1)) if U == "identity"
            else drawn(rng, "uniform", -limit, limit, (rows, neurons), dtype=dtype), "weight")}

    class Cache(NamedTuple):
        """The caches of W x + b and of the recurrence (`rnn`, `lstm` or `gru`)."""
        of_linear: tuple
        of_recurrence: tuple

    def forward(self, x, state=None, *, lengths=None, **how):
        a, of_linear = self.linear.forward(x, lengths=lengths, **how)
        h, of_recurrence = self.forward_pass(a, self["U"], state, lengths=lengths, **self.options)
        return h, self.Cache(of_linear, of_recurrence)

    def backward(self, dy, cache, *, overwrite=False):
        of_linear, of_recurrence = cache
        da, dU, dh0 = self.backward_pass(dy, of_recurrence)
        dx, grads = self.linear.backward(da, of_linear)
        return dx, grads | {"U": dU, "h0": dh0}

    def last_state(self, cache):
        return last_step(cache.of_recurrence.h, cache.of_recurrence.lengths)


def expect_gates(gates, a, U):
    """T, B, N of a (T, B, gates N) and U (gates N, N). Raises TypeError or ValueError."""
    expect("U", U, "ZN")
    expect("a", a, "TBZ", like=("U", U, "ZN"))
    if U.shape[0] != gates * U.shape[1]:
        raise ValueError(f"U: expected ({gates} N, N), got {U.shape}")
    return *a.shape[:2], U.shape[1]


# ---------------------------------------------------------------------------------------------------------
# Kernels: one step, all sequences.

def _compile(kind):
    @kernel
    def advance(a, product, h):
        """h (B, N) receives h[t]; a is a[t], product is U h[t-1]."""
        for b in range(h.shape[0]):
            for n in range(h.shape[1]):
                h[b, n] = activate(kind, a[b, n] + product[b, n])          # F1, F2

    @kernel
    def retreat(dh, carry, h, dz):
        """dz (B, N) receives dz[t]."""
        for b in range(h.shape[0]):
            for n in range(h.shape[1]):
                dz[b, n] = differentiate(kind, dh[b, n] + carry[b, n], h[b, n])   # B1

    return advance, retreat


KERNELS = {name: _compile(kind) for name, kind in KIND.items()}
