"""What is read from a file of one's own is what stands in it."""
import pickle
from contextlib import nullcontext

import numpy as np
import pytest
from strategies import ragged_file

from minindrnn.data.download import DataError
from minindrnn.data.user_file import load_input, load_own, padded

pytestmark = pytest.mark.tutorial8

NAN = float("nan")


def save(folder, **arrays):
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def good(rng, n=30, T=5, M=2, K=3):
    return dict(X=rng.normal(size=(n, T, M)), y=np.arange(n) % K, lengths=rng.integers(1, T + 1, n))


@pytest.fixture
def numbered(tmp_path, rng):
    """(path, y, n) of a file of n sequences that hold their number at every step; four classes, large and small."""
    n = 200
    X, y = np.arange(n)[:, np.newaxis] + np.zeros((n, 3)), rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])
    return save(tmp_path, X=X, y=y), y, n


def test_the_parts_are_disjoint_and_complete(numbered):
    path, _, n = numbered
    numbers = {name: x[:, 0, 0].astype(int) for name, (x, _, _) in load_own(path, 0).items()}
    assert np.array_equal(np.sort(np.concatenate(list(numbers.values()))), np.arange(n))
    assert {name: len(found) for name, found in numbers.items()} == {"train": 160, "validation": 20, "test": 20}


def test_every_sequence_keeps_its_class(numbered):
    path, y, _ = numbered
    for x, labels, lengths in load_own(path, 0).values():
        assert x.shape[1:] == (3, 1) and x.dtype == np.float64
        assert labels.dtype == np.int64 and np.all(lengths == 3)
        assert np.array_equal(labels, y[x[:, 0, 0].astype(int)])


def test_every_class_has_its_share_of_each_part(numbered):
    path, y, n = numbered
    for name, (_, labels, _) in load_own(path, 0).items():
        assert np.all(np.abs(np.bincount(labels) - np.bincount(y) * len(labels) / n) <= 1 + 1e-9), name


def test_the_seed_decides_on_the_parts(numbered):
    first, again, other = (load_own(numbered[0], seed)["test"][0] for seed in (0, 0, 1))
    assert np.array_equal(again, first)
    assert not np.array_equal(other, first)


def test_every_class_is_trained_on_however_small(tmp_path, rng):
    for seed in range(20):
        y = np.sort(np.concatenate([np.arange(6), np.arange(6), rng.integers(0, 6, seed)]))
        parts = load_own(save(tmp_path, X=rng.normal(size=(len(y), 2)), y=y), seed)
        assert set(parts["train"][1]) == set(range(6)) and len(parts["test"][1]) and len(parts["validation"][1])


