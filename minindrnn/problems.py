"""A gradient problem for every operation, layer and network: what `python -m minindrnn gradcheck` goes through,
what the tests draw from, and what a deliberately broken backward must fail.

Each function takes the module it checks, so that a broken copy can be put in its place, and a generator from
which it draws sizes and values; values come from continuous distributions, so no pre-activation sits on relu's kink.
"""
import numpy as np

from . import batchnorm, blocks, dense, dropout, indrnn, linear, losses, memory, recurrence, residual, stacked
from .activations import KIND
from .gradcheck import Problem, of_layer
from .layer import leaves


def _sizes(rng):
    return rng.integers(1, 9), rng.integers(1, 5), rng.integers(1, 6)


def _lengths(rng, T, B):
    return None if rng.random() < 0.5 else rng.integers(1, T + 1, B)


def of_recurrence(module, rng):
    _, B, N = _sizes(rng)
    T = rng.integers(1, 14)                           # up to three passes of four steps
    arrays = {"a": rng.normal(size=(T, B, N)), "u": rng.uniform(-1.2, 1.2, N), "h0": rng.normal(size=(B, N))}
    options = {"activation": rng.choice(list(KIND)), "lengths": _lengths(rng, T, B)}

    def backward(dh, cache):
        return dict(zip(arrays, module.indrnn_backward(dh, cache)))

    return Problem(arrays, lambda: module.indrnn_forward(*arrays.values(), **options), backward)


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
               "lengths": _lengths(rng, T, B)}

    def backward(dy, cache):
        return dict(zip(arrays, module.batchnorm_backward(dy, cache)))

    return Problem(arrays, lambda: module.batchnorm_forward(*arrays.values(), *given, **options), backward)


def of_dropout(module, rng):
    x, seed, p = rng.normal(size=_sizes(rng)), rng.integers(1000), rng.uniform(0, 0.9)
    return Problem({"x": x}, lambda: module.dropout_forward(x, p, np.random.default_rng(seed)),
                   lambda dy, cache: {"x": module.dropout_backward(dy, cache)})


def of_mean_squared_error(module, rng):
    _, B, K = _sizes(rng)
    target = rng.normal(size=(B, K))
    return _of_loss(rng.normal(size=(B, K)), lambda y: module.mean_squared_error(y, target))


def of_cross_entropy(module, rng):
    _, B, K = _sizes(rng)
    target = rng.integers(0, K, B)
    return _of_loss(3 * rng.normal(size=(B, K)), lambda y: module.cross_entropy(y, target))


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
    """Options of a unit: any activation, batch normalisation of any kind or none, dropout or none. With a small eps,
    1 / sqrt(var + eps) of two values close together is too curved for differences to resolve."""
    return {"activation": rng.choice(list(KIND)), "norm": [None, "before", "after"][rng.integers(3)],
            "norm_options": {"steps": [None, T][rng.integers(2)], "eps": 0.1},
            "dropout": [0.0, 0.3][rng.integers(2)], "dtype": np.float64}


def _of_layer(layer, state, rng, M, T, B):
    for _, parameter in leaves(layer.parameters):
        if parameter.role == "bias":                  # zero biases would put silent neurons onto the kink
            parameter.value[:] = rng.normal(size=parameter.value.shape)
    for _, buffer in leaves(layer.buffers):
        buffer += 1                                   # running averages of their own: mean 1, variance 2, one update
    return of_layer(layer, rng.normal(size=(T, B, M)), state, lengths=_lengths(rng, T, B), seed=rng.integers(1000),
                    statistics=["batch", "running"][rng.integers(2)])


def of_linear_layer(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.Linear(3, N, rng, dtype=np.float64), None, rng, 3, T, B)


def of_indrnn_layer(module, rng):
    T, B, N = _sizes(rng)
    layer = module.IndRNN(2, N, rng, u=(-1.1, 1.1), **_unit(rng, T))
    return _of_layer(layer, rng.normal(size=(B, N)), rng, 2, T, B)


def of_residual(module, rng):
    T, B, N = _sizes(rng)
    block = module.Residual(module.Chain([indrnn.Unit(N, rng, **_unit(rng, T)), _linear(N, N, rng)]))
    return _of_layer(block, [rng.normal(size=(B, N)), None], rng, N, T, B)


def of_concatenate(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.Concatenate(_indrnn(2, N, rng)), rng.normal(size=(B, N)), rng, 2, T, B)


def of_chain(module, rng):
    T, B, N = _sizes(rng)
    chain = module.Chain([_indrnn(2, N, rng), _linear(N, 4, rng), _indrnn(4, 3, rng)])
    return _of_layer(chain, [rng.normal(size=(B, N)), None, rng.normal(size=(B, 3))], rng, 2, T, B)


def of_last_step(module, rng):
    T, B, N = _sizes(rng)
    return _of_layer(module.AtLastStep(_linear(N, 3, rng)), None, rng, N, T, B)


def of_stacked_indrnn(module, rng):
    T, B, N = _sizes(rng)
    network = module.StackedIndRNN(2, N, 3, 4, rng, steps=T, **_unit(rng, T))
    return _of_layer(network, [rng.normal(size=(B, N)) for _ in range(3)] + [None], rng, 2, T, B)


def of_residual_indrnn(module, rng):
    T, B, N = _sizes(rng)
    network = module.ResidualIndRNN(2, N, 2, 3, rng, post_activation=bool(rng.integers(2)), steps=T, **_unit(rng, T))
    return _of_layer(network, None, rng, 2, T, B)


def of_dense_indrnn(module, rng):
    T, B, _ = _sizes(rng)
    options = _unit(rng, T)
    options["dropout"] = {"bottleneck": options["dropout"], "last": options["dropout"]}
    return _of_layer(module.DenseIndRNN(2, 2, (2, 1), 3, rng, steps=T, **options), None, rng, 2, T, B)


PROBLEMS = {
    "recurrence": (recurrence, of_recurrence),
    "linear": (linear, of_linear),
    "batch normalisation": (batchnorm, of_batchnorm),
    "dropout": (dropout, of_dropout),
    "mean squared error": (losses, of_mean_squared_error),
    "cross-entropy": (losses, of_cross_entropy),
    "penalty on u": (memory, of_penalty),
    "Linear": (linear, of_linear_layer),
    "IndRNN": (indrnn, of_indrnn_layer),
    "Chain": (blocks, of_chain),
    "Residual": (blocks, of_residual),
    "Concatenate": (blocks, of_concatenate),
    "AtLastStep": (blocks, of_last_step),
    "StackedIndRNN": (stacked, of_stacked_indrnn),
    "ResidualIndRNN": (residual, of_residual_indrnn),
    "DenseIndRNN": (dense, of_dense_indrnn),
}
