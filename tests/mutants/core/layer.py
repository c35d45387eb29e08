"""Faults of minindrnn/core/layer.py; `mutation` says what a row is."""

LONG = [
    "test_dy_is_written_over_only_if_allowed",
    "test_step_by_step_equals_one_pass",
]

OTHER = [
    ("reset", None, "every sequence", "h[..., sequences, :] = 0", "h[...] = 0"),
    ("leaves", None, "the last branch left out",
     "in tree.items() if isinstance(tree, dict) else enumerate(tree):",
     "in list(tree.items() if isinstance(tree, dict) else enumerate(tree))[:max(1, len(tree) - 1)]:"),
]
