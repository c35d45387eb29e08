"""The networks of the papers by name, with the settings of their published logs.

Source: arXiv 1910.06251, section 5, and the sizes in the authors' logs; `python -m minindrnn describe NAME`.
"""
from .dense import DenseIndRNN
from .layer import count, leaves
from .residual import ResidualIndRNN
from .shapes import expect_choice
from .stacked import StackedIndRNN

MNIST = dict(steps=784, gamma=5.0, norm="after")
NTU = dict(steps=20, gamma=5.0, norm="after")
MNIST_DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)
NTU_DENSE = dict(first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3)

ARCHITECTURES = {
    "mnist-plain-6": lambda rng: StackedIndRNN(1, 128, 6, 10, rng, dropout=0.1, **MNIST),
    "mnist-plain-12": lambda rng: StackedIndRNN(1, 128, 12, 10, rng, dropout=0.1, **MNIST),
    "mnist-res": lambda rng: ResidualIndRNN(1, 128, 5, 10, rng, dropout=0.1, **MNIST),
    "mnist-dense": lambda rng: DenseIndRNN(1, 16, (8, 6, 4), 10, rng, dropout=MNIST_DENSE, **MNIST),
    "ntu-plain-6": lambda rng: StackedIndRNN(150, 512, 6, 60, rng, dropout=0.25, **NTU),
    "ntu-plain-4": lambda rng: StackedIndRNN(150, 512, 4, 60, rng, dropout=0.25, **NTU),
    "ntu-res": lambda rng: ResidualIndRNN(150, 512, 5, 60, rng, dropout=0.5, **NTU),
    "ntu-dense": lambda rng: DenseIndRNN(150, 48, (8, 6, 4), 60, rng, dropout=NTU_DENSE, **NTU),
}


def build(name, rng=None):
    """The network of that name; without a generator a blank one that takes no memory. ValueError for another name."""
    expect_choice("network", name, ARCHITECTURES)
    return ARCHITECTURES[name](rng)


def describe(network):
    """Lines: every parameter with its place, role, shape and count, and the sum."""
    for path, parameter in leaves(network.parameters):
        shape = " x ".join(map(str, parameter.value.shape))
        yield f"  {path:<12} {parameter.role:<10} {shape:>12} {parameter.value.size:>12,}"
    yield f"  {'all':<12} {'':<10} {'':>12} {count(network.parameters):>12,}"
