"""Files that are complete or absent."""
import os
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path, mode="wb"):
    """Open a file to write under a temporary name; rename it to path if all went well, remove it if not."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)                         # the name that the caller gave
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()
