"""Faults of minindrnn/core/atomic_file.py; `mutation` says what a row is."""

OTHER = [
    ("replacing", None, "renamed before it is on the disk", "os.fsync(file.fileno())", "pass"),
    ("replacing", None, "synchronised before it is written",
     "file.flush()\nos.fsync(file.fileno())", "os.fsync(file.fileno())\nfile.flush()"),
    ("replacing", None, "written in place",
     "with open(temporary, mode) as file:", "with open(path, mode) as file:"),
    ("replacing", None, "rubbish stays",                    "temporary.unlink()", "pass"),
    ("replacing", None, "the temporary name is told",       "error.filename = str(path)", "pass"),
]
