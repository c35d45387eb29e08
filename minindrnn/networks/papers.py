"""The networks of the papers by name, with the settings of their published logs.

Source: arXiv 1910.06251, section 5, and the sizes in the authors' logs; "ptb-char-plain-6" and "ptb-char-res" are from
arXiv 1803.04831. `python -m minindrnn describe NAME`.

Weights start as in the authors' code, with one exception: in the plain networks for classes, u of the last layer starts
in (smallest, largest), as the papers say. The authors' code intends the same, but its test of the layer's name is never
true in plain networks, so their u starts in (0, largest). In residual and dense networks the test works.
For "ptb-char-res" only width, depth and dropout are published, for "ptb-word-plain-6", the plain network of the code of
2019, only the layers. Their other settings are those of "ptb-char-plain-6" and of "ptb-word-res".
"""
from ..core.expect import expect_choice
from ..core.layer import count, leaves
from ..ops.batchnorm import BatchNorm
from ..ops.dropout import Dropout
from ..ops.embedding import Embedding
from ..ops.linear import Linear, kaiming, scaled
from .combinators import Chain
from .dense import DenseIndRNN, dense_layers
from .indrnn import IndRNN
from .language_model import LanguageModel
from .residual import ResidualIndRNN, residual_layers
from .stacked import StackedIndRNN, stacked_layers

STARTS = dict(W=kaiming(8), readout=scaled(2**0.5))
MNIST = dict(length=784, gamma=5.0, norm="after", **STARTS)
NTU = dict(length=20, gamma=5.0, norm="after", **STARTS)
MNIST_DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)
NTU_DENSE = dict(first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3)

SEGMENT, EMBEDDED, BOUND = 50, 600, 0.99      # Penn Treebank: steps of a segment, width of the embedding, of |u|
RANGE = dict(u=(0.0, BOUND), u_last=(0.0, BOUND))
PTB_DENSE = dict(bottleneck=0.1, dense=0.5, transition=0.4)
DENSE_TEXT_W = kaiming(0)


def per_step(segment):
    """Options of batch normalisation per step for a text in segments: all later steps share the last row."""
    return dict(length=2 * segment + 1)


PER_STEP = per_step(SEGMENT)


def layers_of_2000(inputs, blocks, rng, u, **options):
    """So many residual blocks; without blocks, six plain layers."""
    if blocks:
        return residual_layers(inputs, 2000, blocks, rng, u=u, u_last=u, **options)
    return stacked_layers(inputs, 2000, 6, rng, u=u, u_last=u, **options)


def ptb_words(rng, blocks=None, **dropout):
    options = dict(W=kaiming(8), norm="before", norm_options=PER_STEP)
    body = layers_of_2000(EMBEDDED, blocks, rng, (0.0, BOUND), **dropout, **options)
    narrow = IndRNN(2000, EMBEDDED, rng, u=(0.0, BOUND), **options)
    body = Chain([Dropout(0.65), *body, narrow, BatchNorm(EMBEDDED, **PER_STEP), Dropout(0.65)])
    return LanguageModel(10_000, EMBEDDED, body, rng, p=0.2, bound=BOUND)


def ptb_characters(rng, blocks=None, dropout=0.3):
    """Each character has a vector of 2000 at the input and another one at the output."""
    body = layers_of_2000(2000, blocks, rng, (0.0, 1.0), dropout=dropout, W=kaiming(2), norm="before",
                          norm_options=PER_STEP)
    readout = Linear(2000, 50, rng, W=lambda inputs: ("uniform", -0.04, 0.04))
    network = Chain([Embedding(50, 2000, rng, width=0.04), *body, readout])
    network.bound = 1.0
    return network


def ptb_dense(rng, tokens, into, rows, out):
    """into, rows, out: dropout of the embedded channels, of tokens, and before the decoder."""
    body, _ = dense_layers(EMBEDDED, 256, (8, 6, 4), rng, first=False, last=EMBEDDED, dropout=PTB_DENSE, W=DENSE_TEXT_W,
                           norm="before", norm_options=dict(gain=0.1, **PER_STEP), **RANGE)
    body = Chain([Dropout(into), *body, BatchNorm(EMBEDDED, **PER_STEP), Dropout(out)])
    return LanguageModel(tokens, EMBEDDED, body, rng, p=rows, bound=BOUND)


ARCHITECTURES = {
    "mnist-plain-6": lambda rng: StackedIndRNN(1, 128, 6, 10, rng, dropout=0.1, **MNIST),
    "mnist-plain-12": lambda rng: StackedIndRNN(1, 128, 12, 10, rng, dropout=0.1, **MNIST),
    "mnist-res": lambda rng: ResidualIndRNN(1, 128, 5, 10, rng, dropout=0.1, **MNIST),
    "mnist-dense": lambda rng: DenseIndRNN(1, 16, (8, 6, 4), 10, rng, dropout=MNIST_DENSE, **MNIST),
    "ntu-plain-6": lambda rng: StackedIndRNN(150, 512, 6, 60, rng, dropout=0.25, **NTU),
    "ntu-plain-4": lambda rng: StackedIndRNN(150, 512, 4, 60, rng, dropout=0.25, **NTU),
    "ntu-res": lambda rng: ResidualIndRNN(150, 512, 5, 60, rng, dropout=0.5, **NTU),
    "ntu-dense": lambda rng: DenseIndRNN(150, 48, (8, 6, 4), 60, rng, dropout=NTU_DENSE, **NTU),
    "ntu-dense-aug": lambda rng: DenseIndRNN(1944, 48, (8, 6, 4), 60, rng, dropout=NTU_DENSE, differences=True, **NTU),
    "ptb-char-plain-6": lambda rng: ptb_characters(rng, dropout=0.25),
    "ptb-char-res-11": lambda rng: ptb_characters(rng, 5),
    "ptb-char-res-21": lambda rng: ptb_characters(rng, 10),
    "ptb-word-plain-6": lambda rng: ptb_words(rng, dropout=0.45),
    "ptb-word-res": lambda rng: ptb_words(rng, 5, dropout=0.45, dropout_last=0.5),
    "ptb-word-dense": lambda rng: ptb_dense(rng, 10_000, into=0.65, rows=0.2, out=0.65),
    "ptb-char-dense": lambda rng: ptb_dense(rng, 50, into=0.0, rows=0.0, out=0.2),
}


def build(name, rng=None):
    """The network of that name; without a generator, a placeholder without memory. ValueError for an unknown name."""
    expect_choice("network", name, ARCHITECTURES)
    return ARCHITECTURES[name](rng)


def describe(network):
    """Lines: every parameter with its place, role, shape and count, and the sum."""
    for path, parameter in leaves(network.parameters):
        shape = " x ".join(map(str, parameter.value.shape))
        yield f"  {path:<20} {parameter.role:<10} {shape:>12} {parameter.value.size:>12,}"
    yield f"  {'all':<20} {'':<10} {'':>12} {count(network.parameters):>12,}"
