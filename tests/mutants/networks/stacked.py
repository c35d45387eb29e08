"""Faults of minindrnn/networks/stacked.py; `mutation` says what a row is."""

TESTS = [
    "test_where_the_weights_of_a_task_start",
    "test_where_the_weights_of_the_named_networks_start",
]

OTHER = [
    ("stacked_layers", None, "the last layer starts as the others", "[u_last]", "[u]"),
    ("StackedIndRNN.__init__", None, "the last layer at 0.5^(1/T) whatever gamma",
     "bounds.smallest(length, 1 / gamma)", "bounds.smallest(length)"),
    ("StackedIndRNN.__init__", None, "every layer with long memory",
     "u=(0.0, self.bound)", "u=(bounds.smallest(length, 1 / gamma), self.bound)"),
    ("StackedIndRNN.__init__", None, "no layer with long memory",
     "u_last=(bounds.smallest(length, 1 / gamma), self.bound)", "u_last=(0.0, self.bound)"),
    ("StackedIndRNN.__init__", None, "gamma does nothing", "bounds.largest(length, gamma)", "bounds.largest(length)"),
    ("StackedIndRNN.__init__", None, "readout ignored",    "W=readout,", ""),
]
