"""Data sets are found or fetched, and known by their hash; no test needs a network."""
import gzip
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from functools import partial

import pytest

from minindrnn.data import download
from minindrnn.data.download import DataError, Source, fetch, look, read

CONTENTS = {"one": b"first file" * 20, "two": b"second"}
HASHES = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
OTHER = b"something else"


def source(*command, addresses=()):
    return Source("fake", HASHES, command or ("no-such-command", "get fake"), addresses)


def bringing(*lines):
    """A command that brings files by running Python: `files` is what the test laid down."""
    return source("python", "-c", "\n".join(lines))


BOTH = bringing("open('one', 'wb').write(b'first file' * 20)", "open('two', 'wb').write(b'second')")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Neither this machine's data nor its cache."""
    monkeypatch.delenv("MININDRNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def cache(tmp_path):
    return tmp_path / "caches/minindrnn/fake"


def lay(folder, contents=CONTENTS):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def as_gz(folder):
    lay(folder, {f"{name}.gz": gzip.compress(data) for name, data in CONTENTS.items()})


def as_tgz(folder):
    folder.mkdir()
    with tarfile.open(folder / "fake-1.0.tgz", "w:gz") as archive:
        for name, data in CONTENTS.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def as_zip(folder, suffix=".zip"):
    folder.mkdir()
    with zipfile.ZipFile(folder / f"fake-1.0{suffix}", "w") as archive:
        archive.writestr("fake/one.gz", gzip.compress(CONTENTS["one"]))
        archive.writestr("fake/data/two", CONTENTS["two"])
        archive.writestr("fake/two.py", b"raise SystemExit")


def as_deb(folder):
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    tree = folder.parent / "tree"
    lay(tree / "usr/share/fake")
    lay(tree / "DEBIAN",
        {"control": b"Package: fake\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"})
    folder.mkdir()
    subprocess.run(["dpkg-deb", "--build", tree, folder / "fake.deb"], check=True, stdout=subprocess.DEVNULL)


FORMS = {"raw": lay, "gz": as_gz, "tgz": as_tgz, "zip": as_zip, "whl": partial(as_zip, suffix=".whl"), "deb": as_deb}


@pytest.mark.parametrize("form", FORMS)
def test_files_may_lie_there_in_many_forms(form, tmp_path):
    FORMS[form](tmp_path / "here")
    assert read(source(), tmp_path / "here") == CONTENTS
    assert not cache(tmp_path).exists()


@pytest.mark.parametrize("form, what", [
    ("gz", "one.gz: not a whole gzip file"), ("tgz", "fake-1.0.tgz: not a whole archive"),
    ("zip", "fake-1.0.zip: not a whole archive"), ("deb", "fake.deb: not a whole archive")])
def test_a_damaged_file_is_named(form, what, tmp_path):
    FORMS[form](tmp_path / "here")
    path = tmp_path / "here" / what.split(":")[0]
    whole = path.read_bytes()
    for damaged in (whole[:len(whole) // 2], whole[:20], OTHER):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"here/{what}$"):
            read(source(), tmp_path / "here")


def test_what_cannot_be_unpacked_says_why(tmp_path, monkeypatch):
    lay(tmp_path / "here", {"fake.deb": b"whole, for all we know"})
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="here/fake.deb: cannot be unpacked: dpkg-deb is not installed$"):
        read(source(), tmp_path / "here")


def test_the_named_folder_comes_first_and_nothing_after_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MININDRNN_DATA", str(lay(tmp_path / "variable/fake").parent))
    lay(cache(tmp_path))
    with pytest.raises(DataError, match="none: expected a folder with one, two, or with an archive of them"):
        read(source(), tmp_path / "none")
    half = lay(tmp_path / "half", {"one": CONTENTS["one"]})
    with pytest.raises(DataError, match="half: expected a folder with one, two"):
        read(source(), half)


def test_where_data_is_looked_for(tmp_path, monkeypatch):
    """A folder that is named, else the variable, else the cache."""
    source = Source("fake", {"one": hashlib.sha256(b"contents").hexdigest()}, ("none",))
    for place in ("named", "variable/fake", "cache/minindrnn/fake"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "cache/minindrnn/fake/one").write_bytes(b"contents")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MININDRNN_DATA", str(tmp_path / "variable"))
    assert download.read(source) == {"one": b"contents"}
    with pytest.raises(DataError, match="expected a folder with one"):
        download.read(source, tmp_path / "named")


def test_a_wrong_hash_is_refused_by_name(tmp_path):
    lay(tmp_path / "here", {"one": CONTENTS["one"], "two": OTHER})
    with pytest.raises(DataError, match=f"here: two: expected SHA-256 {HASHES['two'][:16]}..., got "
                                        f"{hashlib.sha256(OTHER).hexdigest()[:16]}...$"):
        read(source(), tmp_path / "here")


def test_a_file_is_known_by_its_whole_hash(tmp_path):
    """Whichever of the 64 digits is another one: the file is not that which is looked for."""
    (tmp_path / "one").write_bytes(b"contents")
    right = hashlib.sha256(b"contents").hexdigest()
    assert look(Source("fake", {"one": right}, ("none",)), tmp_path) == {"one": b"contents"}
    for place in range(64):
        wrong = right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1:]
        with pytest.raises(DataError, match="one: expected SHA-256"):
            look(Source("fake", {"one": wrong}, ("none",)), tmp_path)


def test_then_the_variable_then_the_cache_then_the_network(tmp_path, monkeypatch, capfd):
    """Each place is tried only if those before it have nothing: what stands after it would be refused or noticed."""
    assert read(BOTH) == CONTENTS and "fetching fake" in capfd.readouterr().err
    assert {path.name: path.read_bytes() for path in cache(tmp_path).iterdir()} == CONTENTS
    assert read(BOTH) == CONTENTS and capfd.readouterr().err == ""             # now out of the cache
    monkeypatch.setenv("MININDRNN_DATA", str(tmp_path / "variable"))
    assert read(source()) == CONTENTS                                              # the variable's folder has nothing
    lay(cache(tmp_path), {"one": OTHER})
    lay(tmp_path / "variable/fake")
    assert read(source()) == CONTENTS and capfd.readouterr().err == ""             # the cache is not looked at
    lay(tmp_path / "variable/fake", {"one": OTHER})
    with pytest.raises(DataError, match="variable/fake: one: expected SHA-256"):
        read(source())


@pytest.mark.parametrize("damage", [{"one": OTHER}, {"one": b""}])
def test_a_damaged_cache_is_fetched_again(damage, tmp_path, capfd):
    lay(cache(tmp_path), CONTENTS | damage)
    assert read(BOTH) == CONTENTS
    assert "fake: one: expected SHA-256" in capfd.readouterr().err
    assert look(source(), cache(tmp_path)) == CONTENTS


def test_a_good_archive_beside_a_damaged_file_is_enough(tmp_path):
    """Which is what the line that names the command asks for."""
    as_tgz(tmp_path / "here")
    lay(tmp_path / "here", {"one": OTHER, "two.gz": b"not gzip"})
    assert read(source(), tmp_path / "here") == CONTENTS
    lay(tmp_path / "here", {"one": CONTENTS["one"]})
    (tmp_path / "here/fake-1.0.tgz").unlink()
    with pytest.raises(DataError, match="here/two.gz: not a whole gzip file$"):
        read(source(), tmp_path / "here")


def test_offline_one_line_names_the_command(tmp_path):
    with pytest.raises(DataError) as caught:
        read(source("no-such-command", "get fake", addresses=((tmp_path / "nowhere").as_uri() + "/",)))
    said = str(caught.value)
    assert "\n" not in said and f"fake: not whole in {cache(tmp_path)}, and it could not be fetched (" in said
    assert said.endswith("Where there is a network: no-such-command 'get fake'; then put what it brings into that "
                         "folder")
    assert said.count("No such file or directory: 'no-such-command'") == 1         # tried twice, said once
    assert not cache(tmp_path).exists()


@pytest.mark.parametrize("line, what", [
    ("open('one', 'wb').write(b'something else')", "what came: one: expected SHA-256"),
    ("open('two', 'wb').write(b'second')", "not all files came"),
    ("open('x.tgz', 'wb').write(b'something else')", "what came/x.tgz: not a whole archive"),
    ("raise SystemExit(3)", "exit status 3")])
def test_what_comes_is_looked_at_before_it_is_kept(line, what, tmp_path):
    with pytest.raises(DataError, match=what):
        read(bringing(line))
    assert not cache(tmp_path).exists()


def test_an_interrupted_download_leaves_nothing(tmp_path, monkeypatch):
    folders = []

    def bring(source, folder):
        folders.append(folder)
        lay(folder, {"one": CONTENTS["one"]})
        raise KeyboardInterrupt
    monkeypatch.setattr(download, "bring", bring)
    with pytest.raises(KeyboardInterrupt):
        read(source())
    assert not cache(tmp_path).exists()
    assert not folders[0].exists()


def test_half_of_the_files_in_the_cache_are_not_used(tmp_path, monkeypatch):
    """Ctrl-C on the way into the cache, when one file of two is there."""
    fsync, calls = os.fsync, []

    def interrupting(number):
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        fsync(number)
    monkeypatch.setattr(download, "bring", lambda source, folder: lay(folder))
    monkeypatch.setattr(os, "fsync", interrupting)
    with pytest.raises(KeyboardInterrupt):
        read(source())
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert [path.name for path in cache(tmp_path).iterdir()] == ["one"]
    assert look(source(), cache(tmp_path)) is None                                 # not whole, so not used


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path, capfd):
    (tmp_path / "caches").write_text("a file")
    assert read(BOTH) == CONTENTS
    assert "fake: cannot be written" in capfd.readouterr().err


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """"~" is what Python answers where there is no home folder."""
    monkeypatch.setenv("HOME", "~")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.chdir(tmp_path)


