"""Faults of minindrnn/data/user_file.py; `mutation` says what a row is."""

OTHER = [
    ("load_own", None, "one split for all seeds",     "np.random.default_rng(seed)", "np.random.default_rng(0)"),
    ("load_own", None, "not stratified",              'order[np.argsort(y[order], kind="stable")]', "order"),
    ("load_own", None, "the test for the validation", '"validation": place == 5', '"validation": place == 0'),
    ("load_own", None, "trained on the test",         "(place != 0) & (place != 5)", "(place != 5)"),
    ("load_own", None, "in the order of the classes", "[rng.permutation(order[where[name]])]", "[order[where[name]]]"),
    ("padded", None, "aligned at the end", "row[:len(piece)] = piece", "row[-len(piece):] = piece"),
]
