"""A whole update on the device: the twin of `minindrnn.training.step.train_step`.

A `Twin` holds, on the device, the same tree of layers, parameters and moments as a network and its optimiser. Between
two evaluations it copies nothing back except a loss that is shown.
"""
import numpy as np
from numba import cuda

import minindrnn
from minindrnn.core.layer import Layer, Parameter, expect_known, leaves
from minindrnn.networks.combinators import Chain
from minindrnn.training.optim import matched
from minindrnn.training.step import expect_options

from . import combinators, losses
from .batchnorm import BatchNorm
from .bounds import penalty
from .device import Workspace, expect_gpu, sent
from .dropout import Dropout
from .indrnn import IndRNN, Unit
from .linear import Linear
from .optim import Adam

LOSSES = {minindrnn.cross_entropy: losses.cross_entropy, minindrnn.mean_squared_error: losses.mean_squared_error}
CHAINS = minindrnn.StackedIndRNN, minindrnn.ResidualIndRNN, minindrnn.DenseIndRNN, Chain
AROUND = {minindrnn.Residual: combinators.Residual, minindrnn.Concatenate: combinators.Concatenate,
          minindrnn.AtLastStep: combinators.AtLastStep}
AHEAD = 1024            # losses in one array on the device


class NoTwin(TypeError):
    """The device has no version of some part of a network, its loss or its optimiser."""


class Twin:
    """A network, its loss and its optimiser on the device.

    Raises NoGPU if there is no device, NoTwin for a part that only the CPU has.
    """

    def __init__(self, network, loss, optimiser):
        expect_gpu()
        if loss not in LOSSES:
            raise NoTwin(f"the loss {loss.__name__} is there for the CPU only")
        if type(optimiser) is not minindrnn.Adam:
            raise NoTwin(f"the optimiser {type(optimiser).__name__} is there for the CPU only")
        learned, there = ([id(parameter) for _, parameter in leaves(tree.parameters)] for tree in (optimiser, network))
        if learned != there:
            raise NoTwin("an optimiser of some of the network's parameters is there for the CPU only")
        self.copies, self.workspace, self.losses, self.place = [], Workspace(), None, 0
        self.network, self.loss = self._layer(network), LOSSES[loss]
        moments = {name: self._copy(array) for name, array in optimiser.state().items() if name != "updates"}
        self.optimiser = Adam(optimiser, self.network.parameters, moments)

    def train_step(self, x, target, rate, *, lengths=None, rng=None, bound=None, penalty=0.0, clip=10.0):
        """As `minindrnn.training.step.train_step`, for arrays on the host; float() reads the loss."""
        expect_options(rng, bound, penalty)
        loss = self._loss()
        with self.workspace:
            y, cache = self.network.forward(sent(x), lengths=lengths, statistics="batch", rng=rng)
            dy = self.loss(y, target, loss.array)
            _, grads = self.network.backward(dy, cache)
            self._penalise(penalty, bound, grads, loss.array)
            self.optimiser.update(grads, rate, limit=clip, bound=np.inf if bound is None or penalty else bound)
            self.network.absorb(cache)
        return loss, None

    def forward(self, x, *, lengths=None, statistics="running", **unused):
        """As the network's forward, x (T, B, M) on the host  ->  y on the host, None instead of the cache."""
        expect_known(unused)
        with self.workspace:
            y, _ = self.network.forward(sent(x), lengths=lengths, statistics=statistics)
            return y.copy_to_host(), None

    def compile(self, x, rng):
        """Run the kernels of the network once, so that they are compiled; the network does not change."""
        with self.workspace:
            y, cache = self.network.forward(sent(x), statistics="batch", rng=rng)
            self.network.backward(y, cache)
            cuda.synchronize()

    def fetch(self):
        """Copy the learned state to the network and the optimiser on the host."""
        for host, there in self.copies:
            there.copy_to_host(host)

    def send(self):
        """Copy the state of the network and the optimiser on the host to the device."""
        for host, there in self.copies:
            there.copy_to_device(host)

    def _penalise(self, weight, bound, grads, loss):
        for _, parameter, grad in matched(self.network.parameters, grads) if weight else ():
            if parameter.role == "recurrent":
                penalty(parameter.value, bound, weight, loss, grad)

    def _loss(self):
        if self.place % AHEAD == 0:
            self.losses = cuda.device_array(AHEAD, self.copies[0][1].dtype)
        self.place += 1
        place = (self.place - 1) % AHEAD
        return Loss(self.losses[place:place + 1])

    def _copy(self, array):
        self.copies.append((array, cuda.to_device(array)))
        return self.copies[-1][1]

    def _parameters(self, parameters):
        return {name: Parameter(self._copy(own.value), own.role) for name, own in parameters.items()}

    def _layer(self, layer):
        """The twin of a layer, with copies of its parameters and buffers; both share the count of buffer updates."""
        kind = type(layer)
        if kind in CHAINS:
            return Chain([self._layer(each) for each in layer.layers])
        if kind in AROUND:
            return AROUND[kind](self._layer(layer.layer))
        if kind is minindrnn.IndRNN:
            return IndRNN(self._layer(layer.linear), self._layer(layer.unit))
        if kind is minindrnn.Unit:
            norm = self._layer(layer.norm) if layer.order else Layer()
            u = self._parameters({"u": layer.parameters["u"]})
            return Unit(layer, u | norm.parameters, norm)
        if kind is minindrnn.Linear:
            return Linear(self._parameters(layer.parameters))
        if kind is minindrnn.Dropout:
            return Dropout(layer)
        if kind is minindrnn.BatchNorm and not layer.per_step:
            buffers = {name: self._copy(buffer) for name, buffer in layer.buffers.items() if name != "updates"}
            return BatchNorm(layer, self._parameters(layer.parameters), buffers | {"updates": layer.buffers["updates"]})
        raise NoTwin(f"{kind.__name__}{' per step' * (kind is minindrnn.BatchNorm)} is there for the CPU only")


class Loss:
    """A number on the device."""

    def __init__(self, array):
        self.array = array

    def __float__(self):
        return float(self.array.copy_to_host()[0])
