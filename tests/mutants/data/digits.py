"""Faults of minindrnn/data/digits.py; `mutation` says what a row is."""

OTHER = [
    ("load_digits", None, "from 0",        "x / 8 - 1", "x / 16"),
    ("load_digits", None, "another split", "np.random.default_rng(0)", "np.random.default_rng(1)"),
    ("load_digits", None, "not stratified",
     "_interleaved(labels, np.random.default_rng(0))", "np.random.default_rng(0).permutation(len(labels))"),
]
