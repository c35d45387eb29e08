import numpy as np
import pytest

from minindrnn.data.download import DataError
from minindrnn.data.text import load_text


def test_a_text_is_divided_ninety_to_five_to_five(tmp_path):
    whole = "".join(np.random.default_rng(0).choice(list("abe"), 1000))
    (tmp_path / "text.txt").write_text(whole)
    parts, symbols = load_text(tmp_path / "text.txt")
    read = {name: "".join(symbols[token] for token in part) for name, part in parts.items()}
    assert read == {"train": whole[:900], "validation": whole[900:950], "test": whole[950:]} and symbols == "abe"


@pytest.mark.parametrize("encoding, end, said", [
    ("utf-8", "\n", None), ("utf-8-sig", "\n", "without its byte order mark"),
    ("utf-8", "\r\n", "with every \\r\\n and \\r as \\n"),
    ("utf-8", "\r", "with every \\r\\n and \\r as \\n"),
    ("utf-8-sig", "\r\n", "without its byte order mark and with every \\r\\n and \\r as \\n")])
def test_text_in_any_language_however_it_was_saved(tmp_path, capsys, encoding, end, said):
    path = tmp_path / "t.txt"
    path.write_bytes(("зима{0}雪{0}".format(end) * 10).encode(encoding))
    parts, symbols = load_text(path)
    assert "".join(symbols[token] for part in parts.values() for token in part) == "зима\n雪\n" * 10
    assert capsys.readouterr().err == (f"{path}: read {said}\n" if said else "")


def test_a_byte_order_mark_inside_a_text_goes_too(tmp_path, capsys):
    """As in a file that was put together of several."""
    (tmp_path / "t.txt").write_bytes(b"".join([b"\xef\xbb\xbfone\n"] * 20))
    parts, symbols = load_text(tmp_path / "t.txt")
    assert symbols == "\neno" and sum(map(len, parts.values())) == 80
    assert capsys.readouterr().err == f"{tmp_path / 't.txt'}: read without its byte order mark\n"


def test_the_symbols_of_shakespeare_are_what_they_were():
    _, symbols = load_text()
    assert symbols == "\n !\"&'()*,-./0123456789:;?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz{}"


def test_penn_treebank_comes_in_three_files(tmp_path):
    for ending, text in (("train", " n o _ i t\n w a s _ n ' t\n"), ("valid", " < u n k >\n"),
                         ("test", " b l a c k\n")):
        with pytest.raises(DataError, match=f"ptb.char.{ending}.txt: cannot be read: No such file"):
            load_text(tmp_path)
        (tmp_path / f"ptb.char.{ending}.txt").write_text(text)
    parts, symbols = load_text(tmp_path)
    read = {name: "".join(symbols[token] for token in part) for name, part in parts.items()}
    assert read == {"train": "no it\nwas n't\n", "validation": "<unk>\n", "test": "black\n"}


@pytest.mark.parametrize("contents, message", [
    (b"", "expected text of at least two different symbols, got 0"), (b"aaaa", "at least two different symbols, got 1"),
    (b"ab\xff", "expected text in UTF-8, got byte 0xff at 2")])
def test_what_is_no_text(tmp_path, contents, message):
    (tmp_path / "t.txt").write_bytes(contents)
    with pytest.raises(DataError, match=message):
        load_text(tmp_path / "t.txt")
