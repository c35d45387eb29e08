"""Faults of minindrnn/data/user_file.py; `mutation` says what a row is."""

OTHER = [
    ("load_own", None, "one split for all seeds",     "np.random.default_rng(seed)", "np.random.default_rng(0)"),
    ("load_own", None, "not stratified",              'order[np.argsort(y[order], kind="stable")]', "order"),
    ("load_own", None, "the test for the validation", '"validation": place == 5', '"validation": place == 0'),
    ("load_own", None, "trained on the test",         "(place != 0) & (place != 5)", "(place != 5)"),
    ("load_own", None, "in the order of the classes", "[rng.permutation(order[where[name]])]", "[order[where[name]]]"),
    ("padded", None, "aligned at the end", "row[:len(piece)] = piece", "row[-len(piece):] = piece"),
    ("load_own", None, "a class that is there once", "counts.min() < 2", "counts.min() < 1"),
    ("arrays", None, "what nobody reads is passed over", "name not in KNOWN", "False"),
    ("cause", None, "Python objects are no cause", '"Object arrays" in str(error)', "False"),
    ("sequences", None, "numbers in the padding",
     "~inside & (np.arange(T) < lengths[:, np.newaxis])[:, :, np.newaxis]", "~inside"),
    ("sequences", None, "as long as the padding", "X[:, :lengths.max()], lengths", "X, lengths"),
    ("load_input", None, "so many numbers a step as there are", "X.shape[2] != M", "False"),
]
