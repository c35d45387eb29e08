"""Faults of minindrnn/ops/rnn.py; `mutation` says what a row is."""

BACKWARD = {
    "rnn": [
        ("rnn_backward", "B2", "U for U'",
         "np.matmul(da[t], U, out=carry)", "np.matmul(da[t], U.T, out=carry)"),
        ("rnn_backward", None, "h[t] for h[t-1] in dU", "h[:-1].reshape(-1, N)", "h[1:].reshape(-1, N)"),
        ("rnn_backward", None, "h0 forgotten in dU",    "+ products(da[0], h0)", ""),
        ("rnn_backward", "B4", "dU transposed",         "return da, dU.astype", "return da, dU.T.astype"),
        ("rnn_backward", None, "gradient in the padding",
         "dh, da, carry = without_padding(dh, lengths),", "dh, da, carry = dh,"),
        ("_compile.retreat", "B1", "drop the carry", "dh[b, n] + carry[b, n], h[b, n]", "dh[b, n], h[b, n]"),
        ("_compile.retreat", "B1", "no derivative of the activation",
         "differentiate(kind, dh[b, n] + carry[b, n], h[b, n])", "dh[b, n] + carry[b, n]"),
        ("rnn_backward", "B1", "h of the step before", "carry, h[t]", "carry, h[t - 1]"),
    ],
    "RNN": [
        ("RNN.backward", None, "dh0 lost", '"h0": dh0', '"h0": 0 * dh0'),
    ],
    "LSTM": [
        ("RNN.backward", None, "another quarter of the bias",
         '"h0": dh0}', '"h0": dh0, "b": np.roll(grads["b"], dh0.shape[-1])}'),
    ],
}

TESTS = [
    "test_every_parameter_has_the_role_of_its_name",
    "test_the_state_is_that_of_the_last_step_of_each_sequence",
    "test_where_the_weights_of_a_task_start",
]

LONG = [
    "test_a_diagonal_matrix_makes_it_an_indrnn",
]

OTHER = [
    ("rnn_forward", "F1", "U transposed", "np.matmul(before, U.T, out=product)", "np.matmul(before, U, out=product)"),
    ("rnn_forward", None, "no memory",    "before = h[t]", "pass"),
    ("rnn_forward", None, "h0 forgotten", "if h0 is None else h0", "if True else h0"),
    ("RNN.__init__", None, "U twice as large",   "neurons**-0.5", "2 * neurons**-0.5"),
    ("RNN.__init__", None, "IRNN starts as RNN", 'if U == "identity"', 'if U == "identical"'),
    ("RNN.__init__", None, "U does not decay",   '"weight")', '"recurrent")'),
    ("RNN.last_state", None, "the last step of the array", "cache.of_recurrence.lengths)", "None)"),
    ("_compile.advance", "F1", "U h forgotten", "a[b, n] + product[b, n])", "a[b, n])"),
]
