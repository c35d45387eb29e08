"""Faults of minindrnn/ops/deltas.py; `mutation` says what a row is."""

BACKWARD = {
    "differences": [
        ("differences_backward", "B1", "the step after forgotten", "dx[:-1] -= dq[1:]", "pass"),
        ("differences_backward", "B1", "one step too early",       "dx[:-1] -= dq[1:]", "dx[1:] -= dq[:-1]"),
        ("differences_backward", "B2", "dx0 with the sign turned", "return dx, -dq[0]", "return dx, dq[0]"),
        ("differences_backward", None, "gradient of the padding",
         "np.split(without_padding(dy, lengths), 2", "np.split(dy, 2"),
    ],
    "Differences": [
        ("Differences.backward", None, "dh0 lost", '"h0": dx0', '"h0": 0 * dx0'),
    ],
}

TESTS = [
    "test_the_last_step_of_each_sequence",
]

OTHER = [
    ("differences_forward", "F1", "the next step for the one before", "x - before]", "before - x]"),
    ("differences_forward", None, "x0 forgotten",
     "x0[np.newaxis], x[:-1]", "0 * x0[np.newaxis], x[:-1]"),
    ("Differences.last_state", None, "the last step of the array",
     "last_step(cache.x, cache.lengths)", "last_step(cache.x, None)"),
]
