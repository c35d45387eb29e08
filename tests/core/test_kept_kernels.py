"""Compiled kernels are never older than a source, and no disk, full, damaged or missing, keeps them from running."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from minindrnn.core import kept_kernels
from minindrnn.core.jit import kernel, reordered, unfused

SOURCE = kept_kernels.PACKAGE
compiles = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A folder that is empty, and a process that has said nothing yet."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    kept_kernels.say_once.cache_clear()


def of_the_package(function):
    """Only kernels of the package are kept."""
    function.__module__ = "minindrnn.tested"
    return function


ALIVE = []       # kernels: what is read from the disk looks for their module, and there is none called minindrnn.tested


def doubled(by=kernel):
    """Twice 1.0 by a kernel that is new in this process, and whether it came from the disk."""
    @by
    @of_the_package
    def double(x):
        return x + x
    ALIVE.append(double)
    assert double(1.0) == 2.0
    return sum(double.stats.cache_hits.values()) == 1


def test_a_kernel_of_another_package_is_not_kept(tmp_path):
    """Of its sources, and of those that it calls, the stamp says nothing."""
    @kernel
    def double(x):
        return x + x
    assert double(1.0) == 2.0 and not kept(tmp_path)


def kept(tmp_path):
    return sorted(path for path in (tmp_path / "kept").rglob("*") if path.is_file())


# ---------------------------------------------------------------------------------------------------------
# Whole programs, in a copy of the package.

@pytest.fixture
def package(tmp_path):
    """A copy of the package, as a wheel installs it, and nothing that is compiled."""
    shutil.copytree(SOURCE, tmp_path / "site/minindrnn", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site/minindrnn"


def start(package, *arguments, **environment):
    """Start Python with the copy; without a home folder, and with nothing of the caches that are set here."""
    away = "HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MININDRNN_DATA"
    around = {name: value for name, value in os.environ.items() if name not in away}
    (package.parent.parent / "elsewhere").mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, *arguments], cwd=package.parent.parent / "elsewhere", text=True,
                            env=around | {"HOME": "~", "PYTHONPATH": str(package.parent)} | environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(package, *arguments, **environment):
    """(exit code, stdout, stderr)"""
    process = start(package, *arguments, **environment)
    out, err = process.communicate()
    return process.returncode, out, err


COUNT = """
import numba.core.event as event
class Compilations(event.Listener):
    number = 0
    def on_start(self, e): self.number += 1
    def on_end(self, e): pass
event.register("numba:compile", compilations := Compilations())
import numpy as np
from minindrnn.ops.recurrence_kernels import copy
def work():
    target = np.zeros(3)
    copy(np.ones(3), target)
    assert target.sum() == 3
"""
WORK = COUNT + "work(); print(compilations.number)"
CHECK = """
import numpy as np
from minindrnn import indrnn_backward, indrnn_forward
from minindrnn.checks.gradcheck import GradientError, Problem, check
rng = np.random.default_rng(0)
a, u, h0 = rng.normal(size=(5, 2, 3)), rng.uniform(-1, 1, 3), rng.normal(size=(2, 3))
problem = Problem({"a": a, "u": u, "h0": h0}, lambda: indrnn_forward(a, u, h0),
                  lambda dy, cache: dict(zip(("a", "u", "h0"), indrnn_backward(dy, cache))))
try:
    check(problem, rng)
    print("right")
except GradientError:
    print("wrong")
