"""Faults of minindrnn/data/motion.py; `mutation` says what a row is."""

OTHER = [
    ("recordings", None, "people counted from 1", ", np.int64) - 1)", ", np.int64))"),
    ("load_motion", None, "one fold for all",             "(people - 2 * fold) % PEOPLE", "people % PEOPLE"),
    ("load_motion", None, "tested people are trained on", "distance >= 4", "distance >= 1"),
    ("windows", None, "no overlap",               "max(1, window // 2)", "window"),
    ("windows", None, "the last window left out", "len(x) - window + 1", "len(x) - window"),
]
