"""The basic deep network: IndRNN layers on top of each other, and a linear map of the last state.

    x[t] -> IndRNN -> IndRNN -> ... -> IndRNN -> at the last step: Linear -> y

The neurons of one layer do not see each other; the W of the next layer mixes them.
Source: Li et al., arXiv 1910.06251, section 4 (basic IndRNN) and section 3 (initial range of u).
"""
import numpy as np

from ..core.expect import expect_count
from ..ops import bounds
from ..ops.linear import Linear, scaled
from .combinators import AtLastStep, Chain
from .indrnn import IndRNN


def stacked_layers(inputs, neurons, layers, rng, *, u, u_last, **options):
    """The IndRNN layers: (T, B, inputs) -> (T, B, neurons).

    u, u_last   (low, high): where u starts, and where u of the last layer starts; other options as below
    """
    expect_count("layers", layers)
    widths, ranges = [inputs] + [neurons] * (layers - 1), [u] * (layers - 1) + [u_last]
    return [IndRNN(width, neurons, rng, u=u, **options) for width, u in zip(widths, ranges)]


class StackedIndRNN(Chain):
    """x (T, B, inputs)  ->  y (B, outputs).

    neurons, layers   width and number of the IndRNN layers
    length            T, the steps to remember: with gamma it gives the range of u
    gamma             |u| <= gamma^(1/T); the last layer starts at |u| >= (1/gamma)^(1/T), the others at 0
    readout           initialiser of the last linear map's W, as for `Linear`
    options           for every layer, as for `IndRNN`: activation, W, norm, dropout, ...

    >>> network = StackedIndRNN(1, 128, 2, 10, np.random.default_rng(0), length=100)
    >>> from minindrnn.core.layer import count
    >>> count(network.parameters) == (1 + 2) * 128 + (128 + 2) * 128 + (128 + 1) * 10
    True
    """

    def __init__(self, inputs, neurons, layers, outputs, rng, *, length, gamma=2.0, readout=scaled(), dtype=np.float32,
                 **options):
        expect_count("length", length)
        self.bound = bounds.largest(length, gamma)
        body = stacked_layers(inputs, neurons, layers, rng, u=(0.0, self.bound),
                              u_last=(bounds.smallest(length, 1 / gamma), self.bound), dtype=dtype, **options)
        super().__init__([*body, AtLastStep(Linear(neurons, outputs, rng, W=readout, dtype=dtype))])
