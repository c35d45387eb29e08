"""A simple method that a network must beat: how often each character followed the few before it.

    python tutorials/text_statistics.py     writes results/chars-statistics.json: bits a character on the test part of
                                            Shakespeare, by the order n, which looks at n - 1 characters

Each order falls back on the one before it, after Witten and Bell: of N occurrences of a context, followed by D
different characters, p(c) = (count(c) + D p'(c)) / (N + D), where p' is of the context without its first character.
"""
import json
from pathlib import Path

import numpy as np

from minindrnn.data.text import load_text

ORDERS = 6


def contexts(tokens, length, V):
    """A number for the `length` tokens before each token that has ORDERS - 1 before it: (n - ORDERS + 1,)."""
    code = np.zeros(len(tokens) - ORDERS + 1, np.int64)
    for k in range(length, 0, -1):
        code = code * V + tokens[ORDERS - 1 - k:len(tokens) - k]
    return code


def counted(values, wanted):
    """How often each number in `wanted` occurs among the values."""
    found, counts = np.unique(values, return_counts=True)
    at = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    return np.where(found[at] == wanted, counts[at], 0)


def bits(train, test, V):
    """Bits a character of the test, for each order."""
    p = np.full(len(test) - ORDERS + 1, 1 / V)
    for length in range(ORDERS):
        before, asked = contexts(train, length, V), contexts(test, length, V)
        pairs = before * V + train[ORDERS - 1:]
        N, D = counted(before, asked), counted(np.unique(pairs) // V, asked)
        p = np.where(N > 0, (counted(pairs, asked * V + test[ORDERS - 1:]) + D * p) / np.maximum(N + D, 1), p)
        yield float(-np.log2(p).mean())


if __name__ == "__main__":
    parts, symbols = load_text()
    found = list(bits(parts["train"], parts["test"], len(symbols)))
    (Path(__file__).parent / "results/chars-statistics.json").write_text(json.dumps(found) + "\n")
    print(*(f"order {order + 1}: {value:.3f} bits a character" for order, value in enumerate(found)), sep="\n")
