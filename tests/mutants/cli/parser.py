"""Faults of minindrnn/cli/parser.py; `mutation` says what a row is."""

TESTS = [
    "test_every_word_of_the_command_reaches_the_run",
]

OTHER = [
    ("asked", None, "--seed does nothing",
     "if option in Settings.__dataclass_fields__}", 'if option in Settings.__dataclass_fields__ and option != "seed"}'),
]
