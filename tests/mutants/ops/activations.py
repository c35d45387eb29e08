"""Faults of minindrnn/ops/activations.py; `mutation` says what a row is."""

BACKWARD = {
    "recurrence": [
        ("differentiate", None, "1 - h for 1 - h^2", "ONE - h * h", "ONE - h"),
        ("differentiate", None, "sigmoid' without h", "(h * (ONE - h))", "(ONE - h)"),
        ("differentiate", None, "the sign of dh for that of h", "if h <= ZERO", "if dh <= ZERO"),
    ],
}

TESTS = [
    "ops/test_recurrence.py::test_is_its_formula",
]

WITHOUT = [
    "test_all_forms_of_an_activation_are_the_same",
]

OTHER = [
    ("activate", None, "leaky",            "ZERO if z <= ZERO else z", "z / 100 if z <= ZERO else z"),
    ("activate", None, "|z|",              "ZERO if z <= ZERO else z", "-z if z <= ZERO else z"),
    ("activate", None, "sigmoid for tanh", "return tanh(z)", "return sigmoid(z)"),
    ("activate", None, "2 sigmoid - 1",    "return sigmoid(z)", "return 2 * sigmoid(z) - 1"),
]
