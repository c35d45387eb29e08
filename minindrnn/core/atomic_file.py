"""Files that are written whole or not at all."""
import os
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path, mode="wb"):
    """Open a file for writing under a temporary name; rename it to path on success, remove it after an error."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)                         # the name that the caller knows
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()
