"""A gradient problem for every operation, layer and network. `python -m minindrnn gradcheck` checks them all,
the tests draw from them, and a deliberately broken backward must fail them.

Each function takes the module it checks, so that a broken copy can be put in its place, and a generator from
which it draws sizes and values; values come from continuous distributions, so no pre-activation sits on relu's kink.
"""
import numpy as np

from ..core.layer import leaves
from ..networks import bidirectional, combinators, dense, fused, indrnn, language_model, residual, stacked
from ..ops import batchnorm, bounds, deltas, dropout, embedding, gru, layernorm, linear, losses, lstm, recurrence, rnn
from ..ops.activations import KIND
from .gradcheck import Problem, of_layer


def _sizes(rng):
    return rng.integers(1, 9), rng.integers(1, 5), rng.integers(1, 6)


def _lengths(rng, T, B):
    return None if rng.random() < 0.5 else rng.integers(1, T + 1, B)


def of_obvious_recurrence(module, rng):
    T, B, N = _sizes(rng)
    arrays = {"a": rng.normal(size=(T, B, N)), "u": rng.uniform(-1.2, 1.2, N), "h0": rng.normal(size=(B, N))}
    activation = rng.choice(list(KIND))

    def forward():
        h = module.obvious_forward(*arrays.values(), activation)
        return h, h

    def backward(dh, h):
        return dict(zip(arrays, module.obvious_backward(dh, arrays["u"], arrays["h0"], h, activation)))

    return Problem(arrays, forward, backward)


def of_recurrence(module, rng):
    _, B, N = _sizes(rng)
    T = rng.integers(1, 14)                           # up to three passes of four steps
    arrays = {"a": rng.normal(size=(T, B, N)), "u": rng.uniform(-1.2, 1.2, N), "h0": rng.normal(size=(B, N))}
    options = {"activation": rng.choice(list(KIND)), "lengths": _lengths(rng, T, B)}
    return Problem(arrays, lambda: module.indrnn_forward(*arrays.values(), **options),
                   lambda dh, cache: dict(zip(arrays, module.indrnn_backward(dh, cache))))


def of_fused_recurrence(module, rng):
    """With a bias or none, and h as it is, or seen through  p * h  and through the sum of  q (h - m)^2 / 2 + r h: then
    dh = p * dy + c (q (h - m) + r), c that of the sum."""
    _, B, N = _sizes(rng)
    T = rng.integers(1, 14)
    arrays = {"a": rng.normal(size=(T, B, N)), "u": rng.uniform(-1, 1, N), "h0": rng.normal(size=(B, N))}
    options = {"activation": rng.choice(list(KIND)), "lengths": _lengths(rng, T, B)}
    b = {"b": rng.normal(size=N)} if rng.random() < 0.5 else {}
    mapped = rng.random() < 0.5
    p, q, m, r = pqmr = rng.normal(size=(4, B, N))
    there = np.arange(T)[:, None, None] < (T if options["lengths"] is None else options["lengths"][:, None])

    def forward():
        h, cache = module.fused_forward(*arrays.values(), **b, **options)
        return np.append(p * h, np.sum(there * (q * (h - m)**2 / 2 + r * h))) if mapped else h, cache

    def backward(dy, cache):
        if mapped:
            changed = pqmr * np.array([1, dy[-1], 1, dy[-1]])[:, None, None]
            grads = module.fused_backward(dy[:-1].reshape(T, B, N), cache, biased=bool(b), pqmr=changed)
        else:
            grads = module.fused_backward(dy, cache, biased=bool(b))
        return dict(zip(arrays | b, grads))

    return Problem(arrays | b, forward, backward)


def _of_baseline(gates, state, forward, backward, rng, *, biased=False, **options):
    """arrays a, U, the state and perhaps b_hn of a recurrence with a matrix; a has so many times N channels."""
    T, B, N = _sizes(rng)
    arrays = {"a": rng.normal(size=(T, B, gates * N)), "U": rng.normal(size=(gates * N, N)),
              state: rng.normal(size=(2, B, N) if state == "s0" else (B, N))}
    arrays |= {"b_hn": rng.normal(size=N)} if biased else {}
    options["lengths"] = _lengths(rng, T, B)
    return Problem(arrays, lambda: forward(*arrays.values(), **options),
                   lambda dh, cache: dict(zip(arrays, backward(dh, cache))))


