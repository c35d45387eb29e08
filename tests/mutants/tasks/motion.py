"""Faults of minindrnn/tasks/motion.py; `mutation` says what a row is."""

TESTS = [
    "test_settings",
]

OTHER = [
    ("Motion.length", None, "windows of 2 seconds", "200", "100"),
    ("Motion.unit", None, "windows always", '"windows" if self.settings.length else "recordings"', '"windows"'),
]
