"""Human motion: which of seven shoulder exercises a smartwatch was worn in. 140 recordings of 10 people.

Acceleration and rotation along three axes each, at 50 Hz, 19 to 52 seconds of some 20 repetitions. The parts are split
by person: what is tested is people whose motion was never seen, the cross-subject protocol. Source: Burns et al.,
arXiv 1802.01489; the recordings come with the package seglearn (BSD 3-clause) and are not in this one: see `files`.
"""
import io
import pickle
import struct

import numpy as np

from .files import DataError, Source, read

EXERCISES = ("pendulum", "abduction", "forward elevation", "internal rotation", "external rotation", "trapezius extension",
             "upright row")
CHANNELS, PEOPLE, FOLDS, HERTZ = 6, 10, 5, 50
NAME = "watch_dataset.npy"
MOTION = Source("motion", {NAME: "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"},
                ("python", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "seglearn==1.2.5"))


class Arrays(pickle.Unpickler):
    """Reads arrays and plain containers, and refuses everything else."""
    ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise DataError(f"{NAME}: expected arrays only, got {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def recordings(folder=None):
    """A list of 140 arrays (T, 6) float32, exercise (140,) in 0..6, person (140,) in 0..9. DataError without the file."""
    contents = read(MOTION, folder)[NAME]
    header, = struct.unpack("<H", contents[8:10])
    found = Arrays(io.BytesIO(contents[10 + header:])).load().item()
    return ([np.ascontiguousarray(x, np.float32) for x in found["X"]], np.asarray(found["y"], np.int64),
            np.asarray(found["subject"], np.int64) - 1)


def load_motion(fold=0, window=200, folder=None):
    """{"train": (x, labels, lengths), ...}: x (n, T, 6) float32, labels (n,) in 0..6, lengths (n,).

    fold     0 to 4: people 2 fold and 2 fold + 1 are the test, the next two the validation, the other six the training
    window   T: steps of a piece, which starts every half of that; 0 for whole recordings, up to 2618 steps

    Each channel has mean 0 and deviation 1 over the training recordings.
    """
    found, labels, people = recordings(folder)
    test = {2 * fold, 2 * fold + 1}
    validation = {(person + 2) % PEOPLE for person in test}
    part = np.where(np.isin(people, list(test)), "test", np.where(np.isin(people, list(validation)), "validation", "train"))
    seen = np.concatenate([x for x, name in zip(found, part) if name == "train"]).astype(np.float64)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    parts = {}
    for name in ("train", "validation", "test"):
        chosen = [(((x - mean) / deviation).astype(np.float32), label)
                  for x, label, where in zip(found, labels, part) if where == name]
        if window:
            chosen = [(x[at:at + window], label) for x, label in chosen
                      for at in range(0, len(x) - window + 1, max(1, window // 2))]
        lengths = np.array([len(x) for x, _ in chosen])
        x = np.zeros((len(chosen), lengths.max(), CHANNELS), np.float32)
        for row, (piece, _) in zip(x, chosen):
            row[:len(piece)] = piece
        parts[name] = x, np.array([label for _, label in chosen]), lengths
    return parts
