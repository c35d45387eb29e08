"""How compiled kernels are kept on disk.

Numba can keep compiled code by itself (`cache=True`), but it watches only the file that contains the kernel. Kernels
call functions of other files: after a change of relu in activations.py the recurrence would still use the old relu.
Here every compiled form is a separate file, FOLDER/STAMP/NAME:

    STAMP   a hash of all sources of the package, so that edited sources never run old code
    NAME    the kernel and a hash of all else that its code depends on: types of arguments, processor, versions

Python takes a source for unchanged if its size and time are unchanged, and runs the old .pyc. A kernel compiled from it
does not match the sources, so it is not kept, and a message says so.

The file begins with a hash of its contents; a damaged file is replaced by a newly compiled one. The first file under a
new STAMP removes the files of old sources. If no folder is writable, every process compiles its kernels, and a message
says so.
"""
import functools
import hashlib
import marshal
import os
import pickle
import shutil
import struct
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from uuid import uuid4

import numba
from numba.core.caching import FunctionCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

PACKAGE = Path(__file__).parent.parent


def stamp():
    """A hash of all sources of the package, or None if they cannot be read."""
    try:
        listed = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(PACKAGE)}"
                  for path in sorted(PACKAGE.rglob("*.py")) if path.is_file()]
    except OSError:
        return None
    return _hash("\n".join(listed)) if listed else None


def trusted():
    """{source: contents of its .pyc}, for every .pyc that Python runs without reading the source: its header says so,
    or holds the time and size of the source."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        with suppress(OSError, NotImplementedError):
            stat, data = path.stat(), Path(cache_from_source(path)).read_bytes()
            never = MAGIC_NUMBER + struct.pack("<I", 1)
            unchanged = MAGIC_NUMBER + struct.pack("<3I", 0, int(stat.st_mtime) % 2**32, stat.st_size % 2**32)
            if data.startswith((never, unchanged)):
                found[path] = data
    return found


@functools.cache
def stale():
    """The first of these sources that differs from its .pyc, or None."""
    for path, data in TRUSTED.items():
        if marshal.loads(data[16:]) != compile(path.read_bytes(), path, "exec", dont_inherit=True):
            return path
    return None


def user_cache():
    """The folder of this package among the user's caches, or None for a user without a home folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return None if caches.startswith("~") else Path(caches, "minindrnn")


def folders():
    """The folders that may hold compiled forms. New ones are written to the first writable folder."""
    name = _hash(str(PACKAGE))
    if numba.config.CACHE_DIR:                           # the environment variable NUMBA_CACHE_DIR
        return [Path(numba.config.CACHE_DIR, f"minindrnn-{name}")]
    caches = user_cache()
    return [PACKAGE / "__pycache__/kernels"] + ([caches / "kernels" / name] if caches else [])


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]


STAMP, TRUSTED = stamp(), trusted()     # before any module with kernels is imported: each imports this one first


class Kept(FunctionCache):
    """The compiled forms of one kernel."""

    def __init__(self, function, fastmath):              # Numba's own fails if no folder is writable
        self._py_func, self._fastmath, self._cache_path = function, fastmath, None
        self.enable()

    def load_overload(self, sig, target_context):
        """The compiled form for these argument types, or None."""
        target_context.refresh()
        if not self._current():
            return None
        for folder in folders():
            data = b""
            with suppress(OSError):
                data = (folder / STAMP / self._name(sig, target_context.codegen())).read_bytes()
            contents = data[32:]
            if contents and data[:32] == hashlib.sha256(contents).digest():
                return CompileResult._rebuild(target_context, *pickle.loads(contents))
        return None

    def save_overload(self, sig, compiled):
        """Keep the compiled form, if possible. Code with dynamic globals holds addresses of this process."""
        if not self._current() or compiled.library.has_dynamic_globals:
            return
        if stale():
            return say_once(f"minindrnn: Python runs an old form of {stale()}, as its size and time are those of "
                            "before; to run the new one: touch that file")
        contents = dumps(compiled._reduce())
        data = hashlib.sha256(contents).digest() + contents
        reasons = []
        for folder in folders():
            try:
                return write(folder, self._name(sig, compiled.codegen), data)
            except OSError as error:
                reasons.append(f"{folder}: {error.strerror}")
        say_once(f"minindrnn: kernels are compiled but cannot be kept for the next time ({'; '.join(reasons)}); set "
                 "NUMBA_CACHE_DIR to a folder that can be written")

    def flush(self):
        """Called by `recompile`: from now on the kernel may differ from its sources."""
        self.disable()

    def _current(self):
        """Whether the sources are still those that were imported. If not, it is unknown which of them are in memory."""
        return self._enabled and STAMP is not None and stamp() == STAMP

    def _name(self, sig, codegen):
        function = self._py_func
        place = function.__module__, function.__qualname__, function.__code__.co_firstlineno
        parts = place, self._fastmath, self._index_key(sig, codegen), numba.__version__, sys.version
        return f"{function.__name__}-{_hash(repr(parts))}"


def write(folder, name, data):
    """Write folder/STAMP/name whole or not at all."""
    place = folder / STAMP
    if not place.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            if other.name != STAMP:
                shutil.rmtree(other, ignore_errors=True)
    temporary = place / f"{uuid4().hex}.tmp"
    try:
        temporary.write_bytes(data)
        temporary.replace(place / name)
    finally:
        temporary.unlink(missing_ok=True)


@functools.cache
def say_once(message):
    """Print one line to stderr, if there is a stderr; progress bars make room for it."""
    from tqdm import tqdm
    if sys.stderr is not None:
        with suppress(OSError):
            tqdm.write(message, file=sys.stderr)
