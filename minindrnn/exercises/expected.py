"""The questions of the exercises: for each one the functions to write, and drawn calls with the expected results.

Each function here takes a generator and sizes, and yields the questions of one problem, in float64. The expected
results come from the package's own functions; where an exercise gives the forward pass, the cache has its form.
"""
from dataclasses import dataclass, field

import numpy as np

from ..networks.combinators import Concatenate, Residual
from ..networks.indrnn import IndRNN
from ..ops import batchnorm, bounds, linear, losses, lstm, recurrence, rnn
from . import templates


@dataclass
class Question:
    """One call of a learner's function.

    arguments   {name: array, number or function}, in the order of the call
    expected    {"name letters": array}, in the order of the results; letters as in `core.expect`
    cache       {name: array}, one more argument, a tuple, if there is one
    """
    function: str
    arguments: dict
    expected: dict
    cache: dict = field(default_factory=dict)

    def astype(self, dtype):
        """The same with all float64 arrays converted."""
        def converted(arrays):
            return {name: value.astype(dtype) if getattr(value, "dtype", None) == np.float64 else value
                    for name, value in arrays.items()}
        return Question(self.function, converted(self.arguments), converted(self.expected), converted(self.cache))


@dataclass
class Exercise:
    """What it is about, the functions of `starters` given and to write, and  rng, T, B, N -> questions."""
    title: str
    given: tuple
    written: tuple
    questions: object


def _normal(rng, *shapes):
    return [rng.normal(size=shape) for shape in shapes]


def _recurrence(rng, T, B, N):
    a, h0, dh = _normal(rng, (T, B, N), (B, N), (T, B, N))
    u = rng.uniform(-1.2, 1.2, N)
    h, cache = recurrence.indrnn_forward(a + 1, u, h0)
    da, du, dh0 = recurrence.indrnn_backward(dh, cache)
    yield Question("indrnn_backward", {"dh": dh}, {"da TBN": da, "du N": du, "dh0 BN": dh0}, {"u": u, "h0": h0, "h": h})


def _linear(rng, T, B, N):
    M = int(rng.integers(1, 5))
    x, W, b, dy = _normal(rng, (T, B, M), (N, M), N, (T, B, N))
    y, cache = linear.linear_forward(x, W, b)
    dx, dW, db = linear.linear_backward(dy, cache)
    yield Question("linear_forward", {"x": x, "W": W, "b": b}, {"y TBN": y})
    yield Question("linear_backward", {"dy": dy}, {"dx TBM": dx, "dW NM": dW, "db N": db}, {"x": x, "W": W})


def _batchnorm(rng, T, B, N):
    if T * B < 2:                                        # one value has no variance
        return
    x, gamma, beta, dy = _normal(rng, (T, B, N), N, N, (T, B, N))
    y, cache = batchnorm.batchnorm_forward(x + 3, gamma, beta, np.zeros((1, N)), np.ones((1, N)), eps=0.1)
    dx, dgamma, dbeta = batchnorm.batchnorm_backward(dy, cache)
    mean, s = cache.mean, cache.s
    yield Question("batchnorm_forward", {"x": x + 3, "gamma": gamma, "beta": beta, "eps": 0.1}, {"y TBC": y})
    yield Question("batchnorm_backward", {"dy": dy}, {"dx TBC": dx, "dgamma C": dgamma, "dbeta C": dbeta},
               {"xhat": (x + 3 - mean) * s, "s": s[0], "gamma": gamma})


def _softmax(rng, T, B, N):
    K = N + 1
    y, target = rng.choice([1, 3, 1000]) * rng.normal(size=(B, K)), rng.integers(0, K, B)
    loss, dy = losses.cross_entropy(y, target)
    yield Question("cross_entropy", {"y": y, "target": target}, {"loss": np.array(loss), "dy BK": dy})


