"""One update, with the papers' recipe: gradients clamped to +-10, |u| projected after every update.

Source: arXiv 1910.06251, section 5, and the authors' code.
"""
from ..core.expect import expect_generator, expect_number
from ..core.ranks import ALONE
from ..ops import bounds
from ..ops.losses import counted
from .optim import clip_values, matched


def train_step(network, loss, optimiser, x, target, rate, *, state=None, start=0, lengths=None, rng=None, bound=None,
               penalty=0.0, clip=10.0, ranks=ALONE):
    """Forward, loss, backward, clip, update, running statistics, projection: one update. Returns the loss and the last
    state.

    x         (T, B, M) in the dtype of the parameters, or tokens (T, B)
    target    what the loss takes: (B,) or (T, B) classes, (B, K) numbers
    loss      a function y, target -> loss, dy  (see `losses`)
    state     where the segment before this one ended, `start` steps after the beginning of its sequences; no gradient
              goes back into that segment (truncated backpropagation through time)
    lengths   as for a layer's forward
    rng       a `numpy.random.Generator` for dropout
    bound     the largest |u|: every recurrent parameter is projected after the update; None for no bound
    penalty   if above 0, nothing is projected: penalty * || max(0, |u| - bound) || is added to the loss
    clip      elementwise limit of the gradients
    ranks     `core.ranks.Ranks` with the batch of which x, target, state and lengths are this rank's part: loss,
              gradients and update are those of the whole batch, the same on every rank

    Only the parameters of the optimiser are clipped, updated and projected: see `optim`. Raises TypeError or
    ValueError as forward, loss and optimiser do.
    """
    expect_options(rng, bound, penalty)
    y, cache = network.forward(x, state, lengths=lengths, statistics="batch", start=start, rng=rng, ranks=ranks)
    value, dy = ranks.weigh(counted(target), *loss(y, target))
    _, grads = network.backward(dy, cache)
    value = float(ranks.sum(value))
    ranks.sum_in_place([grad for _, _, grad in matched(optimiser.parameters, grads)])
    for _, parameter, grad in matched(optimiser.parameters, grads) if penalty else ():
        if parameter.role == "recurrent":
            excess, du = bounds.penalty(parameter.value, bound)
            value += penalty * excess
            grad += grad.dtype.type(penalty) * du
    clip_values(optimiser.parameters, grads, clip)
    optimiser.update(grads, rate)
    network.absorb(cache)
    if bound is not None and not penalty:
        bounds.project(optimiser.parameters, bound)
    return value, network.last_state(cache)


def expect_options(rng, bound, penalty):
    """Check what an update needs only after its backward pass, before anything has changed."""
    expect_generator(rng, none=True)
    expect_number("penalty", penalty, 0)
    if bound is not None or penalty:
        expect_number("bound", bound, 0)
