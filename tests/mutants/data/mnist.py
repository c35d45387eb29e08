"""Faults of minindrnn/data/mnist.py; `mutation` says what a row is."""

OTHER = [
    ("load_images", None, "one split for all seeds", "default_rng(seed)", "default_rng(0)"),
    ("load_images", None, "the test for the validation",
     '"validation": (x[held], labels[held])', '"validation": (x[kept], labels[kept])'),
    ("load_images", None, "a smaller validation",    "[3000]", "[300]"),
]
