"""Faults of minindrnn/networks/fused.py; `mutation` says what a row is."""

BACKWARD = {
    "fused recurrence": [
        ("fused_backward", "B0", "no db",  "biased=biased, pqmr=pqmr)", "pqmr=pqmr)"),
        ("fused_backward", "B0", "no map", "biased=biased, pqmr=pqmr)", "biased=biased)"),
    ],
    "IndRNN": [
        ("unit_backward", None, "dh0 lost",
         'grads | {"u": du, "h0": dh0}', 'grads | {"u": du, "h0": 0 * dh0}'),
        ("unit_backward", None, "dropout passed over",                 "dy = dropout_backward(dy, of_dropout)", "pass"),
        ("unit_backward", None, "no map of the normalisation",
         "pqmr, grads = unit.norm.backward_map(dy, of_norm)", "_, grads = unit.norm.backward_map(dy, of_norm)"),
        ("unit_backward", None, "normalisation per step passed over",
         "dy, grads = unit.norm.backward(dy, of_norm,", "_, grads = unit.norm.backward(dy.copy(), of_norm,"),
        ("unit_backward", None, "db lost where the recurrence adds b", '({"b": db} if', '({"b": 0 * db} if'),
        ("unit_backward", None, "dy of the user written over",
         "out = dy if overwrite or dy is not given else None", "out = dy"),
        ("layer_backward", None, "dy for da into the affine map",
         "linear_backward(da, of_linear)", "linear_backward(dy.copy(), of_linear)"),
        ("layer_backward", None, "db lost where the affine map adds b",
         '{"W": dW, "b": db} if', '{"W": dW, "b": 0 * db} if'),
    ],
}

TESTS = [
    "networks/test_indrnn.py::test_is_its_formula",
    "test_step_by_step_equals_one_pass",
]

OTHER = [
    ("fused_forward", "F1", "b forgotten", "forward_in_place(*cache, b=b)", "forward_in_place(*cache)"),
    ("unit_forward", None, "dropout within the recurrence",
     "        return y, unit.Cache", "        h[:] = y\nreturn y, unit.Cache"),
    ("unit_forward", None, "no dropout after normalisation",
     "draw(h.shape[1:], unit.dropout, rng, h.dtype, ranks.first)", "None"),
    ("unit_forward", None, "no dropout without normalisation",
     "dropout_forward(h, unit.dropout, rng,", "dropout_forward(h, 0.0, rng,"),
    ("unit_forward", None, "the state is not read",          'unit["u"], state,', 'unit["u"], None,'),
    ("layer_forward", None, "b twice",         "(None, b)", "(b, b)"),
    ("layer_forward", None, "b forgotten",     "(None, b)", "(None, None)"),
    ("layer_forward", None, "padding is read", "overwrite=True, lengths=lengths,", "overwrite=True, lengths=None,"),
    ("layer_step", None, "b forgotten",           "unit.activation, b=b)", "unit.activation)"),
    ("layer_step", None, "the state is not read", "np.zeros_like(a) if state is None else state", "np.zeros_like(a)"),
    ("layer_step", None, "not normalised",
     "if unit.order else h.copy(), h", "if not unit.order else h.copy(), h"),
    ("narrow", None, "neurons for inputs", "shape[1]", "shape[0]"),
]

RANKS = [
    ("unit_forward", None, "a mask of its own",       "h.dtype, ranks.first)", "h.dtype)"),
    ("unit_forward", None, "dropout of its own",      "unit.dropout, rng, ranks=ranks)", "unit.dropout, rng)"),
    ("unit_forward", None, "statistics of its own",   "mask=mask, ranks=ranks, **how)", "mask=mask, **how)"),
]
