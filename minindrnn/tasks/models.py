"""The networks that one can train, by the name of a model: one table, and the one place where settings become layers.

To add a model, add a row: every task then has settings for it, those of its kind; a task may declare better ones.
"""
from dataclasses import dataclass
from functools import partial
from typing import Callable

from ..networks.combinators import AtLastStep, Chain
from ..networks.dense import dense_layers
from ..networks.residual import residual_layers
from ..networks.stacked import stacked_layers
from ..ops import bounds
from ..ops.gru import GRU
from ..ops.linear import Linear, normal, scaled
from ..ops.lstm import LSTM
from ..ops.rnn import RNN

OPTIONS = "activation", "norm", "dropout", "gamma", "penalty"        # settings of IndRNN alone


@dataclass(frozen=True)
class Model:
    """A row of the table.

    body       settings, inputs, rng, W and, for an IndRNN, options of its units -> layers, number of output channels
    colour     in pictures
    baseline   a network to compare IndRNN with: its neurons have no individual u
    plain      W alone sets the scale of its relu units, unless they are normalised
    blocks     --layers may be a list, a number for each block
    widening   channels of a language model, for each one of --hidden
    """
    body: Callable
    colour: str
    baseline: bool = False
    plain: bool = False
    blocks: bool = False
    widening: int = 1


def stacked(s, inputs, rng, **options):
    return stacked_layers(inputs, s.hidden, s.layers, rng, **options), s.hidden


def residual(s, inputs, rng, **options):
    return residual_layers(inputs, s.hidden, s.layers, rng, **options), s.hidden


def dense(s, inputs, rng, **options):
    blocks = s.layers if isinstance(s.layers, list) else [s.layers] * 3
    return dense_layers(inputs, s.hidden, blocks, rng, **options)


def cells(cell, s, inputs, rng, **options):
    widths = [inputs] + [s.hidden] * (s.layers - 1)
    return [cell(width, s.hidden, rng, **options) for width in widths], s.hidden


MODELS = {
    "indrnn": Model(stacked, "C0", plain=True),
    "residual": Model(residual, "C5"),
    "dense": Model(dense, "C6", blocks=True, widening=8),
    "rnn": Model(partial(cells, RNN), "C2", baseline=True),
    "irnn": Model(partial(cells, RNN, activation="relu", U="identity"), "C3", baseline=True, plain=True),
    "lstm": Model(partial(cells, LSTM), "C1", baseline=True),
    "gru": Model(partial(cells, GRU), "C4", baseline=True),
}


def weights(s, std):
    """Where W starts: normal, of that deviation, in stacks of relu units where nothing but W sets the scale; elsewhere
    1 / sqrt(inputs)."""
    return normal(std) if MODELS[s.model].plain and s.norm == "none" else scaled()


def layers_of(s, inputs, rng, *, W, **options):
    """The layers of the settings, and the number of channels that they end with.

    W         where it starts in relu networks; the other baselines start at 1 / sqrt(inputs)
    options   of an IndRNN: u, u_last, norm_options, ...
    """
    row = MODELS[s.model]
    if row.baseline:
        return row.body(s, inputs, rng, W=W if row.plain else scaled())
    if s.norm != "none":
        options |= dict(norm=s.norm)
    else:
        options.pop("norm_options", None)
    return row.body(s, inputs, rng, W=W, activation=s.activation, dropout=s.dropout, **options)


def layers_for_text(s, rng, **options):
    """The layers of the settings that end with as many channels as enter them, and that number; options as above."""
    row = MODELS[s.model]
    channels = row.widening * s.hidden
    if row.blocks:
        options |= dict(first=False, last=channels)
    return layers_of(s, channels, rng, **options)


def build(s, inputs, outputs, T, rng, *, W, readout=scaled()):
    """The network of the settings that answers after the last step: x (T, B, inputs) -> y (B, outputs).

    W, readout   where the weights start, as for `layers_of`, and those of the last map of an IndRNN
    """
    if MODELS[s.model].baseline:
        bound, ranges, readout = None, {}, scaled()
    else:
        bound = bounds.largest(T, s.gamma)
        ranges = dict(u=(0.0, bound), u_last=(bounds.smallest(T, 1 / s.gamma), bound))
    layers, channels = layers_of(s, inputs, rng, W=W, **ranges)
    network = Chain([*layers, AtLastStep(Linear(channels, outputs, rng, W=readout))])
    network.bound = bound
    return network
