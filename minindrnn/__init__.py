"""minindrnn: the independently recurrent neural network, every gradient derived by hand.

    h[t] = act(W x[t] + b + u * h[t-1])         '*' is elementwise: one recurrent weight per neuron, its own
"""
from .batchnorm import BatchNorm, batchnorm_backward, batchnorm_forward
from .blocks import AtLastStep, Chain, Concatenate, Residual
from .dense import DenseIndRNN
from .dropout import Dropout, dropout_backward, dropout_forward
from .gradcheck import check
from .indrnn import IndRNN, Unit
from .linear import Linear, linear_backward, linear_forward
from .losses import cross_entropy, mean_squared_error
from .optim import SGD, Adam
from .recurrence import indrnn_backward, indrnn_forward
from .residual import ResidualIndRNN
from .stacked import StackedIndRNN

__version__ = "0.1.0"
__all__ = ["Adam", "AtLastStep", "BatchNorm", "Chain", "Concatenate", "DenseIndRNN", "Dropout", "IndRNN", "Linear",
           "Residual", "ResidualIndRNN", "SGD", "StackedIndRNN", "Unit", "batchnorm_backward", "batchnorm_forward",
           "check", "cross_entropy", "dropout_backward", "dropout_forward", "indrnn_backward", "indrnn_forward",
           "linear_backward", "linear_forward", "mean_squared_error"]
