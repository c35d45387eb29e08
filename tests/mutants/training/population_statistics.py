"""Faults of minindrnn/training/population_statistics.py; `mutation` says what a row is."""

TESTS = [
    "training/test_dynamic_evaluation.py",
]

OTHER = [
    ("population_statistics", None, "averaged on top of training's", "buffer[...] = 0", "pass"),
    ("population_statistics", None, "running averages",              "average=True", "average=False"),
    ("population_statistics", None, "by what training kept",         'statistics="batch"', 'statistics="running"'),
    ("population_statistics", None, "padding counts",                "lengths=lengths", "lengths=None"),
    ("population_statistics", None, "they stay",                     "buffer[...] = before", "pass"),
]
