"""Human motion: which of seven shoulder exercises a smartwatch was worn in. 140 recordings of 10 people.

Acceleration and rotation along three axes each, at 50 Hz, 19 to 52 seconds of some 20 repetitions. The parts are split
by person: nobody in the test set is in the training set, the cross-subject protocol. Source: Burns et al.,
arXiv 1802.01489; the recordings come with the package seglearn (BSD 3-clause) and are not in this one: see `download`.
"""
import io
import pickle
import struct

import numpy as np

from .download import DataError, Source, read
from .user_file import padded

EXERCISES = ("pendulum", "abduction", "forward elevation", "internal rotation", "external rotation",
             "trapezius extension", "upright row")
PEOPLE = 10
NAME = "watch_dataset.npy"
MOTION = Source("motion", {NAME: "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"},
                ("python", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "seglearn==1.2.5"))


class Arrays(pickle.Unpickler):
    """Reads arrays and plain containers, and refuses everything else."""
    ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"),
               ("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise DataError(f"{NAME}: expected arrays only, got {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def recordings(folder=None):
    """A list of 140 arrays (T, 6) float32, exercise (140,) in 0..6, person (140,) in 0..9. DataError without."""
    contents = read(MOTION, folder)[NAME]
    header, = struct.unpack("<H", contents[8:10])
    found = Arrays(io.BytesIO(contents[10 + header:])).load().item()
    return ([np.ascontiguousarray(x, np.float32) for x in found["X"]], np.asarray(found["y"], np.int64),
            np.asarray(found["subject"], np.int64) - 1)


def load_motion(fold=0, window=200, folder=None):
    """{"train": (x, labels, lengths), ...}: x (n, T, 6) float32, labels (n,) in 0..6, lengths (n,).

    fold     0 to 4: people 2 fold and 2 fold + 1 are the test, the next two the validation, the other six the training
    window   T: steps of a piece, which starts every half of that (a recording that is shorter is one piece); 0 for
             whole recordings, up to 2618 steps
    """
    found, labels, people = recordings(folder)
    distance = (people - 2 * fold) % PEOPLE
    parts = {}
    for name, chosen in (("train", distance >= 4), ("validation", distance // 2 == 1), ("test", distance < 2)):
        pieces = [(piece, labels[i]) for i in np.flatnonzero(chosen) for piece in windows(found[i], window)]
        lengths = np.array([len(piece) for piece, _ in pieces])
        parts[name] = (padded(np.concatenate([piece for piece, _ in pieces]), lengths),
                       np.array([label for _, label in pieces]), lengths)
    return parts


def windows(x, window):
    """The pieces of x (T, M), each of so many steps, starting every half of that; x itself if it is shorter, or for 0.

    >>> [piece[:, 0].tolist() for piece in windows(np.arange(7)[:, np.newaxis], 4)]
    [[0, 1, 2, 3], [2, 3, 4, 5]]
    """
    if not window or len(x) <= window:
        return [x]
    return [x[at:at + window] for at in range(0, len(x) - window + 1, max(1, window // 2))]
