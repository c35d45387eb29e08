"""Makes the CUDA simulator quick and reliable; import it in the simulator's process only.

Each thread of a block is a thread of Python there, and one more polls them at every barrier: they take turns more often
than every 5 ms. Two threads that ask for a shared array at the same time may get one each: now the second waits for the
first. Each thread looks through the globals of a function, to which Python's first warning about it adds a name: now it
is there before.
"""
import importlib
import sys
import threading

from numba.cuda.simulator import kernel, kernelapi

SMALL = {"linear": dict(SIDE=2, PER=2, TILE1=5, ROWS=6), "sums": dict(WIDTH=4, LANES=2, ROWS=6),
         "batchnorm": dict(WIDTH=4, LANES=2, ROWS=6), "device": dict(STEPS=2, threads_of_a_block=lambda threads: min(threads, 4)),
         "recurrence": dict(threads_of_a_block=lambda threads: min(threads, 4))}


class Allocations(dict):
    """The simulator looks an array up and, if it is not there, puts it there."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def get(self, key):
        self.lock.acquire()
        found = super().get(key)
        if found is not None:
            self.lock.release()
        return found

    def __setitem__(self, key, array):
        super().__setitem__(key, array)
        self.lock.release()


def make_reliable():
    sys.setswitchinterval(1e-5)
    started = kernelapi.FakeCUDAShared.__init__

    def start(shared, *arguments):
        started(shared, *arguments)
        shared._allocations = Allocations()
    kernelapi.FakeCUDAShared.__init__ = start
    swapped = kernel.swapped_cuda_module

    def swap(function, module):
        function.__globals__.setdefault("__warningregistry__", {})
        return swapped(function, module)
    kernel.swapped_cuda_module = swap


def make_small(package, put=setattr):
    """Blocks, tiles and chunks so small that a few rows and columns make several of each. put: as setattr."""
    for module, constants in SMALL.items():
        for name, value in constants.items():
            put(importlib.import_module(f"{package}.{module}"), name, value)


make_reliable()