def test_the_parts_of_ones_own_are_those_of_the_seed(tmp_path):
    """Sorted by class at random, every tenth to the test, the fifth after it to the validation."""
    path = ragged_file(tmp_path / "mine.npz")
    whole = np.load(path)
    rng = np.random.default_rng(5)
    order = rng.permutation(60)
    order = np.concatenate([order[whole["y"][order] == k] for k in range(3)])
    parts = {"test": order[0::10], "validation": order[5::10]}
    parts["train"] = np.array([i for i in order if i not in parts["test"] and i not in parts["validation"]])
    for name, (x, labels, _) in load_own(path, 5).items():
        assert sorted(x[:, 0, 0]) == sorted(whole["X"][parts[name], 0, 0])
        assert np.bincount(labels).tolist() == [len(parts[name]) // 3] * 3


def test_all_forms_of_the_same_sequences_are_read_alike(tmp_path, rng):
    a = good(rng, M=1)
    X, lengths = a["X"], a["lengths"]
    X[np.arange(5) >= lengths[:, np.newaxis]] = NAN
    steps = np.concatenate([x[:length] for x, length in zip(X, lengths)])
    forms = [load_own(save(tmp_path, **a | {"X": form, "y": y, "lengths": size}), 0)["train"] for form, y, size in (
        (X, a["y"], lengths), (X[:, :, 0], a["y"].astype(np.uint64), lengths.astype(np.uint64)),
        (steps, a["y"].astype(np.int8), lengths.astype(np.int16)), (steps[:, 0], a["y"], lengths))]
    for x, labels, got in forms:
        assert np.array_equal(labels, forms[0][1]) and np.array_equal(got, forms[0][2]) and got.dtype == np.int64
        valid = np.arange(x.shape[1]) < got[:, np.newaxis]
        assert np.array_equal(x[valid], forms[0][0][valid])


def test_neither_padding_nor_the_order_of_the_file_makes_a_difference(tmp_path, rng):
    a = good(rng, n=200)
    longer = np.concatenate([a["X"], np.full((200, 9, 2), NAN)], axis=1)
    parts, same = (load_own(save(tmp_path, **a | {"X": X}), 0) for X in (a["X"], longer))
    assert all(np.array_equal(one, two) for name in parts for one, two in zip(parts[name], same[name]))
    assert parts["train"][0].shape == (160, a["lengths"].max(), 2)
    labels = load_own(save(tmp_path, **a | {"y": np.sort(a["y"])}), 0)["train"][1]
    assert all(len(set(labels[i:i + 20])) == 3 for i in range(0, 160, 20))      # sorted by class in the file, not here


def test_padded_puts_zeros_after_each_end(rng):
    X = rng.normal(size=(6, 2))
    x = padded(X, np.array([2, 1, 3]))
    assert x.shape == (3, 3, 2) and np.array_equal(x[0], [*X[:2], [0, 0]]) and np.array_equal(x[2], X[3:])
    assert np.array_equal(x[1, 1:], np.zeros((2, 2)))


def at(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize("change, message", [
    (lambda a: {"X": a["X"]}, "expected arrays X and y, got X$"),
    (lambda a: {}, "expected arrays X and y, got none$"),
    (lambda a: a | {"y": a["y"] / 2}, r"y: expected whole numbers \(n,\), got float64 of shape \(30,\)$"),
    (lambda a: a | {"y": a["y"][:, np.newaxis]}, r"y: expected whole numbers \(n,\), got int64 of shape \(30, 1\)$"),
    (lambda a: a | {"y": a["y"][:0]}, r"y: expected whole numbers \(n,\), got int64 of shape \(0,\)$"),
    (lambda a: a | {"X": a["X"].astype(str)}, "X: expected numbers, got <U"),
    (lambda a: a | {"X": a["X"] + 0j}, "X: expected numbers, got complex128$"),
    (lambda a: a | {"X": a["X"][:-1]},
     r"X: expected \(30, T, M\) or \(30, T\), or \(\d+, M\): all steps, as many as the lengths "
                                       r"add up to, got \(29, 5, 2\)$"),
    (lambda a: {"X": a["X"][0], "y": a["y"]}, r"X: expected \(30, T, M\) or \(30, T\), got \(5, 2\)$"),
    (lambda a: {"X": a["X"][:, :, :0], "y": a["y"]}, r"X: expected .*, got \(30, 5, 0\)$"),
    (lambda a: {"X": np.ones((30, 2, 2, 2)), "y": a["y"]}, r"X: expected .*, got \(30, 2, 2, 2\)$"),
    (lambda a: {"X": np.float64(3), "y": a["y"]}, r"X: expected .*, got \(\)$"),
    (lambda a: a | {"X": np.ones((a["lengths"].sum() + 1, 2))},
     r"all steps, as many as the lengths add up to, got \(\d+, 2\)$"),
    (lambda a: a | {"X": np.float64(3)}, r"X: expected .*, got \(\)$"),
    (lambda a: a | {"lengths": a["lengths"] / 1},
     r"lengths: expected 30 whole numbers of at least 1, got float64 of shape \(30,\)$"),
    (lambda a: a | {"lengths": a["lengths"][:-1]},
     r"lengths: expected 30 whole numbers of at least 1, got int64 of shape \(29,\)"),
    (lambda a: a | {"lengths": at(a["lengths"], 3, 0)}, r"lengths: expected .*, the smallest 0$"),
    (lambda a: a | {"lengths": at(a["lengths"], 3, 6)}, "lengths: expected 1 to T = 5, got 6 for sequence 3$"),
    (lambda a: a | {"lengths": at(a["lengths"].astype(np.uint64), 3, 2**64 - 1)},
     "lengths: expected at most the steps of X, .* got 18446744073709551615$"),
    (lambda a: {"X": at(a["X"], (7, 4, 1), NAN), "y": a["y"]},
     "X: expected finite numbers, got nan in sequence 7, step 4, channel 1$"),
    (lambda a: a | {"X": at(a["X"], (9, 0, 0), -np.inf)},
     "X: expected finite numbers, got -inf in sequence 9, step 0, channel 0$"),
    (lambda a: a | {"y": a["y"] + 1},
     "y: expected classes 0 to K - 1, at least two of them, got 3 different, from 1 to 3$"),
    (lambda a: a | {"y": a["y"] - 1},
     "y: expected classes 0 to K - 1, at least two of them, got 3 different, from -1 to 1$"),
    (lambda a: a | {"y": a["y"] * 2}, "y: expected classes .*, got 3 different, from 0 to 4$"),
    (lambda a: a | {"y": at(a["y"], 0, 2**62)}, f"y: expected classes .*, got 4 different, from 0 to {2**62}$"),
    (lambda a: a | {"y": at(a["y"].astype(np.uint64), 0, 2**63 + 5)},
     f"y: expected classes .*, got 4 different, from 0 to {2**63 + 5}$"),
    (lambda a: a | {"y": 0 * a["y"]}, "y: expected classes .* at least two of them, got 1 different, from 0 to 0$"),
    (lambda a: a | {"y": at(a["y"], 4, 3)}, "y: expected each class at least twice, got class 3 once$"),
    (lambda a: {name: array[:9] for name, array in a.items()}, "expected at least 10 sequences, got 9$"),
])
def test_wrong_files_of_ones_own(change, message, tmp_path, rng):
    path = save(tmp_path, **change(good(rng)))
    with pytest.raises(DataError, match=message) as caught:
        load_own(path, 0)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="mine.npz: no such file$"):
        load_own(tmp_path / "mine.npz", 0)
    with pytest.raises(DataError, match="cannot be read: Is a directory$"):
        load_own(tmp_path, 0)


@pytest.mark.parametrize("contents", [lambda whole: b"", lambda whole: b"text", lambda whole: pickle.dumps([1]),
                                      lambda whole: whole[:-30]], ids=["empty", "text", "pickle", "truncated"])
def test_what_is_no_whole_file_is_refused(contents, tmp_path, rng):
    path = save(tmp_path, **good(rng))
    path.write_bytes(contents(path.read_bytes()))
    with pytest.raises(DataError, match="mine.npz: not a whole .npz file of plain arrays$"):
        load_own(path, 0)


@pytest.mark.parametrize("name", ["X", "y"])
def test_python_objects_are_refused(name, tmp_path, rng):
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(2), np.ones(3)]
    path = save(tmp_path, **good(rng) | {name: ragged})
    message = f"mine.npz: {name}: expected plain numbers, got Python objects .ragged sequences: all"
    with pytest.raises(DataError, match=message):
        load_own(path, 0)


def test_one_array_alone_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    with open(path, "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(DataError, match="mine.npz: expected arrays X and y, got X$"):
        load_own(path, 0)


@pytest.mark.parametrize("arrays, message", [
    (dict(x=np.ones((4, 5, 2))), "expected an array X, got x$"), (dict(), "expected an array X, got none$"),
    (dict(X=np.ones((4, 5))), r"X: expected 2 numbers a step, got 1; X has shape \(4, 5\)$"),
    (dict(X=np.ones((4, 5, 3))), r"X: expected 2 numbers a step, got 3; X has shape \(4, 5, 3\)$"),
    (dict(X=np.ones(5)), r"X: expected \(n, T, M\) or \(n, T\), got \(5,\)$"),
    (dict(X=np.ones((4, 5, 2)), lengths=np.ones(0, int)),
     "lengths: expected some whole numbers of at least 1, got int64"),
    (dict(X=np.ones((4, 5, 2)), lengths=np.ones(3, int)), r"X: expected \(3, T, M\) .*, got \(4, 5, 2\)$"),
    (dict(X=np.ones((4, 5, 2)), y=np.ones(3)),
     r"y: expected 4 numbers as X has sequences, got float64 of shape \(3,\)$"),
    (dict(X=np.full((4, 5, 2), NAN)), "X: expected finite numbers, got nan in sequence 0, step 0, channel 0$"),
])
def test_wrong_files_to_predict_from(arrays, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load_input(save(tmp_path, **arrays), 2)


def changed(data, *changes):
    """The bytes with those at offsets from the headers of the first file of an archive, and of its directory, set."""
    data = bytearray(data)
    for signature, offset, value in changes:
        data[data.index(signature) + offset] = value
    return bytes(data)


@pytest.mark.parametrize("damage, message", [
    (lambda data: changed(data, (b"PK\3\4", 6, 1), (b"PK\1\2", 8, 1)),
     "X: cannot be read: File 'X.npy' is encrypted, password required"),
    (lambda data: changed(data, (b"PK\3\4", 8, 97), (b"PK\1\2", 10, 97)),
     "X: cannot be read: That compression method is not supported"),
    (lambda data: changed(data, (np.float64(0.625).tobytes(), 6, 0)), "X: cannot be read: Bad CRC-32 for file 'X.npy'"),
    (lambda data: data.replace(b"(100, 5, 2), }      ", b"(99999999999999,), }"),
     "X: does not fit into memory: Unable to"),
    (lambda data: data.replace(b"(100, 5, 2), }", b"(100, 5, 2), ("), "X: cannot be read: "),
])
@pytest.mark.parametrize("read", [lambda path: load_own(path, 0), lambda path: load_input(path, 2)],
                         ids=["train", "predict"])
def test_the_true_cause_and_the_arrays_name(read, damage, message, tmp_path):
    path = save(tmp_path, X=np.full((100, 5, 2), 0.625), y=np.arange(100) % 3)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)


@pytest.mark.parametrize("extra", [["length"], ["groups", "names"], ["x"], ["Lengths"]])
def test_an_array_that_nobody_reads_is_refused(extra, tmp_path, rng):
    """Also where it could not even be read."""
    path = save(tmp_path, **good(rng) | dict.fromkeys(extra, np.array([None, {}])))
    for read in (lambda: load_own(path, 0), lambda: load_input(path, 2)):
        with pytest.raises(DataError, match=f"mine.npz: not read: {', '.join(extra)}; known are X, y, lengths$"):
            read()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_too_large_a_number_is_refused_in_whichever_part_it_falls(dtype, tmp_path):
    labels = np.arange(40) % 2
    for place in (0, 7, 39):
        for number, allowed in ((9e29, True), (-9e29, True), (1.1e30, False), (-2e30, False)):
            X = np.ones((40, 3, 2), dtype)
            X[place, 2, 1] = number
            path = save(tmp_path, X=X, y=labels)
            message = f"X: expected numbers of at most 1e30, got .* in sequence {place}, step 2, channel 1$"
            for read in (lambda: load_own(path, 0), lambda: load_input(path, 2)):
                with nullcontext() if allowed else pytest.raises(DataError, match=message):
                    read()
    load_own(save(tmp_path, X=X, y=labels, lengths=np.full(40, 2)), 0)                 # in the padding nobody looks
