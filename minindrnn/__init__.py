"""minindrnn: the independently recurrent neural network, every gradient derived by hand.

    h[t] = act(W x[t] + b + u * h[t-1])         '*' is elementwise: one recurrent weight per neuron, its own
"""
from .blocks import AtLastStep, Chain
from .gradcheck import check
from .indrnn import IndRNN
from .linear import Linear, linear_backward, linear_forward
from .losses import cross_entropy, mean_squared_error
from .optim import SGD, Adam
from .recurrence import indrnn_backward, indrnn_forward
from .stacked import StackedIndRNN

__version__ = "0.1.0"
__all__ = ["Adam", "AtLastStep", "Chain", "IndRNN", "Linear", "SGD", "StackedIndRNN", "check", "cross_entropy",
           "indrnn_backward", "indrnn_forward", "linear_backward", "linear_forward", "mean_squared_error"]
