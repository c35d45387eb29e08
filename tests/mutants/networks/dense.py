"""Faults of minindrnn/networks/dense.py; `mutation` says what a row is."""

TESTS = [
    "test_the_named_networks_place_by_place",
    "test_where_the_weights_of_the_named_networks_start",
    "test_parameter_counts_are_those_of_the_published_logs",
]

OTHER = [
    ("dense_layers", None, "a bottleneck of 2 k",         '4 * growth, "bottleneck"', '2 * growth, "bottleneck"'),
    ("dense_layers", None, "the last is a transition",    '"last" if final else "transition"', '"transition"'),
    ("dense_layers", None, "transitions to all channels", "channels // (2 * times)", "channels // times"),
    ("dense_layers", None, "a first layer of 4 k",        '6 * growth, "first"', '4 * growth, "first"'),
    ("dense_layers.indrnn", None, "the last starts as the others", 'u_last if kind == "last" else u', "u"),
    ("dense_layers.indrnn", None, "one dropout for all kinds",     "dropout=dropout[kind]", 'dropout=dropout["dense"]'),
]
