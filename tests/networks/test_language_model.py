import numpy as np
import pytest
from reference import SCALAR, B, T, close, ragged, recurrence, steps_of
from strategies import small_model

from minindrnn import Adam, BatchNorm, Chain, Dropout, Embedding, IndRNN, LanguageModel, Linear, cross_entropy
from minindrnn.core.layer import leaves
from minindrnn.core.padding import last_step, without_padding
from minindrnn.networks.dense import dense_layers
from minindrnn.networks.residual import residual_layers
from minindrnn.ops.linear import kaiming
from minindrnn.training.step import train_step


@ragged
def test_is_its_formula(lengths, rng):
    """y = E h + b, with h what the body makes of E[tokens]; its state is that of the body."""
    body = Chain([Dropout(0.9), IndRNN(4, 4, rng, u=(-1, 1), dtype=np.float64)])
    model = LanguageModel(6, 4, body, rng, width=0.8, dtype=np.float64)
    model.b.value[:] = rng.normal(size=6)
    tokens, h0, E = rng.integers(0, 6, (T, B)), rng.normal(size=(B, 4)), model["E"]
    layer = body.layers[1]
    x = without_padding(E[tokens], lengths)
    h = recurrence(x @ layer["W"].T + layer["b"], layer["u"], h0, SCALAR["relu"], lengths)
    alive = np.arange(T)[:, None] < steps_of(lengths)
    y, cache = model.forward(tokens, {"body": [None, h0]}, lengths=lengths)
    close(y, np.where(alive[:, :, None], h @ E.T + model.b.value, 0))
    close(model.last_state(cache)["body"][1], last_step(h, lengths))


def test_a_language_model_learns_what_comes_next(rng):
    text = np.tile([0, 1, 2, 3, 4, 5, 6, 3], 40)
    tokens = np.stack([text[i:i + 161] for i in range(8)], axis=1)       # eight streams
    model, state, losses = small_model(rng, p=0.05, bound=0.99), None, []
    optimiser = Adam(model.parameters)
    for _ in range(15):
        state = None
        for start in range(0, 160, 20):
            x, target = tokens[start:start + 20], tokens[start + 1:start + 21]
            loss, state = train_step(model, cross_entropy, optimiser, x, target, 1e-2, state=state,
                                     start=start, rng=rng, bound=0.99)
            losses.append(loss)
    assert losses[0] > 1.8 and np.mean(losses[-8:]) < 0.6
    state = None
    for start, token in enumerate(text[:100]):                       # one token at a time, its memory of fixed size
        y, state = model.step(np.array([token]), state, start=start)
        assert [leaf.shape for _, leaf in leaves(state) if leaf is not None] == [(1, 5)]
        assert start < 20 or y.argmax() == text[start + 1]


def test_ragged_language_model_counts_only_what_is_there(rng):
    model = small_model(rng)
    tokens = rng.integers(0, 7, (5, 2))
    y, cache = model.forward(tokens, lengths=[5, 2])
    target = rng.integers(0, 7, (5, 2))
    target[2:, 1] = -1
    loss, dy = cross_entropy(y, target)
    alone = [cross_entropy(model.forward(np.ascontiguousarray(tokens[:n, b:b + 1]))[0], target[:n, b:b + 1])[0]
             for b, n in ((0, 5), (1, 2))]
    assert loss == pytest.approx((5 * alone[0] + 2 * alone[1]) / 7, rel=1e-5)
    assert not dy[2:, 1].any()


def test_a_small_language_model_of_each_kind_trains_with_the_state_carried(rng):
    """The shapes of ptb-word-res, ptb-word-dense and ptb-char-res at a hundredth of the width: two segments, the second
    from the state."""
    u = dict(u=(0.0, 0.99), u_last=(0.0, 0.99))
    options = dict(norm="before", norm_options=dict(length=5))
    residual = [*residual_layers(6, 20, 2, rng, dropout=0.45, dropout_last=0.5, **u, **options),
                IndRNN(20, 6, rng, u=(0.0, 0.99), **options)]
    dense, channels = dense_layers(6, 3, (2, 1), rng, first=False, last=6, W=kaiming(0), **u, **options)
    assert channels == 6
    models = [LanguageModel(9, 6, Chain([Dropout(0.65), *body, BatchNorm(6, length=5), Dropout(0.65)]), rng,
                            p=0.2, bound=0.99)
              for body in (residual, dense)]
    for model in (*models, Chain([Embedding(9, 6, rng), *residual, Linear(6, 9, rng)])):
        state, optimiser = None, Adam(model.parameters)
        for start in (0, 7):
            tokens = rng.integers(0, 9, (8, 4))
            loss, state = train_step(model, cross_entropy, optimiser, tokens[:-1], tokens[1:], 2e-4, state=state,
                                     start=start, rng=rng, bound=0.99)
            assert np.isfinite(loss)
        us = [p.value for _, p in leaves(model.parameters) if p.role == "recurrent"]
        assert len(us) >= 6 and all(np.abs(u).max() <= np.float32(0.99) for u in us)
        assert any(h is not None and h.any() for _, h in leaves(state))


@pytest.mark.parametrize("state, message", [
    ([None], "state: expected {body}, got a list of 1"),
    ({"body": [None, np.zeros((2, 5), np.float32), None]}, r"h0: expected \(B, N\) = \(3, 5\), got \(2, 5\)"),
])
def test_states_that_do_not_fit_are_named(rng, state, message):
    with pytest.raises((TypeError, ValueError), match=message):
        small_model(rng).forward(np.zeros((2, 3), int), state)
