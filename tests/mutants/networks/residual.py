"""Faults of minindrnn/networks/residual.py; `mutation` says what a row is."""

TESTS = [
    "test_where_the_weights_of_a_task_start",
    "test_the_named_networks_place_by_place",
    "test_where_the_weights_of_the_named_networks_start",
]

OTHER = [
    ("residual_layers", None, "the last unit starts without long memory", "u=u_last,", "u=u,"),
    ("residual_layers", None, "dropout of the last as of the others",
     "dropout if dropout_last is None else dropout_last", "dropout"),
    ("residual_layers.linear", None, "W of the papers ignored", "rng, W=W, dtype=dtype)", "rng, dtype=dtype)"),
    ("residual_layers.unit", None, "the units within with long memory",
     "u=u, dropout=dropout", "u=u_last, dropout=dropout"),
    ("residual_layers.unit", None, "no dropout within", "u=u, dropout=dropout,", "u=u,"),
    ("ResidualIndRNN.__init__", None, "the last unit at 0.5^(1/T) whatever gamma",
     "bounds.smallest(length, 1 / gamma)", "bounds.smallest(length)"),
    ("ResidualIndRNN.__init__", None, "gamma does nothing", "bounds.largest(length, gamma)", "bounds.largest(length)"),
]