def of_rnn(module, rng):
    return _of_baseline(1, "h0", module.rnn_forward, module.rnn_backward, rng, activation=rng.choice(list(KIND)))


def of_lstm(module, rng):
    return _of_baseline(4, "s0", module.lstm_forward, module.lstm_backward, rng)


def of_gru(module, rng):
    return _of_baseline(3, "h0", module.gru_forward, module.gru_backward, rng, biased=True)


def of_linear(module, rng):
    T, B, N = _sizes(rng)
    M = rng.integers(1, 6)
    arrays = {"x": rng.normal(size=(T, B, M)), "W": rng.normal(size=(N, M)), "b": rng.normal(size=N)}
    lengths = _lengths(rng, T, B)

    def backward(dy, cache):
        return dict(zip(arrays, module.linear_backward(dy, cache)))

    return Problem(arrays, lambda: module.linear_forward(*arrays.values(), lengths=lengths), backward)


def of_batchnorm(module, rng):
    T, B, N = _sizes(rng)
    arrays = {"x": 3 + rng.normal(size=(T, B, N)), "gamma": rng.normal(size=N), "beta": rng.normal(size=N)}
    per_step = bool(rng.random() < 0.5)
    given = rng.normal(size=(T if per_step else 1, N)), rng.uniform(0.5, 2, (T if per_step else 1, N))
    options = {"per_step": per_step, "statistics": rng.choice(["batch", "running"]), "eps": 0.1,
               "lengths": _lengths(rng, T, B), "mask": rng.choice([0.0, 1.5], (B, N)) if rng.random() < 0.5 else None}

    def backward(dy, cache):
        return dict(zip(arrays, module.batchnorm_backward(dy, cache)))

    return Problem(arrays, lambda: module.batchnorm_forward(*arrays.values(), *given, **options), backward)


def of_layernorm(module, rng):
    T, B, N = _sizes(rng)
    arrays = {"x": 3 + rng.normal(size=(T, B, N)), "gamma": rng.normal(size=N), "beta": rng.normal(size=N)}
    options = {"eps": 0.1, "lengths": _lengths(rng, T, B)}
    return Problem(arrays, lambda: module.layernorm_forward(*arrays.values(), **options),
                   lambda dy, cache: dict(zip(arrays, module.layernorm_backward(dy, cache))))


def of_embedding(module, rng):
    T, B, M = _sizes(rng)
    tokens, E, seed, p = rng.integers(0, 4, (T, B)), rng.normal(size=(4, M)), rng.integers(1000), rng.uniform(0, 0.9)
    lengths = _lengths(rng, T, B)

    def forward():
        return module.embedding_forward(tokens, E, p, np.random.default_rng(seed), lengths=lengths)

    return Problem({"E": E}, forward, lambda dx, cache: {"E": module.embedding_backward(dx, cache)})


def of_differences(module, rng):
    T, B, M = _sizes(rng)
    arrays, lengths = {"x": rng.normal(size=(T, B, M)), "x0": rng.normal(size=(B, M))}, _lengths(rng, T, B)
    return Problem(arrays, lambda: module.differences_forward(*arrays.values(), lengths=lengths),
                   lambda dy, cache: dict(zip(arrays, module.differences_backward(dy, cache))))


def of_dropout(module, rng):
    x, seed, p = rng.normal(size=_sizes(rng)), rng.integers(1000), rng.uniform(0, 0.9)
    return Problem({"x": x}, lambda: module.dropout_forward(x, p, np.random.default_rng(seed)),
                   lambda dy, cache: {"x": module.dropout_backward(dy, cache)})


def of_mean_squared_error(module, rng):
    _, B, K = _sizes(rng)
    target = rng.normal(size=(B, K))
    return _of_loss(rng.normal(size=(B, K)), lambda y: module.mean_squared_error(y, target))


