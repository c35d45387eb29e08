"""Faults of minindrnn/ops/dropout.py; `mutation` says what a row is."""

BACKWARD = {
    "dropout": [
        ("dropout_backward", "B1", "no mask",                 "else dy * mask", "else dy"),
        ("dropout_backward", "B1", "mask without its factor", "else dy * mask", "else dy * (mask > 0)"),
    ],
    "Dropout": [
        ("dropout_backward", None, "gradient of the padding", "dy = without_padding(dy, lengths)", "pass"),
    ],
}

OTHER = [
    ("dropout_forward", "F1", "no mask", "x if mask is None else x * mask", "x"),
    ("draw", None, "one mask for all sequences",
     "return np.where(splitmix64(seed, i)", "i[:] = i[:1]\nreturn np.where(splitmix64(seed, i)"),
    ("draw", None, "dropout without a generator is an error", "rng is None or p == 0", "p == 0"),
    ("chances", None, "no factor",      "dtype.type(1) / dtype.type(1 - p)", "dtype.type(1)"),
    ("chances", None, "p of them stay", "np.uint64(p * 2**53)", "np.uint64((1 - p) * 2**53)"),
    ("splitmix64", None, "the last turn left out", "return z ^ z >> 31", "return z"),
    ("splitmix64", None, "counted from 0", "(i + COUNT)", "i"),
]

RANKS = [
    ("draw", None, "every rank has the mask of the first",
     "np.arange(first * shape[1], (first + shape[0]) * shape[1]", "np.arange(0, shape[0] * shape[1]"),
    ("draw", None, "masks of ranks overlap",
     "np.arange(first * shape[1], (first + shape[0]) * shape[1]", "np.arange(first, first + shape[0] * shape[1]"),
    ("dropout_forward", None, "nobody knows whose part it is", "x.dtype, ranks.first)", "x.dtype)"),
]
