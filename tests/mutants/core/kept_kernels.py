"""Faults of minindrnn/core/kept_kernels.py; `mutation` says what a row is."""

LONG = [
    "test_a_disk_that_is_full_is_said_in_one_line_and_nothing_half_written_stays",
]

OTHER = [
    ("stamp", None, "a source is left out", 'sorted(PACKAGE.rglob("*.py"))', 'sorted(PACKAGE.rglob("*.py"))[1:]'),
    ("stamp", None, "names of sources are left out", "  {path.relative_to(PACKAGE)}", ""),
    ("Kept.load_overload", None, "what is damaged is read",
     "data[:32] == hashlib.sha256(contents).digest()", "True"),
    ("Kept._name", None, "whatever the versions", ", numba.__version__, sys.version", ""),
    ("Kept._name", None, "whatever the arithmetic", "place, self._fastmath,", "place,"),
    ("write", None, "what was kept of old sources stays", "if other.name != STAMP:", "if False:"),
]
