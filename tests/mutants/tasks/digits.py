"""Faults of minindrnn/tasks/digits.py; `mutation` says what a row is."""

TESTS = [
    "test_settings",
    "test_what_a_run_is_made_of",
    "test_where_the_weights_of_a_task_start",
    "test_digits_as_they_are_in_the_package_and_as_they_are_read",
]

OTHER = [
    ("Digits.usual", None, "fewer updates",          "updates=6000", "updates=600"),
    ("Digits.usual", None, "rate ten times as high", "rate=3e-3", "rate=3e-2"),
    ("Digits.scale", None, "from 0", "/ 8 - 1", "/ 16"),
    ("DigitsByRows.usual", None, "another batch", "batch=16", "batch=32"),
]
