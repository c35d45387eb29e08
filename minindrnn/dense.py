"""The densely connected network: every layer of a block sees the outputs of all layers before it.

    x[t] -> IndRNN(6k) -> block -> transition -> block -> transition -> block -> transition -> at the last step: Linear
    dense layer    [x, IndRNN_k(IndRNN_4k(x))]      adds k channels, through a bottleneck of 4k
    transition     IndRNN to half the channels

k is the growth rate. Blocks of (8, 6, 4) layers make 40 recurrent layers: 1 + 2 * 18 + 3.
Source: Li et al., arXiv 1910.06251, section 4, figure 4.
"""
import numpy as np

from . import memory
from .blocks import AtLastStep, Chain, Concatenate
from .indrnn import IndRNN
from .linear import Linear
from .shapes import expect_number


class DenseIndRNN(Chain):
    """x (T, B, inputs)  ->  y (B, outputs).

    growth           k, channels that a dense layer adds
    blocks           number of dense layers in each block
    steps, gamma     the range of u, as for `StackedIndRNN`
    dropout          {"first", "bottleneck", "dense", "transition", "last"}: probability after the units of each kind;
                     what is not named is 0
    std, uniform     how inner W start, see `Linear`: std times 1 / sqrt(inputs)
    options          of every layer, as for `IndRNN`: activation, norm, ...
    """

    def __init__(self, inputs, growth, blocks, outputs, rng, *, steps, gamma=2.0, dropout=None, std=1.0, uniform=False,
                 dtype=np.float32, **options):
        expect_number("growth", growth, 1)
        if not blocks or any(count < 1 for count in blocks):
            raise ValueError(f"blocks: expected the number of dense layers of each block, at least 1, got {blocks}")
        kinds = ("first", "bottleneck", "dense", "transition", "last")
        dropout = dict.fromkeys(kinds, 0.0) | (dropout or {})
        if set(dropout) != set(kinds):
            raise ValueError(f"dropout: expected some of {', '.join(kinds)}, "
                             f"got {', '.join(set(dropout) - set(kinds))}")
        self.bound = memory.largest(steps, gamma)

        def indrnn(width, neurons, kind, low=0.0):
            return IndRNN(width, neurons, rng, u=(low, self.bound), std=std * width**-0.5, uniform=uniform,
                          dropout=dropout[kind], dtype=dtype, **options)

        channels = 6 * growth
        layers = [indrnn(inputs, channels, "first")]
        for number, count in enumerate(blocks, 1):
            for _ in range(count):
                layers.append(Concatenate(Chain([indrnn(channels, 4 * growth, "bottleneck"),
                                                 indrnn(4 * growth, growth, "dense")])))
                channels += growth
            last = number == len(blocks)
            layers.append(indrnn(channels, channels // 2, "last" if last else "transition",
                                 low=memory.smallest(steps, 1 / gamma) if last else 0.0))
            channels //= 2
        super().__init__([*layers, AtLastStep(Linear(channels, outputs, rng, dtype=dtype))])
