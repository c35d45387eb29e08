"""Faults of minindrnn/ops/gru.py; `mutation` says what a row is."""

BACKWARD = {
    "gru": [
        ("gru_backward", "B5", "only the kept part carried",   "carry += product", "pass"),
        ("gru_backward", "B6", "da for dp in dU",              "dp[1:].reshape", "da[1:].reshape"),
        ("gru_backward", "B6", "h0 forgotten in dU",           "+ products(dp[0], h0)", ""),
        ("gru_backward", "B8", "r forgotten in db_hn",         "dp[:, :, 2 * N:].sum", "da[:, :, 2 * N:].sum"),
        ("gru_backward", "B8", "db_hn of the first step lost", "dp[:, :, 2 * N:].sum", "dp[1:, :, 2 * N:].sum"),
        ("retreat", "B1", "drop the carry",                 "carry[b, n] += dh[b, n]", "carry[b, n] = dh[b, n]"),
        ("retreat", "B5", "state kept without its gate",    "carry[b, n] *= gates[b, N + n]", "carry[b, n] *= ONE"),
        ("retreat", "B4", "r forgotten in dp",              "= da[b, 2 * N + n] * r", "= da[b, 2 * N + n]"),
        ("retreat", "B2", "z for 1 - z",                    "= carry[b, n] * (ONE - z)", "= carry[b, n] * z"),
        ("retreat", None, "the new state for the candidate in dz",
         "(before[b, n] - candidate) * (z", "before[b, n] * (z"),
        ("retreat", "B3", "b_hn lost on the way back to r", "* pn[b, n] * (r", "* (pn[b, n] - 1) * (r"),
        ("gru_backward", "B1", "h0 taken for zero", "if t else h0", "if t else 0 * h0"),
        ("gru_backward", "B7", "dh0 forgotten", "dU.astype(U.dtype), carry", "dU.astype(U.dtype), 0 * carry"),
    ],
    "GRU": [
        ("GRU.backward", None, "db_hn lost", '"b_hn": db_hn', '"b_hn": 0 * db_hn'),
        ("GRU.backward", None, "dU of the last gate lost",
         '{"U": dU, "h0"', '{"U": np.append(dU[:-1], 0 * dU[-1:], axis=0), "h0"'),
    ],
}

TESTS = [
    "test_a_layer_is_its_formula",
    "test_is_its_formula_gate_by_gate",
]

OTHER = [
    ("gru_forward", None, "no memory", "before = h[t]", "pass"),
    ("advance", "F3", "z for 1 - z",
     "candidate + gates[b, N + n] * (before[b, n] - candidate)",
     "before[b, n] + gates[b, N + n] * (candidate - before[b, n])"),
    ("advance", "F2", "sigmoid for the candidate's tanh", "activate(TANH,", "activate(SIGMOID,"),
    ("advance", "F2", "r forgotten",                      "gates[b, n] * pn[b, n])", "pn[b, n])"),
]
