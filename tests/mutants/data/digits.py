"""Faults of minindrnn/data/digits.py; `mutation` says what a row is."""

TESTS = [
    "test_the_digits_are_always_divided_alike",
    "test_digits_are_all_there_once",
    "test_digits_are_split_by_class_and_always_the_same",
]

OTHER = [
    ("load_digits", None, "from 0",        "x / 8 - 1", "x / 16"),
    ("load_digits", None, "another split", "np.random.default_rng(0)", "np.random.default_rng(1)"),
    ("load_digits", None, "not stratified",
     "_interleaved(labels, np.random.default_rng(0))", "np.random.default_rng(0).permutation(len(labels))"),
]
