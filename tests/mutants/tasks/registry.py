"""Faults of minindrnn/tasks/registry.py; `mutation` says what a row is."""

TESTS = [
    "test_settings",
    "test_what_is_given_comes_before_what_is_usual",
]

OTHER = [
    ("settings", None, "gamma 5 for 2",         "gamma=2.0", "gamma=5.0"),
    ("settings", None, "a penalty",             "penalty=0.0", "penalty=0.1"),
    ("settings", None, "what is usual before what is given",
     "kind.defaults(model, length) | given", "given | kind.defaults(model, length)"),
    ("settings", None, "plain, whatever the task", "kind.model if", '"indrnn" if'),
    ("settings", None, "length 0 is no length", "if length is None else length", "if not length else length"),
]
