"""Faults of minindrnn/ops/recurrence.py; `mutation` says what a row is."""

BACKWARD = {
    "obvious recurrence": [
        ("obvious_backward", "B1", "drop the carry",                  "dact(dh[t] + carry, h[t])", "dact(dh[t], h[t])"),
        ("obvious_backward", "B2", "carry without u",                 "carry = u * dz", "carry = dz"),
        ("obvious_backward", "B2", "carry with the sign turned",      "carry = u * dz", "carry = -u * dz"),
        ("obvious_backward", "B1", "no derivative of the activation", "dact(dh[t] + carry, h[t])", "dh[t] + carry"),
        ("obvious_backward", "B1", "the derivative of the step before",
         "dact(dh[t] + carry, h[t])", "dact(dh[t] + carry, h[t - 1])"),
        ("obvious_backward", "B4", "h[t] for h[t-1] in du",           "h[t - 1] if t > 0 else h0", "h[t]"),
        ("obvious_backward", "B4", "h0 forgotten in du",              "if t > 0 else h0)", "if t > 0 else 0 * h0)"),
        ("obvious_backward", "B4", "mean for sum over the sequences", "np.sum(dz", "np.mean(dz"),
        ("obvious_backward", "B4", "dh for dz in du",                 "np.sum(dz *", "np.sum(dh[t] *"),
        ("obvious_backward", None, "forward in time",
         "in reversed(range(len(dh)))", "in range(len(dh))"),
        ("obvious_backward", "B5", "dh0 forgotten",
         "du.astype(u.dtype), carry", "du.astype(u.dtype), 0 * carry"),
        ("obvious_backward", "B3", "the carry for da", "da[t] = dz", "da[t] = carry"),
    ],
    "recurrence": [
        ("indrnn_backward", "B1", "lengths of another pass",
         "backward_in_place(da, *cache)", "backward_in_place(da, *cache._replace(lengths=None))"),
    ],
}

OTHER = [
    ("obvious_forward", "F1", "h[t-1] without u", "u * before", "before"),
    ("obvious_forward", "F2", "no memory",        "h[t] = before = act(z)", "h[t] = act(z)"),
    ("obvious_forward", "F2", "no activation",    "h[t] = before = act(z)", "h[t] = before = z"),
    ("obvious_forward", None, "h0 forgotten",     "np.empty_like(a), h0", "np.empty_like(a), 0"),
    ("checked", None, "h0 forgotten", "np.zeros((B, N), a.dtype) if h0 is None else h0", "np.zeros((B, N), a.dtype)"),
    ("copied", None, "a is written over", "empty_like(array) if out is None", "array if out is None"),
]
