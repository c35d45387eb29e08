"""Faults of minindrnn/ops/lstm.py; `mutation` says what a row is."""

BACKWARD = {
    "lstm": [
        ("lstm_backward", "B7", "s0 forgotten in dU",   "+ products(da[0], s0[0])", ""),
        ("lstm_backward", "B1", "c[-1] taken for zero", "c[t - 1] if t else s0[1]", "c[t - 1] if t else 0 * s0[1]"),
        ("lstm_backward", None, "gradient of the padding",
         "dh, da, ds0 = without_padding(dh, lengths),", "dh, da, ds0 = dh,"),
        ("retreat", "B1", "drop the carry of h",
         "carry_h[b, n] += dh[b, n]", "carry_h[b, n] = dh[b, n]"),
        ("retreat", "B2", "drop the carry of c",                 "carry_c[b, n] += carry_h", "carry_c[b, n] = carry_h"),
        ("retreat", "B6", "cell kept without its gate",          "carry_c[b, n] *= f", "carry_c[b, n] *= ONE"),
        ("retreat", "B2", "tanh of the cell not differentiated", "* o * (ONE - r * r)", "* o"),
        ("retreat", None, "c[t] for c[t-1] in df",               "* before[b, n] * (f", "* c[b, n] * (f"),
        ("retreat", "B4", "i and g exchanged",                   "* g * (i * (ONE", "* i * (i * (ONE"),
        ("retreat", None, "sigmoid's derivative for tanh's",     "* i * (ONE - g * g)", "* i * (g * (ONE - g))"),
        ("retreat", "B3", "cell for its tanh in do",             "* r * (o * (ONE", "* c[b, n] * (o * (ONE"),
        ("lstm_backward", "B6", "h carries nothing", "np.matmul(da[t], U, out=carry_h)", "carry_h[:] = 0"),
        ("lstm_backward", "B8", "ds0 forgotten", "carry_h, carry_c = ds0", "carry_h, carry_c = np.zeros_like(s0)"),
    ],
}

TESTS = [
    "test_a_layer_is_its_formula",
    "test_is_its_formula_gate_by_gate",
]

OTHER = [
    ("lstm_forward", None, "the cell is not carried", "before, cell = h[t], c[t]", "before = h[t]"),
    ("lstm_forward", None, "c[-1] taken for h[-1]",   "(before, cell), product = s0,", "(cell, before), product = s0,"),
    ("LSTM.__init__", None, "the bias of f starts at 0", "= 1", "= 0"),
    ("LSTM.__init__", None, "the bias of i starts at 1", "neurons:2 * neurons]", ":neurons]"),
    ("LSTM.last_state", None, "h twice", "last_step(c, lengths)", "last_step(h, lengths)"),
    ("advance", "F3", "the new part without its gate", "+ gates[b, n] * gates[b, 2 * N + n]", "+ gates[b, 2 * N + n]"),
    ("advance", "F3", "nothing is forgotten",          "gates[b, N + n] * before[b, n]", "before[b, n]"),
    ("advance", "F4", "the cell for its tanh",         "activate(TANH, c[b, n])", "c[b, n]"),
    ("advance", None, "tanh for the sigmoid of o",
     "activate(SIGMOID, a[b, 3 * N + n]", "activate(TANH, a[b, 3 * N + n]"),
]