"""


@pytest.mark.slow
@compiles
def test_an_edit_of_relu_is_seen_at_once_and_the_old_code_goes(package):
    """The kernels of the recurrence, in another file, have it inside. Mended as well as broken."""
    path, files = package / "ops/activations.py", []
    right = path.read_text()
    derivative = right.replace("ZERO if h <= ZERO else dh", "ZERO if h <= ZERO else dh + dh")
    forward = right.replace("ZERO if z <= ZERO else z ", "ZERO if z <= ZERO else z * z ")
    for text, verdict in [(right, "right"), (derivative, "wrong"), (forward, "wrong"), (right, "right")]:
        path.write_text(text)
        os.utime(path, (0, 1e9 + len(files)))            # Python tells a source by its size and its time in seconds
        assert run(package, "-c", CHECK) == (0, f"{verdict}\n", "")
        files.append(sorted(file.name for file in package.glob("__pycache__/kernels/*/*")))
    assert len({len(names) for names in files}) == 1 and files[0] == files[-1]
    assert len(list(package.glob("__pycache__/kernels/*"))) == 1


@pytest.mark.slow
@compiles
def test_of_an_old_pyc_nothing_is_kept(package):
    """An edit that changes neither size nor time, as `cp -p` and rsync may bring it: Python goes on with its old
    .pyc."""
    path, writing = package / "ops/activations.py", {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
    os.utime(path, (0, 1e9))
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    assert run(package, "-c", CHECK, **writing) == (0, "right\n", "")
    before = {file.name for file in package.glob("__pycache__/kernels/*/*")}
    path.write_text(path.read_text().replace("ZERO if h <= ZERO else dh", "ZERO if h >= ZERO else dh"))
    os.utime(path, ns=times)
    code, out, err = run(package, "-c", CHECK, **writing)
    assert (code, out) == (0, "right\n")                 # this is Python's doing, and said
    assert err == (f"minindrnn: Python runs an old form of {path}, as its size and time are those of before; "
                   "to run the new one: touch that file\n")
    assert {file.name for file in package.glob("__pycache__/kernels/*/*")} == before
    path.touch()
    for _ in range(2):
        assert run(package, "-c", CHECK, **writing) == (0, "wrong\n", "")
    assert len(list(package.glob("__pycache__/kernels/*"))) == 1


@pytest.mark.slow
@compiles
@pytest.mark.parametrize("place", ["beside the sources", "NUMBA_CACHE_DIR", "the user's cache"])
def test_a_second_process_compiles_nothing(place, package, tmp_path):
    folder, environment = package / "__pycache__/kernels", {}
    if place == "NUMBA_CACHE_DIR":
        folder, environment = tmp_path / "named", {"NUMBA_CACHE_DIR": str(tmp_path / "named")}
    if place == "the user's cache":
        (package / "__pycache__").write_text("a file")
        folder, environment = tmp_path / "home/.cache/minindrnn/kernels", {"HOME": str(tmp_path / "home")}
    assert run(package, "-c", WORK, **environment) == (0, "1\n", "")
    assert run(package, "-c", WORK, **environment) == (0, "0\n", "")
    assert len([path for path in folder.rglob("*") if path.is_file() and path.name.startswith("copy-")]) == 1
    assert folder == package / "__pycache__/kernels" or not (package / "__pycache__/kernels").exists()


@pytest.mark.slow
@compiles
def test_processes_that_start_together_and_fork_do_not_disturb_each_other(package):
    forking = COUNT + ("import os\n"
                       "child = os.fork()\n"
                       "work()\n"
                       "if child: assert os.waitpid(child, 0)[1] == 0\n")
    together = [start(package, "-c", forking) for _ in range(2)]
    assert [(*process.communicate(), process.returncode) for process in together] == [("", "", 0)] * 2
    assert run(package, "-c", WORK) == (0, "0\n", "")
    assert len(list(package.glob("__pycache__/kernels/*/*"))) == 1


@compiles
def test_a_disk_that_is_full_is_said_in_one_line_and_nothing_half_written_stays(package):
    """A limit on the size of files stops a write in the middle, as a full disk does."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    code, out, err = run(package, "-B", "-c", limit + WORK)
    assert (code, out) == (0, "1\n")
    assert len(err.splitlines()) == 1 and "File too large" in err and "set NUMBA_CACHE_DIR to a folder" in err
    assert not [path for path in package.glob("__pycache__/kernels/*/*")]
    assert run(package, "-c", WORK) == (0, "1\n", "")


@pytest.mark.slow
@compiles
def test_a_run_without_a_writable_folder_trains_and_says_so_in_one_line(package):
    """Neither beside the sources nor at home; and no folder called ~."""
    (package / "__pycache__").write_text("a file")
    code, out, err = run(package, "-m", "minindrnn", "--help")
    assert (code, err) == (0, "") and "COMMAND" in out
    code, out, err = run(package, "-m", "minindrnn", "train", "adding", "--length", "6", "--layers", "1",
                         "--hidden", "4", "--batch", "2", "--updates", "3", "--out", "run")
    assert code == 0 and "Traceback" not in err and err.count("NUMBA_CACHE_DIR") == 1
    said, = (line for line in err.splitlines() if line.startswith("minindrnn: "))
    assert said.endswith("; set NUMBA_CACHE_DIR to a folder that can be written")
    elsewhere = package.parent.parent / "elsewhere"
    assert [path.name for path in elsewhere.iterdir()] == ["run"] and (elsewhere / "run/checkpoint.npz").exists()


# ---------------------------------------------------------------------------------------------------------
# The mechanism, in this process.

def test_the_stamp_covers_every_source(package, monkeypatch):
    monkeypatch.setattr(kept_kernels, "PACKAGE", package)
    assert kept_kernels.stamp() == kept_kernels.STAMP            # a copy is as good
    seen = {kept_kernels.stamp()}
    paths = sorted(package.rglob("*.py"))
    for path in paths:
        path.write_text(path.read_text() + "\n")
        seen.add(kept_kernels.stamp())
    paths[-1].rename(paths[-1].with_name("zzz.py"))
    seen.add(kept_kernels.stamp())
    paths[0].write_text(paths[0].read_text()[:-1] + " ")         # as long as before
    seen.add(kept_kernels.stamp())
    assert len(seen) == len(paths) + 3 > 50
    (package / ".#open.py").symlink_to("nobody@nowhere")  # as an editor leaves it beside a file that it has open
    assert kept_kernels.stamp() in seen
    shutil.rmtree(package)
    assert kept_kernels.stamp() is None