def of_cross_entropy(module, rng):
    shape, K = [(4,), (3, 4)][rng.integers(2)], rng.integers(1, 6)
    target = rng.integers(-1, K, shape)
    target.flat[0] = 0                                # at least one that counts
    return _of_loss(3 * rng.normal(size=(*shape, K)), lambda y: module.cross_entropy(y, target))


def of_penalty(module, rng):
    bound = rng.uniform(0, 1)
    return _of_loss(rng.uniform(-1.5, 1.5, rng.integers(1, 6)), lambda u: module.penalty(u, bound))


def _of_loss(y, loss):
    """A loss returns its gradient with its value; as a cache, it has only to be scaled by the cotangent."""
    return Problem({"y": y}, lambda: loss(y), lambda dloss, dy: {"y": dloss * dy})


def _linear(M, N, rng):
    return linear.Linear(M, N, rng, dtype=np.float64)


def _indrnn(M, N, rng):
    return indrnn.IndRNN(M, N, rng, u=(-1.1, 1.1), activation=rng.choice(list(KIND)), dtype=np.float64)


def _unit(rng, T):
    """Options of a unit: any activation, normalisation of any kind or none, dropout or none. With a small eps,
    1 / sqrt(var + eps) of two values close together is too curved for differences to resolve."""
    activation, norm = rng.choice(list(KIND)), [None, "before", "after"][rng.integers(3)]
    kind = [{"norm_options": {"length": [None, T][rng.integers(2)], "eps": 0.1}},
            {"norm_layer": layernorm.LayerNorm, "norm_options": {"eps": 0.1}}][rng.random() < 0.2]
    return {"activation": activation, "norm": norm, **(kind if norm else {}), "dropout": [0.0, 0.3][rng.integers(2)],
            "dtype": np.float64}


def _of_layer(layer, state, rng, M, T, B, x=None):
    for _, parameter in leaves(layer.parameters):
        if parameter.role == "bias":                  # zero biases would put silent neurons onto the kink
            parameter.value[:] = rng.normal(size=parameter.value.shape)
    for _, buffer in leaves(layer.buffers):
        buffer += 1                                   # other running statistics: mean 1, variance 2, one update
    x = rng.normal(size=(T, B, M)) if x is None else x
    return of_layer(layer, x, state, lengths=_lengths(rng, T, B), seed=rng.integers(1000),
                    statistics=["batch", "running"][rng.integers(2)])


def of_linear_layer(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.Linear(3, N, rng, dtype=np.float64), None, rng, 3, T, B)


def of_indrnn_layer(module, rng):
    T, B, N = _sizes(rng)
    M = [2, 5][rng.integers(2)]                       # narrow inputs use another kernel
    layer = module.IndRNN(M, N, rng, u=(-1.1, 1.1), **_unit(rng, T))
    return _of_layer(layer, rng.normal(size=(B, N)), rng, M, T, B)


def of_dropout_layer(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.Dropout(rng.uniform(0, 0.9)), None, rng, N, T, B)


def of_rnn_layer(module, rng):
    T, B, N = _sizes(rng)
    layer = module.RNN(2, N, rng, activation=rng.choice(list(KIND)), dtype=np.float64)
    return _of_layer(layer, rng.normal(size=(B, N)), rng, 2, T, B)


def of_lstm_layer(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.LSTM(2, N, rng, dtype=np.float64), rng.normal(size=(2, B, N)), rng, 2, T, B)


def of_gru_layer(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.GRU(2, N, rng, dtype=np.float64), rng.normal(size=(B, N)), rng, 2, T, B)


def of_residual(module, rng):
    T, B, N = _sizes(rng)
    block = module.Residual(module.Chain([indrnn.Unit(N, rng, **_unit(rng, T)), _linear(N, N, rng)]))
    return _of_layer(block, [rng.normal(size=(B, N)), None], rng, N, T, B)


def of_concatenate(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.Concatenate(_indrnn(2, N, rng)), rng.normal(size=(B, N)), rng, 2, T, B)


