"""The residual network: blocks that add to what passes by, so that a gradient reaches the first layer unchanged.

    x[t] -> Linear -> block -> ... -> block -> unit -> at the last step: Linear -> y
    block, pre-activation     x + Linear(unit(Linear(unit(x))))
    block, post-activation    unit(x + Linear(unit(Linear(x))))        the original form

The skip acts within a time step and leaves each unit's recurrence as it is. A network of K blocks has 2 K + 1
recurrent layers (pre-activation). Source: Li et al., arXiv 1910.06251, section 4, figure 3.
"""
import numpy as np

from . import memory
from .blocks import AtLastStep, Chain, Residual
from .indrnn import Unit
from .linear import Linear
from .shapes import expect_number


class ResidualIndRNN(Chain):
    """x (T, B, inputs)  ->  y (B, outputs).

    neurons, blocks   width, and number of residual blocks
    steps, gamma      the range of u, as for `StackedIndRNN`
    post_activation   the original block instead of the pre-activation one
    std, uniform      how inner W start, see `Linear`
    options           of every unit, as for `Unit`: activation, norm, dropout, ...
    """

    def __init__(self, inputs, neurons, blocks, outputs, rng, *, steps, gamma=2.0, post_activation=False, std=None,
                 uniform=False, dtype=np.float32, **options):
        expect_number("blocks", blocks, 1)
        self.bound = memory.largest(steps, gamma)
        long = memory.smallest(steps, 1 / gamma), self.bound

        def unit(u=(0.0, self.bound)):
            return Unit(neurons, rng, u=u, dtype=dtype, **options)

        def linear(width=neurons):
            return Linear(width, neurons, rng, std=std, uniform=uniform, dtype=dtype)

        def block(last):
            if post_activation:
                return [Residual(Chain([linear(), unit(), linear()])), unit(long if last else (0.0, self.bound))]
            return [Residual(Chain([unit(), linear(), unit(), linear()]))]

        body = [layer for k in range(blocks) for layer in block(last=k == blocks - 1)]
        super().__init__([linear(inputs), *body, *([] if post_activation else [unit(long)]),
                          AtLastStep(Linear(neurons, outputs, rng, dtype=dtype))])
