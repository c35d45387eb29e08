"""Faults of minindrnn/ops/tanh_sigmoid.py; `mutation` says what a row is."""

LONG = [
    "test_at_most_two_and_a_half_units_in_the_last_place",
    "test_limits",
]

OTHER = [
    ("sigmoid", None, "1 - sigmoid", "(e if x < 0 else 1)", "(1 if x < 0 else e)"),
    ("_reduction", None, "a term less", "range(degree, 1, -1)", "range(degree - 1, 1, -1)"),
    ("_reduction.split", None, "ln 2 in one part", "(y - k * ln2_high) - k * ln2_low", "y - k * ln2_high"),
    ("_tanh.tanh", None, "even for odd", "-t if x < zero else t", "t"),
    ("_tanh.tanh", None, "NaN saturates", "saturated if y > saturated else y", "y if y < saturated else saturated"),
    ("_sigmoid", None, "no subnormal results", "split(raised=64), real(2.0**-64)", "split(), real(1)"),
    ("_sigmoid.sigmoid", None, "of |x|", "(e if x < zero else one)", "one"),
]