def test_no_home_folder_is_no_hindrance(homeless, tmp_path, monkeypatch, capfd):
    assert read(BOTH) == CONTENTS
    assert capfd.readouterr().err.splitlines()[-1] == (
        "there is no home folder to keep the data in; to be fetched again next time, unless XDG_CACHE_HOME names "
        "another folder")
    with pytest.raises(DataError, match=r"fake: not whole in \$MININDRNN_DATA/fake, and it could not be fetched"):
        read(source())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MININDRNN_DATA", str(tmp_path))
    lay(tmp_path / "fake")
    assert read(source()) == CONTENTS


def test_a_cache_that_cannot_be_looked_at_is_no_hindrance(tmp_path, monkeypatch, capfd):
    """Too long a name: like another user's folder it is refused by the system, but to root as well."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("long" * 100)))
    assert read(BOTH) == CONTENTS
    said = capfd.readouterr().err
    assert "fake: cannot be written: File name too long; to be fetched again next time, unless XDG_CACHE_HOME" in said


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Hasty(Quiet):
    """Hangs up in the middle of every file."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")


@pytest.fixture
def serve():
    servers = []

    def start(handler):
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_addresses_are_tried_in_turn_before_the_command(tmp_path, serve, capfd):
    as_gz(tmp_path / "here")
    good, hasty = serve(partial(Quiet, directory=tmp_path / "here")), serve(Hasty)
    for address in (good, (tmp_path / "here").as_uri() + "/"):
        assert fetch(source(addresses=(address,)), tmp_path / "kept") == CONTENTS
    assert "no-such-command" not in capfd.readouterr().err
    assert fetch(source(addresses=(hasty, good + "missing/", good)), tmp_path / "kept") == CONTENTS
    said = capfd.readouterr().err
    assert said.index(hasty) < said.index(good + "missing/") < said.index(f"{good} ...")


