"""minindrnn: the independently recurrent neural network, every gradient derived by hand.

    h[t] = act(W x[t] + b + u * h[t-1])         '*' is elementwise: one recurrent weight per neuron, its own
"""
import sys

from .console import begin

if sys.argv[:1] == ["-m"] and {"minindrnn", "minindrnn.gpu"} & set(sys.orig_argv):     # python -m minindrnn
    begin()

from .batchnorm import BatchNorm, batchnorm_backward, batchnorm_forward
from .bidirectional import Bidirectional
from .blocks import AtLastStep, Chain, Concatenate, Residual
from .dense import DenseIndRNN
from .differences import Differences, differences_backward, differences_forward
from .dropout import Dropout, dropout_backward, dropout_forward
from .embedding import Embedding, embedding_backward, embedding_forward
from .gradcheck import check
from .gru import GRU, gru_backward, gru_forward
from .indrnn import IndRNN, Unit
from .languagemodel import LanguageModel
from .layernorm import LayerNorm, layernorm_backward, layernorm_forward
from .linear import Linear, linear_backward, linear_forward
from .losses import cross_entropy, mean_squared_error
from .lstm import LSTM, lstm_backward, lstm_forward
from .optim import SGD, Adam
from .recurrence import indrnn_backward, indrnn_forward
from .residual import ResidualIndRNN
from .rnn import RNN, rnn_backward, rnn_forward
from .stacked import StackedIndRNN

__version__ = "0.1.0"
__all__ = ["Adam", "AtLastStep", "BatchNorm", "Bidirectional", "Chain", "Concatenate", "DenseIndRNN", "Differences",
           "Dropout", "Embedding", "GRU", "IndRNN", "LSTM", "LanguageModel", "LayerNorm", "Linear", "RNN", "Residual",
           "ResidualIndRNN", "SGD", "StackedIndRNN", "Unit", "batchnorm_backward", "batchnorm_forward", "check",
           "cross_entropy", "differences_backward", "differences_forward", "dropout_backward", "dropout_forward",
           "embedding_backward", "embedding_forward", "gru_backward", "gru_forward", "indrnn_backward",
           "indrnn_forward", "layernorm_backward", "layernorm_forward", "linear_backward", "linear_forward",
           "lstm_backward", "lstm_forward", "mean_squared_error", "rnn_backward", "rnn_forward"]
