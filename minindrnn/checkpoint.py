"""Checkpoints: everything a run needs to go on, in one plain `.npz` file.

The file holds arrays and one JSON text, never pickled objects. It is written under a temporary name and
renamed, so that at any moment the path holds either the old checkpoint or the new one, whole.
"""
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

FORMAT = 1


class CheckpointError(ValueError):
    """The file is missing, damaged, or not for this run; the message names it."""


def save(path, arrays, facts):
    """Write {name: array} and a JSON-able dict of facts to path, in one piece. Equal contents give equal bytes."""
    facts = np.array(json.dumps({"minindrnn": FORMAT} | facts, sort_keys=True))
    with replacing(path) as file:
        np.savez(file, facts=facts, **{f"array.{name}": array for name, array in arrays.items()})


def load(path):
    """Return (arrays, facts) as given to `save`. Raises CheckpointError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            contents = {name: archive[name] for name in archive.files}
        facts = json.loads(str(contents.pop("facts")[()]))
        version = facts.pop("minindrnn")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (IsADirectoryError, PermissionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception:                            # of a file that may be anything, NumPy and its helpers raise anything
        raise CheckpointError(f"{path}: not a whole minindrnn checkpoint (cut short, or another program's)") from None
    if version != FORMAT:
        raise CheckpointError(f"{path}: expected checkpoint format {FORMAT}, got {version}")
    return {name.removeprefix("array."): array for name, array in contents.items()}, facts


def restore(path, arrays, targets):
    """Copy arrays into the targets of the same names, in place. Raises CheckpointError, before anything is
    changed, unless names, shapes and dtypes are the same."""
    for name in sorted(arrays.keys() | targets.keys()):
        if name not in arrays or name not in targets:
            raise CheckpointError(f"{path}: {name} is {'not expected' if name in arrays else 'missing'}")
        got, expected = arrays[name], targets[name]
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise CheckpointError(f"{path}: {name}: expected {expected.dtype} {expected.shape}, "
                                  f"got {got.dtype} {got.shape}")
    for name, target in targets.items():
        target[...] = arrays[name]


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
        error.filename = str(path)                         # what the caller knows it by
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()
