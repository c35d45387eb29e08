"""The READMEs: code runs (as doctests of README.md), commands are understood, links lead somewhere."""
import re
import shlex
from pathlib import Path

import pytest

from minindrnn.cli.parser import parser

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "tutorials/results/README.md"]
every_readme = pytest.mark.parametrize("path", READMES, ids=["front", "results"])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def test_there_are_two_commands_that_set_up_everything():
    commands = re.findall(r"^python3 -m venv \.venv && \.venv/bin/pip install .*$", READMES[0].read_text(), re.M)
    assert [re.search(r"-m (minindrnn train digits|pytest)", command).group(1) for command in commands] == \
        ["minindrnn train digits", "pytest"]


def test_it_is_short():
    assert len(READMES[0].read_text().splitlines()) <= 200


def commands(text):
    """The words of every command of the package, in a block of shell or in a line of the text."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            yield from re.findall(r"python -m minindrnn (.+)", block)
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        words = " ".join(code.split()).removeprefix("python -m minindrnn ")
        if re.match(r"(train|figure|report|predict|gradients|bench|describe|gradcheck|exercise) ", words + " "):
            yield words


@every_readme
def test_every_command_is_understood(path):
    found = list(commands(path.read_text()))
    assert len(found) > 5
    for words in found:
        parser().parse_args(shlex.split(words, comments=True) + (["digits"] if words == "train" else []))


@every_readme
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists() and target.is_relative_to(ROOT), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            assert anchor in [re.sub(r"[^\w\s-]", "", head.lower()).replace(" ", "-") for head in heads], link
