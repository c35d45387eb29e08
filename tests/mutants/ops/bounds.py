"""Faults of minindrnn/ops/bounds.py; `mutation` says what a row is."""

BACKWARD = {
    "penalty on u": [
        ("penalty", None, "sign of u forgotten",     "np.sign(u) * excess", "excess"),
        ("penalty", None, "not divided by the norm", "excess / norm if", "excess if"),
    ],
}

TESTS = [
    "test_twelve_updates_are_those_of_the_loop",
]

OTHER = [
    ("largest", None, "gamma over T",       "gamma ** (1 / T)", "gamma / T"),
    ("largest", None, "one step less",      "(1 / T)", "(1 / (T + 1))"),
    ("largest", None, "gamma does nothing", "return gamma **", "return 2.0 **"),
    ("smallest", None, "gamma does nothing", "return epsilon **", "return 0.5 **"),
    ("half_life", None, "in units of e", "np.log(0.5)", "-1.0"),
    ("project", None, "above only",      "np.clip(parameter.value, -bound,", "np.clip(parameter.value, None,"),
    ("project", None, "below only",      "-bound, bound, out", "-bound, None, out"),
    ("project", None, "every parameter", 'if parameter.role == "recurrent":', "if True:"),
    ("penalty", None, "the sum of squares",
     "float(np.sqrt(np.sum(excess**2, dtype=np.float64)))", "float(np.sum(excess**2))"),
    ("penalty", None, "positive u only", "np.maximum(np.abs(u) - bound, 0)", "np.maximum(u - bound, 0)"),
]
