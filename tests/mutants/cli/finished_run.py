"""Faults of minindrnn/cli/finished_run.py; `mutation` says what a row is."""

TESTS = [
    "test_the_best_is_the_highest_accuracy_and_the_lowest_loss",
    "test_fewer_bits_are_better_and_the_last_is_the_last",
    "test_memory_is_drawn_beside_where_it_began",
    "test_recurrent_weights_are_those_of_the_network",
    "test_the_network_at_the_start_is_the_one_that_was_trained",
]

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
