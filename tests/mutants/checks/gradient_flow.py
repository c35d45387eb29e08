"""Faults of minindrnn/checks/gradient_flow.py; `mutation` says what a row is."""

OTHER = [
    ("gradient_norms", None, "squares for norms",            "norms.append(np.sqrt(", "norms.append(("),
    ("gradient_norms", None, "the last layer first",         "norms[::-1]", "norms"),
    ("gradient_norms", None, "what enters has no norm of 1", "dx /= np.linalg.norm(dx)", "pass"),
]
