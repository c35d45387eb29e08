"""Faults of minindrnn/data/mnist.py; `mutation` says what a row is."""

TESTS = [
    "test_images_are_held_out_by_the_seed",
    "test_idx_is_what_it_says",
]

OTHER = [
    ("load_images", None, "one split for all seeds", "default_rng(seed)", "default_rng(0)"),
    ("load_images", None, "the test for the validation",
     '"validation": (x[held], labels[held])', '"validation": (x[kept], labels[kept])'),
    ("load_images", None, "a smaller validation",    "[3000]", "[300]"),
]
