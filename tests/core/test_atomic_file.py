import os

import pytest

from minindrnn.core.atomic_file import replacing


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_text("old")
    return tmp_path / "file"


def write(path, text):
    with replacing(path, "w") as file:
        file.write(text)


def test_it_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    """What is synchronised and then renamed is the whole file; until then the path holds the old one."""
    done, fsync, replace = [], os.fsync, os.replace

    def synchronised(number):
        fsync(number)
        done.append(("fsync", os.fstat(number).st_size))

    def renamed(temporary, target):
        assert target == path
        assert path.read_text() == "old"
        done.append(("replace", os.stat(temporary).st_size))
        replace(temporary, target)
    monkeypatch.setattr(os, "fsync", synchronised)
    monkeypatch.setattr(os, "replace", renamed)
    write(path, "text")
    assert done == [("fsync", 4), ("replace", 4)]
    assert path.read_text() == "text"


def test_what_fails_on_the_way_leaves_the_old_file_and_no_rubbish(path):
    with pytest.raises(KeyboardInterrupt), replacing(path, "w") as file:
        file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_renaming_leaves_no_rubbish_and_names_the_file(path, monkeypatch):
    def failing(temporary, path):
        raise OSError(5, "Input/output error", str(temporary))
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError) as caught:
        write(path, "text")
    assert caught.value.filename == str(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(OSError) as caught:
        write(tmp_path / "nowhere/file", "text")
    assert caught.value.filename == str(tmp_path / "nowhere/file")
