import hashlib

import numpy as np

from minindrnn.data.digits import load_digits


def test_digits_are_all_there_once():
    """The hash is that of images and labels together, as integers in the original order."""
    from importlib.resources import files
    with np.load(files("minindrnn.data") / "digits.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == (
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826")
    parts = load_digits().values()
    together = np.concatenate([x[:, :, 0].T for x, _ in parts])
    original = (images.reshape(1797, 64) / 8 - 1).astype(np.float32)
    assert sorted(map(bytes, together)) == sorted(map(bytes, original))


def test_every_class_has_its_share_of_each_part():
    for part, (_, labels) in load_digits().items():
        shares = np.bincount(labels, minlength=10) / len(labels) * 1797
        assert np.all(np.abs(shares - [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]) <= 1797 / len(labels)
                      + 1e-9), part


def test_rows_are_the_same_images_in_the_same_parts():
    images = load_digits(rows=True)
    for part, (x, labels) in load_digits().items():
        rows, same = images[part]
        np.testing.assert_array_equal(labels, same)
        np.testing.assert_array_equal(rows.transpose(1, 0, 2).reshape(len(labels), 64), x[:, :, 0].T)
        assert x.flags.c_contiguous and rows.flags.c_contiguous


def test_the_digits_are_always_divided_alike():
    """The labels of the three parts in their order, written down once; every other run would be another experiment."""
    parts = load_digits()
    found = {name: hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()[:12]
             for name, (_, labels) in parts.items()}
    assert {name: len(labels) for name, (_, labels) in parts.items()} == {"train": 1197, "validation": 300, "test": 300}
    assert found == {"train": "8daef539b211", "validation": "9734e6c90a81", "test": "2eb4464fa7d1"}
