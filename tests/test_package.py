"""The package as a whole: what imports what, what an import costs, what an installed copy holds."""
import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LEVELS = [
    {"shapes", "compiled", "arrays", "peers", "starters", "console", "timing"},
    {"exponential", "layer"},
    {"activations"},
    {"memory", "linear", "recurrence", "batchnorm", "layernorm", "dropout", "embedding", "differences", "losses", "blocks",
     "bidirectional"},
    {"indrnn", "rnn", "languagemodel"},
    {"lstm", "gru"},
    {"stacked", "residual", "dense"},
    {"optim", "schedules", "population", "checkpoint", "data"},
    {"training", "dynamic", "gradcheck", "questions"},
    {"run", "architectures", "gradientflow", "problems", "bench", "exercises"},
    {"recipe", "report"},
    {"classification", "characters"},
    {"recognition"},
    {"experiments"},
    {"readback", "arguments"},
    {"__init__"},
    {"gpu"},
    {"__main__"},
]
GPU = [                          # which may import all of the above but the command line
    {"device", "compiler"},
    {"recurrence"},
    {"sums", "blocks"},
    {"linear", "batchnorm", "dropout", "losses", "optim", "memory"},
    {"indrnn"},
    {"training"},
    {"bench", "report"},
    {"__main__"},
]


def imports(path):
    """(module of ours, names imported) for every import in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from ([node.module.split(".")[0]] if node.module else [alias.name for alias in node.names])
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            assert not any(name.startswith("minindrnn") for name in names), f"{path.name}: write relative imports"


def test_imports_run_one_way():
    rank = {name: i for i, level in enumerate(LEVELS) for name in level}
    files = sorted((ROOT / "minindrnn").glob("*.py"))
    assert {path.stem for path in files} | {"data", "gpu"} == set(rank)
    for path in files:
        for name in imports(path):
            assert rank[name] < rank[path.stem], f"{path.name} imports {name}, which stands above or beside it"
        assert not any(getattr(node, "module", "") and node.module.startswith("gpu") for node in ast.parse(path.read_text()).body), \
            f"{path.name}: import gpu where it is asked for"
    training = {name for file in ("training", "run") for name in imports(ROOT / f"minindrnn/{file}.py")}
    assert not training & {"indrnn", "stacked", "linear", "recurrence"}, "training knows only what a layer is"


def test_imports_of_the_gpu_run_one_way():
    rank = {name: i for i, level in enumerate(GPU) for name in level} | {"__init__": len(GPU)}
    files = sorted((ROOT / "gpu").glob("*.py"))
    assert {path.stem for path in files} == set(rank)
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                for name in [node.module] if node.module else [alias.name for alias in node.names]:
                    assert rank[name] < rank[path.stem], f"gpu/{path.name} imports {name}, which stands above or beside it"


def test_every_file_says_in_its_first_line_what_it_is_for():
    """Which takes the place of a map of files: `head -1 minindrnn/*.py`."""
    for path in sorted(path for folder in ("minindrnn", "gpu") for path in (ROOT / folder).rglob("*.py")):
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        assert len(first.split()) >= 3, f"{path.relative_to(ROOT)}: the first line of its docstring is {first!r}"


def run(program, folder, python=sys.executable, **environment):
    done = subprocess.run([python, "-c", program], cwd=folder, env=os.environ | environment, capture_output=True, text=True)
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
              "print(len(seen), 'numba.cuda' in sys.modules, 'matplotlib' in sys.modules, 'minindrnn.gpu' in sys.modules)\n"
              "import minindrnn.gpu.training\n"
              "print(len(seen))", tmp_path)
    assert out.split() == ["0", "False", "False", "False", "0"]


STATED = {"shapes": r"\((\d )?([A-Z]|inputs)(, (\d )?[A-Za-z]+)*,?\)", "dtype": "float(32|64)|dtype", "errors": r"\w+Error",
          "source": "Source: .|Source of|arXiv"}


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
        page = _page(module, name)
        missing = [what for what, said in STATED.items() if not re.search(said, page)]
        assert not missing, f"{name} does not state its {' and '.join(missing)}"


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="the same with and without compilation")
def test_a_wheel_works_from_another_folder(tmp_path):
    """Built from a copy of the source, installed beside our dependencies, and run where the source is not."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, "."],
                   cwd=_source(tmp_path / "source"), check=True)
    wheel, = tmp_path.glob("minindrnn-*.whl")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    (tmp_path / "elsewhere").mkdir()
    out = run("import minindrnn, minindrnn.gpu\n"
              "from minindrnn.data.digits import load_digits\n"
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
