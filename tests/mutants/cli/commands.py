"""Faults of minindrnn/cli/commands.py; `mutation` says what a row is."""

TESTS = [
    "test_every_word_of_the_command_reaches_the_run",
]

OTHER = [
    ("train", None, "--resume is part of the command", 'if word != "--resume"]', "if word]"),
    ("finished", None, "another number of updates", '"updates": run.update', '"updates": run.every'),
    ("finished", None, "seconds of the first row",  'rows[-1]["seconds"]', 'rows[0]["seconds"] - 1'),
    ("figure", None, "--seed does nothing",
     "updates=arguments.updates, seed=arguments.seed)", "updates=arguments.updates)"),
    ("gradients", None, "--seed does nothing",              "default_rng(arguments.seed)", "default_rng(0)"),
    ("gradients", None, "the first step of the last layer", "norms[name][0, 0]", "norms[name][-1, 0]"),
    ("gradcheck", None, "--seed does nothing",    "[arguments.seed, number]", "[number]"),
    ("gradcheck", None, "the best for the worst", "error >= worst", "error <= worst"),
]