def of_bidirectional(module, rng):
    T, B, N = _sizes(rng)
    layer = module.Bidirectional(_indrnn(2, N, rng), _indrnn(2, 3, rng))
    return _of_layer(layer, [rng.normal(size=(B, N)), rng.normal(size=(B, 3))], rng, 2, T, B)


def of_differences_layer(module, rng):
    T, B, _ = _sizes(rng)
    return _of_layer(module.Differences(), rng.normal(size=(B, 2)), rng, 2, T, B)


def of_language_model(module, rng):
    T, B, N = _sizes(rng)
    body = combinators.Chain([_indrnn(N, 3, rng), _linear(3, N, rng)])
    model = module.LanguageModel(4, N, body, rng, p=[0.0, 0.3][rng.integers(2)], width=1.0, dtype=np.float64)
    state = {"body": [rng.normal(size=(B, 3)), None]}
    return _of_layer(model, state, rng, None, T, B, x=rng.integers(0, 4, (T, B)))


def of_chain(module, rng):
    T, B, N = _sizes(rng)
    chain = module.Chain([_indrnn(2, N, rng), _linear(N, 4, rng), _indrnn(4, 3, rng)])
    return _of_layer(chain, [rng.normal(size=(B, N)), None, rng.normal(size=(B, 3))], rng, 2, T, B)


def of_last_step(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.AtLastStep(_linear(N, 3, rng)), None, rng, N, T, B)


def of_stacked_indrnn(module, rng):
    T, B, N = _sizes(rng)
    network = module.StackedIndRNN(2, N, 3, 4, rng, length=T, **_unit(rng, T))
    return _of_layer(network, [rng.normal(size=(B, N)) for _ in range(3)] + [None], rng, 2, T, B)


def of_residual_indrnn(module, rng):
    T, B, N = _sizes(rng)
    network = module.ResidualIndRNN(2, N, 2, 3, rng, post_activation=bool(rng.integers(2)), length=T, **_unit(rng, T))
    return _of_layer(network, None, rng, 2, T, B)


def of_dense_indrnn(module, rng):
    T, B, _ = _sizes(rng)
    options = _unit(rng, T) | {"differences": bool(rng.random() < 0.3)}
    options["dropout"] = {"bottleneck": options["dropout"], "last": options["dropout"]}
    return _of_layer(module.DenseIndRNN(2, 2, (2, 1), 3, rng, length=T, **options), None, rng, 2, T, B)


PROBLEMS = {
    "obvious recurrence": (recurrence, of_obvious_recurrence),
    "recurrence": (recurrence, of_recurrence),
    "fused recurrence": (fused, of_fused_recurrence),
    "linear": (linear, of_linear),
    "rnn": (rnn, of_rnn),
    "lstm": (lstm, of_lstm),
    "gru": (gru, of_gru),
    "batch normalisation": (batchnorm, of_batchnorm),
    "layer normalisation": (layernorm, of_layernorm),
    "dropout": (dropout, of_dropout),
    "embedding": (embedding, of_embedding),
    "differences": (deltas, of_differences),
    "mean squared error": (losses, of_mean_squared_error),
    "cross-entropy": (losses, of_cross_entropy),
    "penalty on u": (bounds, of_penalty),
    "Linear": (linear, of_linear_layer),
    "Dropout": (dropout, of_dropout_layer),
    "IndRNN": (indrnn, of_indrnn_layer),
    "RNN": (rnn, of_rnn_layer),
    "LSTM": (lstm, of_lstm_layer),
    "GRU": (gru, of_gru_layer),
    "Chain": (combinators, of_chain),
    "Residual": (combinators, of_residual),
    "Concatenate": (combinators, of_concatenate),
    "AtLastStep": (combinators, of_last_step),
    "Bidirectional": (bidirectional, of_bidirectional),
    "Differences": (deltas, of_differences_layer),
    "StackedIndRNN": (stacked, of_stacked_indrnn),
    "ResidualIndRNN": (residual, of_residual_indrnn),
    "DenseIndRNN": (dense, of_dense_indrnn),
    "LanguageModel": (language_model, of_language_model),
}
