"""The densely connected network: every layer of a block sees the outputs of all layers before it.

    x[t] -> IndRNN(6k) -> block -> transition -> block -> transition -> block -> transition -> at the last step: Linear
    dense layer    [x, IndRNN_k(IndRNN_4k(x))]      adds k channels, through a bottleneck of 4k
    transition     IndRNN to half the channels

k is the growth rate. Blocks of (8, 6, 4) layers make 40 recurrent layers: 1 + 2 * 18 + 3.
Source: Li et al., arXiv 1910.06251, section 4, figure 4.
"""
from numbers import Integral

import numpy as np

from ..core.expect import expect_count
from ..ops import bounds
from ..ops.deltas import Differences
from ..ops.linear import Linear, scaled
from .combinators import AtLastStep, Chain, Concatenate
from .indrnn import IndRNN

KINDS = ("first", "bottleneck", "dense", "transition", "last")


def dense_layers(inputs, growth, blocks, rng, *, u, u_last, first=True, last=None, differences=False, dropout=0.0,
                 dtype=np.float32, **options):
    """The layers from the first IndRNN to the last transition  ->  layers, number of channels they end with.

    u, u_last   (low, high): where u starts, and where u of the last transition starts
    first       whether there is an IndRNN(6k); without it the input enters the first block
    last        width of the last transition, if not half the channels; other options as below
    """
    expect_count("growth", growth)
    counts = np.ndim(blocks) == 1 and all(isinstance(count, Integral) and count >= 1 for count in blocks)
    if not counts or not len(blocks):
        raise ValueError(f"blocks: expected the number of dense layers of each block, at least 1, got {blocks}")
    dropout = dict.fromkeys(KINDS, 0.0) | dropout if isinstance(dropout, dict) else dict.fromkeys(KINDS, dropout)
    if set(dropout) != set(KINDS):
        raise ValueError(f"dropout: expected some of {', '.join(KINDS)}, got {', '.join(set(dropout) - set(KINDS))}")
    times = 2 if differences else 1

    def indrnn(width, neurons, kind):
        layer = IndRNN(width, neurons, rng, u=u_last if kind == "last" else u, dropout=dropout[kind], dtype=dtype,
                       **options)
        return [layer, Differences()] if differences else [layer]

    layers, channels = [Differences()] if differences else [], times * inputs
    if first:
        layers += indrnn(channels, 6 * growth, "first")
        channels = times * 6 * growth
    for number, count in enumerate(blocks, 1):
        for _ in range(count):
            bottleneck = indrnn(channels, 4 * growth, "bottleneck")
            layers.append(Concatenate(Chain([*bottleneck, *indrnn(times * 4 * growth, growth, "dense")])))
            channels += times * growth
        final = number == len(blocks)
        width = last if final and last else channels // (2 * times)
        layers += indrnn(channels, width, "last" if final else "transition")
        channels = times * width
    return layers, channels


class DenseIndRNN(Chain):
    """x (T, B, inputs)  ->  y (B, outputs).

    growth           k, the channels that a dense layer adds
    blocks           number of dense layers in each block
    length, gamma    the range of u, as for `StackedIndRNN`
    readout          initialiser of the last linear map's W, as for `Linear`
    options          dropout: probability after every unit, or one for each kind, {"first", "bottleneck", "dense",
                     "transition", "last"}, 0 for kinds without a value
                     differences: put `Differences` after the input and after every layer, which doubles the channels
                     for every layer, as for `IndRNN`: activation, W, norm, ...
    """

    def __init__(self, inputs, growth, blocks, outputs, rng, *, length, gamma=2.0, readout=scaled(), dtype=np.float32,
                 **options):
        expect_count("length", length)
        self.bound = bounds.largest(length, gamma)
        body, channels = dense_layers(inputs, growth, blocks, rng, u=(0.0, self.bound),
                                      u_last=(bounds.smallest(length, 1 / gamma), self.bound), dtype=dtype, **options)
        super().__init__([*body, AtLastStep(Linear(channels, outputs, rng, W=readout, dtype=dtype))])
