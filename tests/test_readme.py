"""What the README says is so: its code runs (as a doctest of its own), its numbers and tables are those of the files."""
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_map_of_files_is_complete():
    rows = re.findall(r"^\| \[`([\w/.]+)`\]\(([\w/.]+)\) \| .+ \|$", README, re.M)
    assert all(name == target for name, target in rows)
    files = {path.relative_to(ROOT).as_posix() for folder in ("minindrnn", "gpu") for path in (ROOT / folder).rglob("*.py")}
    assert {name for name, _ in rows} == {name for name in files if not name.endswith("__init__.py")}


def test_there_are_two_commands_that_set_up_everything():
    commands = re.findall(r"^python3 -m venv \.venv && \.venv/bin/pip install .*$", README, re.M)
    assert [re.search(r"-m (minindrnn train digits|pytest)", command).group(1) for command in commands] == ["minindrnn train digits", "pytest"]
