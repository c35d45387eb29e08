"""Faults of minindrnn/cli/commands.py; `mutation` says what a row is."""

TESTS = [
    "test_every_word_of_the_command_reaches_the_run",
]

LONG = [
    "test_a_terminal_that_lacks_a_letter",
    "test_ctrl_c_while_modules_are_imported",
    "test_ctrl_c_before_a_command_and_after_it",
    "test_ctrl_c_is_left_to_another_program_that_imports_us",
    "test_ctrl_c_saves_and_resume_finishes",
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