@compiles
def test_sources_edited_since_the_import_neither_use_nor_keep_anything(package, monkeypatch, tmp_path):
    monkeypatch.setattr(kept_kernels, "PACKAGE", package)
    doubled()
    assert doubled()
    path = package / "core/expect.py"
    text = path.read_text()
    path.write_text(text + "\n")
    before = kept(tmp_path)
    assert not doubled() and not doubled(unfused) and kept(tmp_path) == before
    path.write_text(text)
    assert doubled()


@compiles
@pytest.mark.parametrize("where", [(sys, "version"), (numba, "__version__")], ids=["Python", "Numba"])
def test_another_version_does_not_read_what_was_kept(where, monkeypatch):
    assert not doubled() and doubled()
    monkeypatch.setattr(*where, "another")
    assert not doubled() and doubled()


@compiles
def test_what_was_kept_of_other_sources_goes_with_the_first_file(monkeypatch, tmp_path):
    for stamp in "123":
        monkeypatch.setattr(kept_kernels, "STAMP", stamp)
        monkeypatch.setattr(kept_kernels, "stamp", lambda: stamp)
        assert not doubled() and doubled()
        path, = kept(tmp_path)
        assert path.parent.name == stamp


@compiles
@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[:20],
    lambda data: data[:-1],
    lambda data: b"\x80" * len(data),
    lambda data: data[:len(data) // 2] + bytes(500) + data[len(data) // 2 + 500:]],
    ids=["empty", "no whole hash", "truncated", "garbage", "zeros in the middle"])
def test_a_damaged_file_is_compiled_again_and_replaced(damage, tmp_path):
    doubled()
    path, = kept(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert not doubled()
    assert doubled() and kept(tmp_path) == [path]


@compiles
@pytest.mark.parametrize("obstacle", ["a file is there", "a file is above it", "under /proc"])
def test_a_folder_that_cannot_be_made_is_said_once(obstacle, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    folder = {"a file is there": tmp_path / "file", "a file is above it": tmp_path / "file/kept",
              "under /proc": "/proc/kept"}
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder[obstacle]))
    assert not doubled() and not doubled() and not doubled(unfused)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(folder[obstacle]) in said and "set NUMBA_CACHE_DIR to a folder" in said


@compiles
def test_no_stderr_is_no_hindrance(monkeypatch, capsys):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "/proc/kept")
    for stderr in (None, open("/dev/full", "w", buffering=1)):
        monkeypatch.setattr(sys, "stderr", stderr)
        kept_kernels.say_once.cache_clear()
        assert not doubled()
    monkeypatch.undo()
    assert capsys.readouterr().out == ""


@compiles
def test_what_lies_in_a_folder_that_cannot_be_written_is_used(monkeypatch, tmp_path):
    """As in a container whose kernels were compiled when it was built."""
    doubled()
    built, = (tmp_path / "kept").iterdir()
    for folders in ([built, tmp_path / "empty"], [tmp_path / "empty", built]):
        monkeypatch.setattr(kept_kernels, "folders", lambda: folders)
        monkeypatch.setattr(kept_kernels, "write", None)
        assert doubled()


@compiles
def test_each_kind_of_arithmetic_and_type_has_a_form_of_its_own(tmp_path):
    for by in (kernel, reordered, unfused):
        assert not doubled(by) and doubled(by)
    assert len(kept(tmp_path)) == 3

    @kernel
    @of_the_package
    def double(x):
        return x + x
    double(np.ones(2)), double(np.float32(1))
    assert len(kept(tmp_path)) == 5


@compiles
def test_a_kernel_that_is_to_be_compiled_again_is(tmp_path):
    """`recompile` is for what the sources do not say: a constant that was changed in memory."""
    scope = {"__name__": "minindrnn.tested", "kernel": kernel, "factor": 1.0}
    exec("@kernel\ndef scale(x): return x * factor", scope)
    assert scope["scale"](3.0) == 3.0
    scope["factor"], before = 2.0, kept(tmp_path)
    scope["scale"].recompile()
    assert scope["scale"](3.0) == 6.0 and kept(tmp_path) == before


@compiles
def test_code_with_addresses_of_this_process_is_not_kept(tmp_path):
    table = np.arange(1e6)

    @kernel
    @of_the_package
    def look(i):
        return table[i]
    assert look(7) == 7 and kept(tmp_path) == []


@pytest.mark.parametrize("home, caches, expected", [
    ("/home/one", None, "/home/one/.cache/minindrnn"), ("/home/one", "/scratch", "/scratch/minindrnn"),
    ("~", None, None), ("~", "/scratch", "/scratch/minindrnn"), ("/home/one", "~/.cache", None)])
def test_the_users_cache(home, caches, expected, monkeypatch):
    monkeypatch.setenv("HOME", home)                     # "~" is what Python answers where there is no home folder
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if caches:
        monkeypatch.setenv("XDG_CACHE_HOME", caches)
    assert kept_kernels.user_cache() == (expected and Path(expected))
