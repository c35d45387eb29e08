"""Text as numbers, one for each character: the works of Shakespeare, in the package, or a file of one's own.

The first 90 % are for training, the next 5 % for validation, the last 5 % for the test. Source and licence of the
works: shakespeare.txt beside this file.
"""
import bz2
from importlib.resources import files

import numpy as np

from .files import DataError

SHARES = (0.90, 0.95)


def load_text(path=None):
    """{"train": tokens (n,), "validation": ..., "test": ...} in 0..V-1, and the V symbols in the order of their codes.

    path   a text file in UTF-8; None for Shakespeare. DataError if it is none, or has fewer than two different symbols.

    >>> parts, symbols = load_text()
    >>> len(symbols), [len(part) for part in parts.values()]
    (84, [4551552, 252864, 252864])
    >>> "".join(symbols[token] for token in parts["train"][929:953])
    'In delivering my son fro'
    """
    if path is None:
        text = bz2.decompress((files(__package__) / "shakespeare.bz2").read_bytes()).decode("ascii")
    else:
        try:
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
        except UnicodeDecodeError as error:
            byte = f"{error.object[error.start]:#04x} at {error.start}"
            raise DataError(f"{path}: expected text in UTF-8, got byte {byte}") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    found, tokens = np.unique(codes, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"{path}: expected text of at least two different symbols, got {len(found)}")
    edges = [int(share * len(tokens)) for share in SHARES]
    names = ("train", "validation", "test")
    return dict(zip(names, np.split(tokens.astype(np.int64), edges))), "".join(map(chr, found))
