import numpy as np

from minindrnn.tasks.mnist import PermutedMNIST
from minindrnn.tasks.registry import TASKS, settings
from minindrnn.tasks.settings import SPLIT

SEEN = {"T": 784, "M": 1, "K": 10}


def test_the_order_of_the_pixels_is_a_permutation_of_the_seed():
    task, x = PermutedMNIST(settings("pmnist", seed=4), SEEN), np.arange(2 * 784).reshape(2, 784, 1) % 256
    order = np.random.default_rng([4, SPLIT, 1]).permutation(784)
    assert np.array_equal(task.arrange(x), x[:, order])


def test_not_permuted_the_pixels_stay_in_their_order():
    x = np.arange(2 * 784).reshape(2, 784, 1) % 256
    assert TASKS["smnist"](settings("smnist"), SEEN).arrange(x) is x


def test_pixels_are_scaled_from_minus_1_to_1():
    task = PermutedMNIST(settings("pmnist"), SEEN)
    np.testing.assert_array_equal(task.scale(np.array([0, 128, 255], np.uint8)), np.float32([-1, 0, 127 / 128]))
