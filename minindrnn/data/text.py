"""Text as numbers, one for each character: the works of Shakespeare, in the package, or your own text.

A file is read as text files usually are: without byte order marks, and with \\n after each line however it ends there.
The first 90 % are for training, the next 5 % for validation, the last 5 % for the test; Penn Treebank is three files.
Source and licence of the works: shakespeare.txt beside this file. Penn Treebank may not be redistributed.
"""
import bz2
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..core.terminal import tell
from .download import DataError

SHARES = (0.90, 0.95)
ENDINGS = {"train": "train", "validation": "valid", "test": "test"}


def load_text(path=None):
    """{"train": tokens (n,), "validation": ..., "test": ...} in 0..V-1, and the V symbols in the order of their codes.

    path   a text file in UTF-8; a folder that holds Penn Treebank as ptb.char.train.txt, ptb.char.valid.txt and
           ptb.char.test.txt, where blanks keep characters apart and _ stands for a blank; None for Shakespeare

    DataError if there is no such text, or if it has fewer than two different symbols.

    >>> parts, symbols = load_text()
    >>> len(symbols), [len(part) for part in parts.values()]
    (84, [4551552, 252864, 252864])
    >>> "".join(symbols[token] for token in parts["train"][929:953])
    'In delivering my son fro'
    """
    if path is not None and Path(path).is_dir():
        texts = [read(Path(path) / f"ptb.char.{ending}.txt") for ending in ENDINGS.values()]
        texts = [text.replace(" ", "").replace("_", " ") for text in texts]
    else:
        text = shakespeare() if path is None else read(path)
        first, second = (int(share * len(text)) for share in SHARES)
        texts = [text[:first], text[first:second], text[second:]]
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    found, tokens = np.unique(codes, return_inverse=True)
    if len(found) < 2:
        raise DataError(f"{path}: expected text of at least two different symbols, got {len(found)}")
    edges = np.cumsum([len(text) for text in texts[:-1]])
    return dict(zip(ENDINGS, np.split(tokens.astype(np.int64), edges))), "".join(map(chr, found))


def shakespeare():
    """All his works, as in the package."""
    return bz2.decompress((files(__package__) / "shakespeare.bz2").read_bytes()).decode("ascii")


def plain(text):
    """The text without byte order marks, of which files put together have some inside, its lines ended by newlines
    alone."""
    return text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")


def read(path):
    """The text of a file, without byte order mark and carriage returns; says so where it had some. DataError if it
    cannot be read or is not UTF-8."""
    try:
        whole = Path(path).read_bytes().decode()
        text = plain(whole)
        marked, returns = "\ufeff" in whole, "\r" in whole
        changes = ["without its byte order mark"] * marked + ["with every \\r\\n and \\r as \\n"] * returns
        if changes:
            tell(f"{path}: read {' and '.join(changes)}")
        return text
    except UnicodeDecodeError as error:
        byte = f"{error.object[error.start]:#04x} at {error.start}"
        raise DataError(f"{path}: expected text in UTF-8, got byte {byte}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
