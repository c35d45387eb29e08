"""Faults of minindrnn/data/adding.py; `mutation` says what a row is."""

LONG = [
    "test_always_answering_one_gives_a_sixth",
]

OTHER = [
    ("adding_problem", None, "both marks anywhere", "rng.integers(half, 2 * half, B)", "rng.integers(0, 2 * half, B)"),
    ("adding_problem", None, "the first twice",     "x[second, b, 0])", "x[first, b, 0])"),
]
