"""Handwritten digits of 8 x 8 pixels: which one was read?"""
import numpy as np

from ..data.digits import load_digits
from .classification import Classification


class Digits(Classification):
    """Say which digit was read, pixel by pixel (T = 64)."""

    name = word = "digits"
    help = "read an image of 8 x 8 pixels and name the digit"
    takes, stands_for = {"train": {"rows"}}, {"rows": {"task": "digits-rows"}}
    unit, limits, rows = "images", (0, 16), False
    model = "residual"
    usual = dict(layers=3, hidden=128, updates=6000, batch=32, rate=3e-3)
    of_model = {"residual": dict(norm="after", updates=1500), "dense": dict(hidden=16)}

    def load(self):
        return {name: (8 * x.transpose(1, 0, 2) + 8, labels)
                for name, (x, labels) in load_digits(rows=self.rows).items()}

    def scale(self, x):
        return x.astype(np.float32) / 8 - 1


class DigitsByRows(Digits):
    """The same images, one row a step (T = 8): an eighth of the length, and a recipe of its own."""

    name, word = "digits-rows", "digits --rows"
    rows, model = True, "indrnn"
    usual = Digits.usual | dict(updates=4000, batch=16, rate=5e-3)
    of_model = {"dense": Digits.of_model["dense"]}
