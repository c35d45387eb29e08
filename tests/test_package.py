"""The package as a whole: what imports what, what an import costs, what an installed copy holds."""
import ast
import graphlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SUBJECT = {"core", "ops", "networks"}
ROOMS = {                        # room: those that it may import from, besides itself
    "core": set(),
    "ops": {"core"},
    "networks": {"core", "ops"},
    "training": {"core", "ops"},
    "data": {"core"},
    "tasks": SUBJECT | {"training", "data"},
    "checks": SUBJECT,
    "exercises": SUBJECT,
    "bench": SUBJECT | {"training", "data"},
    "cli": SUBJECT | {"training", "data", "tasks", "checks", "exercises", "bench"},
}
NO_TWINS = {"device", "scalars", "padding", "reduce", "compiler", "twin", "estimate", "bench", "__init__", "__main__"}

# Test files in rooms whose name is that of no module: what several modules promise alike.
SEVERAL = {"ops/baselines", "networks/deep"}


def imports(path, anywhere=True):
    """The modules of ours, dotted below minindrnn, that a file imports: all of them, or those that it imports itself
    when it is imported."""
    tree = ast.parse(path.read_text())
    above = ROOT / "minindrnn" if ROOT / "minindrnn" in path.parents else ROOT
    *package, _ = path.relative_to(above).with_suffix("").parts
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(package[:len(package) - node.level + 1] + ([node.module] if node.module else []))
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                yield inner if (ROOT / "minindrnn" / f"{inner.replace('.', '/')}.py").exists() else base
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            assert not any(name.startswith("minindrnn") for name in names), f"{path.name}: write relative imports"


def files(room):
    return sorted((ROOT / "minindrnn" / room).glob("*.py"))


def test_imports_run_one_way():
    assert {path.parent.name for path in (ROOT / "minindrnn").glob("*/__init__.py")} == set(ROOMS)
    assert {path.name for path in files("")} == {"__init__.py", "__main__.py"}
    for room, others in ROOMS.items():
        for path in files(room):
            for module in imports(path):
                there = module.split(".")[0]
                assert there in others | {room} or there == "gpu", f"{room}/{path.name} imports {module}"
    assert not {module.split(".")[0] for module in imports(ROOT / "minindrnn/__init__.py")} & {"cli", "bench", "tasks"}


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_in_a_circle(room):
    graphlib.TopologicalSorter({
        f"{room}.{path.stem}": {module for module in imports(path) if module.split(".")[0] == room}
        for path in files(room)}).prepare()


@pytest.mark.parametrize("room", ROOMS)
def test_no_gpu_is_imported_before_it_is_asked_for(room):
    for path in files(room):
        assert not [module for module in imports(path, anywhere=False) if module.startswith("gpu")], path.name


def test_the_gpu_is_a_twin():
    """A file there has the name of the one file whose twin it is, or is on a short list; and it imports no circle."""
    stems = {path.stem for room in ("ops", "networks", "training") for path in files(room)}
    graph = {}
    for path in sorted((ROOT / "gpu").glob("*.py")):
        assert path.stem in stems | NO_TWINS, f"gpu/{path.name} is the twin of no file"
        graph[path.stem] = {name for node in ast.walk(ast.parse(path.read_text()))
                            if isinstance(node, ast.ImportFrom) and node.level
                            for name in ([node.module] if node.module else [alias.name for alias in node.names])}
    assert NO_TWINS <= graph.keys()
    graphlib.TopologicalSorter(graph).prepare()


def test_each_room_has_a_sign_that_names_its_files():
    for room in ROOMS:
        sign = ast.get_docstring(ast.parse((ROOT / "minindrnn" / room / "__init__.py").read_text()))
        for path in files(room):
            named = path.stem == "__init__" or re.search(rf"\b{path.stem}\b", sign.split("\nTo add")[0])
            assert named, f"{room}/__init__.py: expected a line that says what {path.stem} is"