def test_an_address_that_hangs_up_is_a_reason_among_others(tmp_path, serve):
    with pytest.raises(DataError, match=r"fetched \(IncompleteRead\(4 bytes read, 996 more expected\); "):
        fetch(source(addresses=(serve(Hasty),)), tmp_path / "kept")


def test_python_in_a_command_is_this_one(tmp_path):
    fetched = bringing("import sys", "open('one', 'wb').write(b'first file' * 20)",
                       "open('two', 'wb').write(b'second') if sys.executable == " + repr(sys.executable) + " else 0")
    assert fetch(fetched, tmp_path / "kept") == CONTENTS


def test_each_way_is_tried_twice_and_none_is_waited_for_for_ever(tmp_path, monkeypatch):
    asked, came = [], gzip.compress(CONTENTS["one"])

    def urlopen(address, timeout):
        asked.append((address, timeout))
        if len(asked) < 3:
            raise TimeoutError("timed out")
        return io.BytesIO(came)
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    one = Source("fake", {"one": HASHES["one"]}, ("no-such-command",), ("http://a/", "http://b/"))
    assert fetch(one, tmp_path / "kept") == {"one": CONTENTS["one"]}
    assert asked == [("http://a/one.gz", 60), ("http://b/one.gz", 60), ("http://a/one.gz", 60)]
