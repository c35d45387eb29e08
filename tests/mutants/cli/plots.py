"""Faults of minindrnn/cli/plots.py; `mutation` says what a row is."""

TESTS = [
    "test_numbers_shown.py",
]

OTHER = [
    ("draw_gradients", None, "upside down", 'origin="lower"', 'origin="upper"'),
    ("describe_memory", None, "smallest and largest for quartiles", "[25, 50, 75]", "[0, 50, 100]"),
    ("describe_memory", None, "0 is negative",                      "np.mean(u < 0)", "np.mean(u <= 0)"),
    ("describe_memory", None, "u for |u|",                          "np.abs(u).min()", "u.min()"),
    ("draw_curve", None, "accuracies among the losses",
     '"loss": [name for name in names if "accuracy" not in name]', '"loss": list(names)'),
    ("draw_curve", None, "the first row for all",
     "[row[name] for row in rows]", "[rows[0][name] for row in rows]"),
    ("draw_curve", None, "accuracy on a logarithmic axis", '"linear" if kind == "accuracy" else "log"', '"log"'),
    ("draw_curve", None, "one colour",                     "BLUE if name == names[0] else ORANGE", "ORANGE"),
    ("draw_memory", None, "negative u left out", "np.abs(u[u < 0])", "u[u < 0]"),
    ("draw_memory", None, "now for the start",   "np.abs(before[name]), edges", "np.abs(u), edges"),
    ("draw_confusion", None, "transposed",         "axes.imshow(share,", "axes.imshow(share.T,"),
    ("draw_confusion", None, "numbers transposed", "axes.text(j, k, counts[k, j]", "axes.text(k, j, counts[k, j]"),
    ("draw_confusion", None, "shares of the answer",
     "counts.sum(axis=1, keepdims=True)", "counts.sum(axis=0, keepdims=True)"),
    ("draw_confusion", None, "axes exchanged",     'axes.set_xlabel("answer")', 'axes.set_xlabel("true class")'),
    ("draw_adding", None, "the training loss for the test",
     'row["test_mse"] for row in rows', 'row["loss"] for row in rows'),
    ("draw_adding", None, "one colour for all models",
     "color=MODELS[model].colour, linewidth=1", 'color="C0", linewidth=1'),
    ("draw_adding", None, "what knows nothing is at 1/3", "1 / 6", "1 / 3"),
]
