"""Faults of minindrnn/core/padding.py; `mutation` says what a row is."""

TESTS = [
    "test_the_last_step_of_each_sequence",
]

OTHER = [
    ("without_padding", None, "one step too late",                "x[lengths[b]:, b] = 0", "x[lengths[b] + 1:, b] = 0"),
    ("without_padding", None, "the user's array is written over", "x if overwrite else x.copy()", "x"),
    ("last_step", None, "the last step of the array",
     "expect_lengths(lengths, T, B) - 1", "expect_lengths(None, T, B) - 1"),
]
