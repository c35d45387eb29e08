"""Executes tutorials and writes each as a notebook beside its source:  python tutorials/build.py [NN_name.py ...]

Only the .py file is edited. Two builds of the same file give the same bytes: cells are numbered, nothing is timed.
"""
import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from minindrnn.core.atomic_file import replacing

os.environ["OPENBLAS_NUM_THREADS"] = "1"          # sums in one order, whatever the machine
HERE = Path(__file__).resolve().parent

for source in map(Path, sys.argv[1:] or sorted(HERE.glob("[0-9][0-9]_*.py"))):
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02}", {}
    NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": HERE}}).execute()
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                         "language_info": {"name": "python"}}
    with replacing(source.with_suffix(".ipynb")) as file:
        file.write(nbformat.writes(notebook).encode() + b"\n")
