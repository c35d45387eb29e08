"""Your own sequences, and a class for each."""
from pathlib import Path

from ..data.user_file import load_own
from .classification import Standardised
from .settings import SPLIT
from .task import fingerprint


class UserFile(Standardised):
    """Say which class a sequence of an .npz file is of: see `data.user_file`."""

    name, word = "own", "FILE.npz"
    help = "classes of your own (X, y, and lengths if ragged)"

    @property
    def label(self):
        return Path(self.settings.data).stem

    def load(self):
        return load_own(self.settings.data, [self.settings.seed, SPLIT])

    def look(self):
        return super().look() | {"data": fingerprint(*(array for part in self.parts.values() for array in part))}
