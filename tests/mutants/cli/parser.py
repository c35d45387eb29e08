"""Faults of minindrnn/cli/parser.py; `mutation` says what a row is."""

OTHER = [
    ("asked", None, "--seed does nothing",
     "if option in Settings.__dataclass_fields__}", 'if option in Settings.__dataclass_fields__ and option != "seed"}'),
]