def test_each_test_file_in_a_room_names_the_module_it_tests():
    for room in ROOMS:
        for path in (ROOT / "tests" / room).glob("test_*.py"):
            name = f"{room}/{path.stem.removeprefix('test_')}"
            assert name in SEVERAL or (ROOT / "minindrnn" / f"{name}.py").exists(), f"{path}: there is no {name}.py"


def run(program, folder, python=sys.executable, **environment):
    done = subprocess.run([python, "-c", program], cwd=folder, env=os.environ | environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_compiles_nothing_and_needs_no_cuda(tmp_path):
    out = run("import sys, numba.core.event as event\n"
              "seen = []\n"
              "class Listener(event.Listener):\n"
              "    def on_start(self, e): seen.append(e)\n"
              "    def on_end(self, e): pass\n"
              "event.register('numba:compile', Listener())\n"
              "import minindrnn\n"
              "print(len(seen))\n"
              "print([name in sys.modules for name in ('numba.cuda', 'matplotlib', 'minindrnn.gpu')])\n"
              "import minindrnn.gpu.twin\n"
              "print(len(seen))", tmp_path)
    assert out.splitlines() == ["0", "[False, False, False]", "0"]


# What holds arrays and computes nothing, which has no paper for its source.
OURS = {"Layer", "Parameter", "leaves"}
STATED = {"shapes": r"\((\d )?([A-Z]|inputs)(, (\d )?[A-Za-z]+)*,?\)", "dtype": "float(32|64)|dtype",
          "errors": r"\w+Error", "source": "Source: .|Source of|arXiv"}


def _page(module, name):
    """What the help on a name says: of a layer also what it does forward, of a backward pass what stands at the
    forward one, and the head of the file that it is in."""
    thing = getattr(module, name)
    things = [thing, getattr(thing, "forward", None), getattr(module, name.replace("_backward", "_forward"))]
    return "\n".join(inspect.getdoc(each) or "" for each in things if each) + sys.modules[thing.__module__].__doc__


@pytest.mark.parametrize("package", ["minindrnn", "minindrnn.gpu"])
def test_public_names_state_shapes_dtypes_errors_and_source(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert len(inspect.getdoc(getattr(module, name)).split()) >= 5, name
        if name == "GradientError":                      # an exception has no arrays
            continue
        page = _page(module, name)
        missing = [what for what, said in STATED.items()
                   if not re.search(said, page) and not (what == "source" and name in OURS)]
        assert not missing, f"the docstring of {name} does not state its {' and '.join(missing)}"


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the same with and without compilation")
def test_a_wheel_works_from_another_folder(tmp_path):
    """Built from a copy of the source, installed beside our dependencies, and run where the source is not."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                    tmp_path, "."],
                   cwd=_source(tmp_path / "source"), check=True)
    wheel, = tmp_path.glob("minindrnn-*.whl")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site",
                    wheel], check=True)
    (tmp_path / "elsewhere").mkdir()
    out = run("import importlib, pkgutil, minindrnn, minindrnn.gpu\n"
              "from minindrnn.data.digits import load_digits\n"
              "for module in pkgutil.walk_packages(minindrnn.__path__, 'minindrnn.'):\n"
              "    module.name.endswith('__main__') or importlib.import_module(module.name)\n"
              "print(minindrnn.__file__); print(minindrnn.gpu.__file__); print(load_digits()['train'][0].shape)",
              tmp_path / "elsewhere", PYTHONPATH=str(tmp_path / "site"))
    core, gpu, shape = out.splitlines()
    assert Path(core).parent == tmp_path / "site/minindrnn" and Path(gpu).parent == tmp_path / "site/minindrnn/gpu"
    assert shape == "(64, 1197, 1)"
    assert (tmp_path / "site/minindrnn/data/digits.txt").exists()


def _source(folder):
    """The files that a build reads, without what earlier builds left behind."""
    import shutil
    for name in ("minindrnn", "gpu"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder
