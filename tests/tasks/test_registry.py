"""Every task that there is can be asked for."""
import importlib
import inspect
from pathlib import Path

import pytest

import minindrnn
from minindrnn.tasks.registry import TASKS
from minindrnn.tasks.task import Task

FILES = sorted(path.stem for path in (Path(minindrnn.__file__).parent / "tasks").glob("[a-z]*.py"))


@pytest.mark.parametrize("file", FILES)
def test_a_task_is_listed(file):
    module = importlib.import_module(f"minindrnn.tasks.{file}")
    for name, kind in vars(module).items():
        if inspect.isclass(kind) and issubclass(kind, Task) and kind.__module__ == module.__name__ and kind.name:
            assert kind in TASKS.values(), f"tasks/{file}.py: expected {name} in TASKS of tasks/registry.py"
