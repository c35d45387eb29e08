"""Faults of minindrnn/ops/embedding.py; `mutation` says what a row is."""

BACKWARD = {
    "embedding": [
        ("embedding_backward", "B1", "no mask",                 "mask[seen, np.newaxis] * total", "total"),
        ("embedding_backward", None, "gradient of the padding", "without_padding(dx, lengths).reshape", "dx.reshape"),
        ("add_rows", "B1", "a token counted once", "total[place[r], m] += dx[r, m]", "total[place[r], m] = dx[r, m]"),
    ],
}

TESTS = [
    "test_every_parameter_has_the_role_of_its_name",
    "test_where_the_weights_of_the_named_networks_start",
]

OTHER = [
    ("embedding_forward", None, "no factor",      "/ E.dtype.type(1 - p)", "/ E.dtype.type(1)"),
    ("embedding_forward", None, "p of them stay", ">= p)", "< p)"),
    ("embedding_forward", None, "dropout without a generator",
     "mask = np.ones(len(E), E.dtype)", "mask = np.full(len(E), 1 / (1 - p), E.dtype)"),
    ("Embedding.__init__", None, "E ten times as large", "width=0.01", "width=0.1"),
    ("Embedding.__init__", None, "E does not decay",     '"weight")', '"bias")'),
]
