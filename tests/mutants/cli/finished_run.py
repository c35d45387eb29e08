"""Faults of minindrnn/cli/finished_run.py; `mutation` says what a row is."""

OTHER = [
    ("recurrent_weights", None, "W too",
     'if parameter.role == "recurrent"', 'if parameter.role in ("recurrent", "weight")'),
    ("summary", None, "best loss is the worst",     '(max if "accuracy" in name else min)', "max"),
    ("summary", None, "best accuracy is the worst", '(max if "accuracy" in name else min)', "min"),
    ("summary", None, "the first for the last",     "last {rows[-1][name]:.5g}", "last {rows[0][name]:.5g}"),
    ("summary", None, "the most bits are the best", '"accuracy" in name else', '"loss" not in name else'),
    ("summary", None, "the last that is finite",    "last {rows[-1][name]", "last {finite[-1][name]"),
    ("pictures", None, "now for the start", "recurrent_weights(task.initial()), after", "after, after"),
]
