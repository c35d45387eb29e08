"""Faults of minindrnn/core/atomic_file.py; `mutation` says what a row is."""

TESTS = [
    "test_it_is_on_the_disk_before_it_has_its_name",
    "test_a_failed_renaming_leaves_no_rubbish_and_names_the_file",
]

OTHER = [
    ("replacing", None, "renamed before it is on the disk", "os.fsync(file.fileno())", "pass"),
    ("replacing", None, "synchronised before it is written",
     "file.flush()\nos.fsync(file.fileno())", "os.fsync(file.fileno())\nfile.flush()"),
    ("replacing", None, "written in place",
     "with open(temporary, mode) as file:", "with open(path, mode) as file:"),
    ("replacing", None, "rubbish stays",                    "temporary.unlink()", "pass"),
    ("replacing", None, "the temporary name is told",       "error.filename = str(path)", "pass"),
]
