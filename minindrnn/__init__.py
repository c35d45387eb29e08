"""minindrnn: the independently recurrent neural network, every gradient derived by hand.

    h[t] = act(W x[t] + b + u * h[t-1])         '*' is elementwise: one recurrent weight per neuron, its own

The rooms, in reading order: `ops` and `networks` are the subject, on the ground of `core`; `training`, `data` and
`tasks` use it; `checks`, `exercises` and `bench` examine it; `cli` is the command line; `gpu` are the CUDA twins.
Imports run one way, in this order.
"""
import sys

from .core.interrupt import begin

if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)].removeprefix("-m") in ("minindrnn", "minindrnn.gpu"):
    begin()                                               # this is python -m minindrnn, and the imports take their time

from .checks.gradcheck import GradientError, Problem, check
from .core.layer import Layer, Parameter, leaves
from .networks.bidirectional import Bidirectional
from .networks.combinators import AtLastStep, Chain, Concatenate, Residual
from .networks.dense import DenseIndRNN
from .networks.indrnn import IndRNN, Unit
from .networks.language_model import LanguageModel
from .networks.residual import ResidualIndRNN
from .networks.stacked import StackedIndRNN
from .ops.batchnorm import BatchNorm, batchnorm_backward, batchnorm_forward
from .ops.bounds import half_life, largest, penalty, project, smallest
from .ops.deltas import Differences, differences_backward, differences_forward
from .ops.dropout import Dropout, dropout_backward, dropout_forward
from .ops.embedding import Embedding, embedding_backward, embedding_forward
from .ops.gru import GRU, gru_backward, gru_forward
from .ops.layernorm import LayerNorm, layernorm_backward, layernorm_forward
from .ops.linear import Linear, kaiming, linear_backward, linear_forward, normal, scaled
from .ops.losses import cross_entropy, mean_squared_error
from .ops.lstm import LSTM, lstm_backward, lstm_forward
from .ops.recurrence import indrnn_backward, indrnn_forward
from .ops.rnn import RNN, rnn_backward, rnn_forward
from .training.optim import SGD, Adam, clip_norm, clip_values
from .training.step import train_step

__version__ = "0.1.0"
__all__ = ["Adam", "AtLastStep", "BatchNorm", "Bidirectional", "Chain", "Concatenate", "DenseIndRNN", "Differences",
           "Dropout", "Embedding", "GRU", "GradientError", "IndRNN", "LSTM", "LanguageModel", "Layer", "LayerNorm",
           "Linear", "Parameter", "Problem", "RNN", "Residual", "ResidualIndRNN", "SGD", "StackedIndRNN", "Unit",
           "batchnorm_backward", "batchnorm_forward", "check", "clip_norm", "clip_values", "cross_entropy",
           "differences_backward", "differences_forward", "dropout_backward", "dropout_forward", "embedding_backward",
           "embedding_forward", "gru_backward", "gru_forward", "half_life", "indrnn_backward", "indrnn_forward",
           "kaiming", "largest", "layernorm_backward", "layernorm_forward", "leaves", "linear_backward",
           "linear_forward", "lstm_backward", "lstm_forward", "mean_squared_error", "normal", "penalty", "project",
           "rnn_backward", "rnn_forward", "scaled", "smallest", "train_step"]