def _rnn(rng, T, B, N):
    a, U, h0, dh = _normal(rng, (T, B, N), (N, N), (B, N), (T, B, N))
    h, cache = rnn.rnn_forward(a, U, h0)
    da, dU, dh0 = rnn.rnn_backward(dh, cache)
    yield Question("rnn_backward", {"dh": dh}, {"da TBN": da, "dU NP": dU, "dh0 BN": dh0}, {"U": U, "h0": h0, "h": h})


def _lstm(rng, T, B, N):
    a, U, s0, dh = _normal(rng, (T, B, 4 * N), (4 * N, N), (2, B, N), (T, B, N))
    _, cache = lstm.lstm_forward(a, U, s0)
    da, dU, ds0 = lstm.lstm_backward(dh, cache)
    yield Question("lstm_backward", {"dh": dh}, {"da TBG": da, "dU GP": dU, "ds0 2BN": ds0},
               dict(zip(("U", "s0", "gates", "h", "c"), cache)))


def _projection(rng, T, B, N):
    u, gamma = rng.uniform(-2, 2, N), rng.uniform(1, 10)
    bound, special = bounds.largest(T, gamma), np.array([0.0, 0.5, -0.9, 1.0, -1.0, 1.5])
    yield Question("largest", {"T": T, "gamma": gamma}, {"bound": np.array(bound)})
    yield Question("project", {"u": u, "bound": bound}, {"projected N": np.clip(u, -bound, bound)})
    yield Question("half_life", {"u": special}, {"t N": bounds.half_life(special)})
    yield Question("half_life", {"u": u}, {"t N": bounds.half_life(u)})


def _residual(rng, T, B, N):
    x, = _normal(rng, (T, B, N))
    for kind, around, width in (("residual", Residual, N), ("concatenate", Concatenate, N + 1)):
        F = IndRNN(N, width, rng, u=(-1, 1), activation="tanh", dtype=np.float64)
        y, cache = around(F).forward(x)
        dy = rng.normal(size=y.shape)
        dx, _ = around(F).backward(dy, cache)

        def forward(x, F=F):
            return F.forward(np.array(x, np.float64, order="C"))[0].astype(x.dtype)

        def backward(dy, F=F, cache=cache.of_layer):
            return F.backward(np.array(dy, np.float64, order="C"), cache)[0].astype(dy.dtype)

        channels = {"M": N} if kind == "concatenate" else {}
        yield Question(f"{kind}_forward", {"x": x, "F": forward}, {"y TBC": y})
        yield Question(f"{kind}_backward", {"dy": dy} | channels | {"F_backward": backward}, {"dx TBC": dx})


EXERCISES = {
    "recurrence": Exercise("The backward pass of the recurrence of IndRNN, with relu.",
                           (templates.indrnn_forward,), (templates.indrnn_backward,), _recurrence),
    "linear": Exercise("The affine map W x + b, forward and backward.",
                       (), (templates.linear_forward, templates.linear_backward), _linear),
    "batchnorm": Exercise("Batch normalisation over time, forward and backward.",
                          (), (templates.batchnorm_forward, templates.batchnorm_backward), _batchnorm),
    "softmax": Exercise("Softmax cross-entropy, the loss and its gradient.", (), (templates.cross_entropy,), _softmax),
    "rnn": Exercise("The backward pass of a recurrence with a full matrix, with tanh.",
                    (templates.rnn_forward,), (templates.rnn_backward,), _rnn),
    "lstm": Exercise("The backward pass of the LSTM.", (templates.lstm_forward,), (templates.lstm_backward,), _lstm),
    "projection": Exercise("The range of u: its bound, the projection, the half-life.",
                           (), (templates.largest, templates.project, templates.half_life), _projection),
    "residual": Exercise("Two combinators: x + F(x), and [x, F(x)].",
                         (), (templates.residual_forward, templates.residual_backward,
                              templates.concatenate_forward, templates.concatenate_backward), _residual),
}
