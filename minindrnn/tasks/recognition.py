"""Classification, task by task, with the settings that work: digits, images pixel by pixel, motion, data of one's own.
"""
import numpy as np

from ..data.digits import load_digits
from ..data.mnist import ARTICLES, FASHION, MNIST, load_images
from ..data.motion import EXERCISES, load_motion
from ..data.user_file import load_own
from ..ops.linear import kaiming, scaled
from .classification import Classification, Standardised
from .recipe import BASELINES, SPLIT, fingerprint


class Digits(Classification):
    """Say which digit was read, pixel by pixel (T = 64)."""

    unit, limits = "images", (0, 16)

    @staticmethod
    def defaults(model, length):
        return dict(layers=3, hidden=16 if model == "dense" else 128, steps=6000, batch=32, rate=3e-3)

    def load(self):
        return {name: (8 * x.transpose(1, 0, 2) + 8, labels) for name, (x, labels)
                in load_digits(rows=self.settings.task == "digits-rows").items()}

    def scale(self, x):
        return x.astype(np.float32) / 8 - 1


class DigitsByRows(Digits):
    """The same images, one row a step (T = 8): an eighth of the length, and a recipe of its own."""

    @staticmethod
    def defaults(model, length):
        return Digits.defaults(model, length) | dict(steps=4000, batch=16, rate=5e-3)


class SequentialMNIST(Classification):
    """Say which digit was read, one of 784 pixels a step; the settings of arXiv 1910.06251, section 5, and of the
    authors' code: an evaluation every 1700 steps, the rate divided by 10 at each plateau."""

    unit, limits, source = "images", (0, 255), MNIST
    initialisers = dict(W=kaiming(8), readout=scaled(2**0.5))
    DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)

    @staticmethod
    def defaults(model, length):
        usual = dict(hidden=128, steps=10**6, batch=32, rate=2e-4, plateau=100, gamma=5.0, decay=1e-4)
        if model in BASELINES:
            return usual | dict(layers=1, decay=0.0, rate=1e-3 if model in ("lstm", "gru") else 2e-4)
        deep = {"indrnn": dict(layers=6, dropout=0.1), "residual": dict(layers=5, dropout=0.1),
                "dense": dict(layers=[8, 6, 4], hidden=16, dropout=SequentialMNIST.DENSE)}[model]
        return usual | dict(norm="after") | deep

    def load(self):
        parts = load_images(self.source, [self.settings.seed, SPLIT], self.settings.data or None)
        return {name: (self.arrange(x), labels) for name, (x, labels) in parts.items()}

    def every(self):
        return 1700

    def scale(self, x):
        return x.astype(np.float32) / 128 - 1


class PermutedMNIST(SequentialMNIST):
    """The same with the pixels in another order, drawn once from the seed: what was near is far apart."""

    def arrange(self, x):
        return x[:, np.random.default_rng([self.settings.seed, SPLIT, 1]).permutation(x.shape[1])]


class Fashion(SequentialMNIST):
    """Say which article of clothing was read, pixel by pixel."""

    source, names = FASHION, ARTICLES


class Motion(Standardised):
    """Say which exercise a person does whom the network has never seen, from windows of 4 seconds (T = 200) or, with
    length 0, from whole recordings."""

    length, names = 200, EXERCISES

    @property
    def unit(self):
        return "windows" if self.settings.length else "recordings"

    @staticmethod
    def defaults(model, length):
        usual = dict(hidden=128, steps=2000, batch=32, rate=1e-3)
        if model in BASELINES:
            return usual | dict(layers=1)
        deep = {"indrnn": dict(layers=4), "residual": dict(layers=3), "dense": dict(layers=3, hidden=12)}[model]
        return usual | dict(norm="after", dropout=0.1, decay=1e-4) | deep

    def load(self):
        return load_motion(self.settings.fold, self.settings.length, self.settings.data or None)


class Own(Standardised):
    """Say which class a sequence of an .npz file is of: see `data.user_file`."""

    @staticmethod
    def defaults(model, length):
        return Motion.defaults(model, length)

    def load(self):
        return load_own(self.settings.data, [self.settings.seed, SPLIT])

    def look(self):
        return super().look() | {"data": fingerprint(*(array for part in self.parts.values() for array in part))}
