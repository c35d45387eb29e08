"""Checkpoints: everything a run needs to go on, in one plain `.npz` file.

The file holds arrays and one JSON text, never pickled objects. It is written under a temporary name and
renamed, so that at any moment the path holds either the old checkpoint or the new one, whole. One process at a time
writes into a run folder: see `alone`.
"""
import errno
import json
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ..core.atomic_file import replacing

try:
    import fcntl
except ImportError:                              # Windows
    import msvcrt
    fcntl = None

FORMAT = 1
HALF_WRITTEN = re.compile(r"\.[\w-]+\.(npz|json|jsonl|png)\.[0-9]+\.tmp")       # as `replacing` names files of a run


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
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError as error:
        raise CheckpointError(f"{path}: does not fit into memory: {error}") from None
    except Exception:                            # of a file that may be anything, NumPy and its helpers raise anything
        raise CheckpointError(f"{path}: not a whole minindrnn checkpoint (cut short, or another program's)") from None
    if version != FORMAT:
        raise CheckpointError(f"{path}: expected checkpoint format {FORMAT}, got {version}")
    expect_known(path, [name for name in contents if not name.startswith("array.")], ["facts", "array.*"])
    return {name.removeprefix("array."): array for name, array in contents.items()}, facts


def restore(path, arrays, targets):
    """Copy arrays into the targets of the same names, in place. Raises CheckpointError, before anything is
    changed, unless names, shapes and dtypes are the same. A GRU saved before it had the bias b_hn gets 0 for it."""
    arrays = {name: np.zeros_like(target) for name, target in targets.items() if name.endswith(".b_hn")} | arrays
    for name in sorted(arrays.keys() | targets.keys()):
        if name not in arrays or name not in targets:
            raise CheckpointError(f"{path}: {name} is {'not expected' if name in arrays else 'missing'}")
        got, expected = arrays[name], targets[name]
        if got.shape != expected.shape or got.dtype != expected.dtype:
            raise CheckpointError(f"{path}: {name}: expected {expected.dtype} {expected.shape}, "
                                  f"got {got.dtype} {got.shape}")
    for name, target in targets.items():
        target[...] = arrays[name]


def expect_known(path, names, known):
    """Raise CheckpointError for names that nobody reads: they may be meant to change what is done."""
    if unknown := [name for name in names if name not in known]:
        raise CheckpointError(f"{path}: not read: {', '.join(unknown)}; known are {', '.join(known)}")


@contextmanager
def alone(folder):
    """Hold the folder; CheckpointError if another process holds it. Who only reads is not kept out.

    The operating system locks the file .lock in the folder, and unlocks it when the process ends, in whatever way. Not
    covered: file systems without locks (some FUSE mounts, Lustre without the option flock), where the work goes on
    unlocked, and those whose locks hold on one machine only (NFS mounted with nolock or local_lock), where processes
    of two machines are not kept apart.
    """
    path = Path(folder) / ".lock"
    file = _locked(path)
    while not _is_at(file, path):                          # its last holder has removed it since it was opened
        os.close(file)
        file = _locked(path)
    for rubbish in Path(folder).glob(".*.tmp"):            # of a process that was killed while it wrote
        with suppress(OSError):
            if HALF_WRITTEN.fullmatch(rubbish.name):
                rubbish.unlink()
    try:
        yield
    finally:
        if fcntl:                                          # removed first: nobody else can have locked it
            with suppress(OSError):
                path.unlink()
        os.close(file)
        if not fcntl:                                      # Windows removes no file that is open
            with suppress(OSError):
                path.unlink()


def _locked(path):
    """Open the file, made if there is none, and lock it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            os.close(file)
            raise CheckpointError(f"{path.parent}: another process is training this run; wait until it ends, or choose "
                                  "another --out") from None
    return file


def _is_at(file, path):
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


