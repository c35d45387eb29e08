"""The tutorials: every file runs and its asserts hold; every notebook has the text and the code of its file."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parent.parent / "tutorials"
SOURCES = sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))
every_tutorial = pytest.mark.parametrize("source", [
    pytest.param(path, id=path.stem, marks=getattr(pytest.mark, f"tutorial{int(path.stem[:2])}")) for path in SOURCES])


def test_there_are_tutorials_each_with_its_number():
    assert len({source.name[:2] for source in SOURCES}) == len(SOURCES) >= 5


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="trains networks, which needs compiled kernels")
@every_tutorial
def test_it_runs(source, tmp_path):
    environment = os.environ | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, source], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def cells(text):
    """(kind, source) of every cell in percent format."""
    for part in re.split(r"^# %%", text, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        body = body.strip("\n")
        yield ("markdown", re.sub(r"^# ?", "", body, flags=re.M)) if head.strip() == "[markdown]" else ("code", body)


@every_tutorial
def test_the_notebook_is_of_this_source(source):
    notebook = json.loads(source.with_suffix(".ipynb").read_text())
    built = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    assert built == list(cells(source.read_text()))


@every_tutorial
def test_its_links_lead_somewhere(source):
    prose = "".join(text for kind, text in cells(source.read_text()) if kind == "markdown")
    links = re.findall(r"\]\((?!https:)([^)]+)\)", prose)
    assert not [link for link in links if not (TUTORIALS / link.partition("#")[0]).exists()]


@every_tutorial
def test_the_notebook_holds_no_error_warning_or_path(source):
    notebook = json.loads(source.with_suffix(".ipynb").read_text())
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    texts = ["".join(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs]
    assert not re.search(r"/home/|/tmp/|/usr/| at 0x", "".join(texts))
