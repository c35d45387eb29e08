"""Faults of minindrnn/bench/sections.py; `mutation` says what a row is."""

LONG = [
    "test_the_memory_of_a_step_is_used_again_by_the_next",
]

OTHER = [
    ("limits", None, "multiplications without additions", "2 * 1500**3", "1500**3"),
    ("limits", None, "two streams of three",              "3 * x.nbytes", "2 * x.nbytes"),
    ("kernels", None, "the share upside down",
     "100 * seconds[limit] / seconds[name]", "100 * seconds[name] / seconds[limit]"),
    ("steps", None, "products over the step",
     'seconds["step"] / seconds["products"]', 'seconds["products"] / seconds["step"]'),
    ("growth", None, "not over T", "1e6 * seconds / T", "1e6 * seconds"),
    ("batches", None, "ours over the LSTM", 'seconds["LSTM"] / seconds[name]', 'seconds[name] / seconds["LSTM"]'),
    ("streaming", None, "milliseconds", "1e6 * seconds", "1e3 * seconds"),
]
