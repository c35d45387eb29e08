"""Faults of minindrnn/data/text.py; `mutation` says what a row is."""

LONG = [
    "test_the_symbols_of_shakespeare_are_what_they_were",
]

OTHER = [
    ("SHARES", None, "80 to 10 to 10", "(0.90, 0.95)", "(0.80, 0.90)"),
    ("load_text", None, "the test for the validation",
     "texts = [text[:first], text[first:second], text[second:]]",
     "texts = [text[:first], text[second:], text[first:second]]"),
]
