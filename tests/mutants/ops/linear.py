"""Faults of minindrnn/ops/linear.py; `mutation` says what a row is."""

BACKWARD = {
    "linear": [
        ("linear_backward", "B1", "dx with |W|",
         "np.matmul(rows, W, out=dx", "np.matmul(rows, abs(W), out=dx"),
        ("linear_backward", None, "mean for sum",            "db.astype(W.dtype)", "(db / T).astype(W.dtype)"),
        ("linear_backward", None, "gradient of the padding", "dy = without_padding(dy, lengths)", "pass"),
        ("products", None, "dW of the first rows only",
         "range(0, len(dy), rows)", "range(0, min(len(dy), rows), rows)"),
        ("narrow_backward", "B2", "dW of narrow inputs without x", "x[r, m] * dy[r, n]", "dy[r, n]"),
        ("narrow_backward", "B2", "dW of narrow inputs, of the last row only",
         "part[m, n] += x[r, m]", "part[m, n] = x[r, m]"),
        ("narrow_backward", None, "dx of narrow inputs with |W|",  "total += W[m, n]", "total += abs(W[m, n])"),
        ("narrow_backward", None, "dx of narrow inputs, of the last neuron only",
         "total += W[m, n]", "total = W[m, n]"),
        ("narrow_backward", "B3", "db of the last row only",       "part[M, n] += dy[r, n]", "part[M, n] = dy[r, n]"),
        ("narrow_backward", None, "stale sum",                     "part[m, n] = 0", "pass"),
        ("linear_backward", "B2", "dW with |x|", "products(rows, x)", "products(rows, abs(x))"),
        ("linear_backward", "B3", "db of the first row",
         "narrow_sums(rows, nothing, W", "narrow_sums(rows[:1], nothing[:1], W"),
        ("narrow_backward", "B1", "dx of narrow inputs halved", "= total", "= total / 2"),
        ("narrow_sums", None, "db of the last input", "sums[-1]", "sums[-2]"),
    ],
    "Linear": [
        ("Linear.backward", None, "db with the sign turned", '{"W": dW, "b": db}', '{"W": dW, "b": -db}'),
    ],
}

TESTS = [
    "test_every_parameter_has_the_role_of_its_name",
    "test_step_by_step_equals_one_pass",
    "test_where_the_weights_of_a_task_start",
]

LONG = [
    "test_sums_keep_their_digits_over_100_000_steps",
]

OTHER = [
    ("linear_forward", None, "b forgotten",   "y += b", "pass"),
    ("linear_forward", None, "padding stays", "return without_padding(y, lengths, overwrite=True),", "return y,"),
    ("normal", None, "scaled too", '("normal", 0, std)', '("normal", 0, std * inputs**-0.5)'),
    ("scaled", None, "variance for deviation", "inputs**-0.5", "inputs**-1.0"),
    ("scaled", None, "gain ignored",           "gain * inputs", "inputs"),
    ("kaiming", None, "slope ignored",
     "-(6 / (1 + slope**2) / inputs)**0.5, (6 / (1 + slope**2) / inputs)**0.5",
     "-(6 / inputs)**0.5, (6 / inputs)**0.5"),
    ("kaiming", None, "positive only", '"uniform", -(6 / (1 + slope**2) / inputs)**0.5', '"uniform", 0 * inputs'),
    ("kaiming", None, "the deviation for the limit",
     "(6 / (1 + slope**2) / inputs)**0.5)", "(2 / (1 + slope**2) / inputs)**0.5)"),
    ("Linear.__init__", None, "b decays", '"bias")', '"weight")'),
    ("narrow_forward", "F1", "b forgotten",               "b[n] + W[0, n]", "W[0, n]"),
    ("narrow_forward", None, "the second input left out", "for m in range(1, M):", "for m in range(2, M):"),
    ("narrow_forward", None, "the last input only",       "y[r, n] += W[m, n]", "y[r, n] = W[m, n]"),
    ("Linear.step", None, "b forgotten", '+ self["b"]', ""),
]
