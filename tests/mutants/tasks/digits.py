"""Faults of minindrnn/tasks/digits.py; `mutation` says what a row is."""

TESTS = [
    "test_published.py",
]

OTHER = [
    ("Digits.model", None, "plain", '"residual"', '"indrnn"'),
    ("Digits.usual", None, "fewer updates",          "updates=6000", "updates=600"),
    ("Digits.usual", None, "rate ten times as high", "rate=3e-3", "rate=3e-2"),
    ("Digits.of_model", None, "no norm",                'norm="after", ', ""),
    ("Digits.of_model", None, "a tenth of the updates", "updates=1500", "updates=150"),
    ("Digits.scale", None, "from 0", "/ 8 - 1", "/ 16"),
    ("DigitsByRows.model", None, "residual",      '"indrnn"', '"residual"'),
    ("DigitsByRows.usual", None, "another batch", "batch=16", "batch=32"),
]
