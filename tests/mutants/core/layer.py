"""Faults of minindrnn/core/layer.py; `mutation` says what a row is."""

TESTS = [
    "training/test_optim.py",
]

OTHER = [
    ("reset", None, "every sequence", "h[..., sequences, :] = 0", "h[...] = 0"),
    ("leaves", None, "the last branch left out",
     "in tree.items() if isinstance(tree, dict) else enumerate(tree):",
     "in list(tree.items() if isinstance(tree, dict) else enumerate(tree))[:max(1, len(tree) - 1)]:"),
]
