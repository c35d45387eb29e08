"""What each model starts with, task by task: test_published.py."""
import pytest

from minindrnn.cli.commands import main
from minindrnn.tasks.models import MODELS
from minindrnn.tasks.registry import TASKS, settings


@pytest.mark.compiled
@pytest.mark.parametrize("like, options", [("gru", []), ("indrnn", ["--norm", "after"])])
def test_a_model_is_a_row_of_the_table(tmp_path, monkeypatch, capsys, like, options):
    """Every task has settings for it; it trains and is reported on."""
    monkeypatch.setitem(MODELS, "new", MODELS[like])
    for task in TASKS:
        assert settings(task, "new").layers == settings(task, like).layers
    assert main(["train", "adding", "--length", "6", "--hidden", "4", "--updates", "3", "--batch", "2",
                 "--model", "new", *options, "--out", str(tmp_path / "run")]) == 0
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "adding, new: " in capsys.readouterr().out
