"""Memory that is used again is never memory that somebody still looks at."""
import gc
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minindrnn.core import memory_pool
from minindrnn.core.memory_pool import empty, empty_like

pytestmark = pytest.mark.tutorial9

MANY = (memory_pool.LARGE // 4 + 3,)


@pytest.fixture(autouse=True)
def nothing_held():
    gc.collect()
    memory_pool.release()


def test_memory_is_used_again_only_when_nobody_looks():
    first = empty(MANY, np.float32)
    address = first.ctypes.data
    view = first.reshape(-1, 1)[5:]
    del first
    other = empty(MANY, np.float32)
    assert not np.shares_memory(other, view) and other.ctypes.data != address
    del view
    assert empty(MANY, np.float32).ctypes.data == address


def test_shapes_dtypes_and_alignment():
    for shape, dtype in ((MANY, np.float32), ((3, 7), np.float64), ((2, 500, 1025), np.float64)):
        array = empty(shape, dtype)
        assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable
        assert array.nbytes < memory_pool.LARGE or array.ctypes.data % 64 == 0
        assert empty_like(array).shape == shape


def test_a_piece_serves_what_is_at_least_half_its_size():
    big = empty((4 * memory_pool.LARGE,), np.uint8)
    address = big.ctypes.data
    del big
    assert empty((2 * memory_pool.LARGE + 1000,), np.uint8).ctypes.data == address
    assert empty((memory_pool.LARGE,), np.uint8).ctypes.data != address


def test_what_is_kept_is_at_most_twice_what_was_in_use():
    def held():
        return sum(piece.size for piece in memory_pool._pieces)
    before = memory_pool._peak
    memory_pool._peak = 0
    for k in range(40):                                # ever growing sizes: no piece fits the next one
        empty((memory_pool.LARGE << (k % 5),), np.uint8)
        assert held() <= 2 * memory_pool._peak
    memory_pool._peak = before
    memory_pool.release()
    assert held() == 0


def test_threads_do_not_get_the_same_piece():
    def work(k):
        for _ in range(200):
            array = empty(MANY, np.float32)
            array[::1000] = k
            time.sleep(0)                               # the others' turn
            if not (array[::1000] == k).all():
                return False
        return True
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)
