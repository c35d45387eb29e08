"""Faults of minindrnn/tasks/models.py; `mutation` says what a row is."""

TESTS = [
    "test_published.py",
    "tasks/test_task.py",
]

OTHER = [
    ("stacked", None, "a layer less", "s.layers, rng", "s.layers - 1, rng"),
    ("residual", None, "a block more", "s.layers, rng", "s.layers + 1, rng"),
    ("dense", None, "two blocks for three", "[s.layers] * 3", "[s.layers] * 2"),
    ("cells", None, "every layer as wide as the first", "[s.hidden] * (s.layers - 1)", "[inputs] * (s.layers - 1)"),
    ("MODELS", None, "W of IRNN as that of RNN",            "baseline=True, plain=True", "baseline=True"),
    ("MODELS", None, "W of IndRNN as that of the others",   '"C0", plain=True', '"C0"'),
    ("MODELS", None, "dense texts as narrow as the others", ", widening=8", ""),
    ("weights", None, "W of plain networks in normalised ones", 'and s.norm == "none"', ""),
    ("layers_of", None, "--dropout does nothing",    "dropout=s.dropout,", "dropout=0.0,"),
    ("layers_of", None, "--activation does nothing", "activation=s.activation,", ""),
    ("layers_of", None, "--norm after is before",    "dict(norm=s.norm)", 'dict(norm="before")'),
    ("layers_of", None, "every baseline as IRNN",    "W=W if row.plain else scaled())", "W=W)"),
    ("layers_for_text", None, "dense texts through a first layer", "if row.blocks:", "if False:"),
    ("build", None, "--gamma does nothing",    "bounds.largest(T, s.gamma)", "bounds.largest(T)"),
    ("build", None, "the last layer at 0.5^(1/T) whatever gamma",
     "bounds.smallest(T, 1 / s.gamma)", "bounds.smallest(T)"),
    ("build", None, "no layer with long memory",
     "u_last=(bounds.smallest(T, 1 / s.gamma), bound)", "u_last=(0.0, bound)"),
    ("build", None, "|u| has no bound",        "network.bound = bound", "pass"),
    ("build", None, "readout ignored",         "W=readout)", "W=scaled())"),
    ("build", None, "readout of the papers in baselines",
     "bound, ranges, readout = None, {}, scaled()", "bound, ranges = None, {}"),
    ("build", None, "W of the papers ignored", "rng, W=W, **ranges)", "rng, W=scaled(), **ranges)"),
]
