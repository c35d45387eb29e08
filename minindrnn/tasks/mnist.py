"""Images of 28 x 28 pixels, pixel by pixel (T = 784): MNIST, the same in another order, and Fashion-MNIST.

The settings are those of arXiv 1910.06251, section 5, and of the authors' code: an evaluation every 1700 updates,
the rate divided by 10 at each plateau. The papers' networks are in `networks.papers`.
"""
import numpy as np

from ..data.mnist import ARTICLES, FASHION, MNIST, load_images
from ..networks import papers
from .classification import Classification
from .settings import SPLIT


class SequentialMNIST(Classification):
    """Say which digit was read, one of 784 pixels a step."""

    name = word = "smnist"
    help = "name the image, 28 x 28 pixels one after the other"
    takes = {"train": {"data"}}
    unit, limits, source = "images", (0, 255), MNIST
    initialisers = papers.STARTS
    usual = dict(hidden=128, updates=10**6, batch=32, rate=2e-4, plateau=100, gamma=papers.MNIST["gamma"])
    of_indrnn = dict(layers=6, norm=papers.MNIST["norm"], dropout=0.1, decay=1e-4)
    of_baseline = dict(layers=1, rate=1e-3)
    of_model = {"residual": dict(layers=5), "dense": dict(layers=[8, 6, 4], hidden=16, dropout=papers.MNIST_DENSE),
                "rnn": dict(rate=2e-4), "irnn": dict(rate=2e-4)}

    def load(self):
        parts = load_images(self.source, [self.settings.seed, SPLIT], self.settings.data or None)
        return {name: (self.arrange(x), labels) for name, (x, labels) in parts.items()}

    def every(self):
        return 1700

    def scale(self, x):
        return x.astype(np.float32) / 128 - 1


class PermutedMNIST(SequentialMNIST):
    """The same with the pixels in another order, drawn once from the seed: what was near is far apart."""

    name = word = "pmnist"

    def arrange(self, x):
        return x[:, np.random.default_rng([self.settings.seed, SPLIT, 1]).permutation(x.shape[1])]


class FashionMNIST(SequentialMNIST):
    """Say which article of clothing was read, pixel by pixel."""

    name = word = "fashion"
    source, names = FASHION, ARTICLES
