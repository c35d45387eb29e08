"""Faults of minindrnn/tasks/user_file.py; `mutation` says what a row is."""

TESTS = [
    "tasks/test_task.py",
]

OTHER = [
    ("UserFile.load", None, "one split for all seeds", "[self.settings.seed, SPLIT]", "[0, SPLIT]"),
    ("UserFile.look", None, "the training part only",
     "for part in self.parts.values() for array in part", 'for part in [self.parts["train"]] for array in part'),
]
