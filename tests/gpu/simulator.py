"""Makes the CUDA simulator quick and reliable; import it in the simulator's process only.

Each thread of a block is a thread of Python there; all of them run at once, and one more asks them without end whether
they have come to a barrier. Here they take turns: each runs alone until it ends or comes to a barrier. So a block does
the same every time, and where a barrier is missing a thread never sees what those after it do before. Where there is
no barrier at all, a single thread of Python is all of them in turn.
"""
import importlib
import threading

import numpy as np
from numba.cuda.simulator import kernel
from numba.cuda.simulator.kernelapi import Dim3

SMALL = {"linear": dict(SIDE=2, PER=2, TILE1=5, ROWS=6), "reduce": dict(WIDTH=4, LANES=2, ROWS=6),
         "batchnorm": dict(WIDTH=4, LANES=2, ROWS=6),
         "device": dict(STEPS=2, threads_of_a_block=lambda threads: min(threads, 4)),
         "recurrence": dict(threads_of_a_block=lambda threads: min(threads, 4)), "twin": dict(AHEAD=2)}


class Thread(kernel.BlockThread):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.turn, self.back, self.over = threading.Lock(), threading.Lock(), False
        self.turn.acquire()
        self.back.acquire()

    def run(self):
        super().run()
        self.over = True
        self.back.release()

    def syncthreads(self):
        self.back.release()
        self.turn.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block has failed")

    def takes_its_turn(self):
        """True if it has come to a barrier, False if it has ended."""
        if self.ident is None:
            self.start()
        else:
            self.turn.release()
        self.back.acquire()
        if self.exception:
            error, trace = self.exception
            raise error.with_traceback(trace)
        return not self.over


def run(block, place, *arguments):
    """All threads of a block, from barrier to barrier; one that has ended is not missed there, as in the simulator."""
    if "syncthreads" not in block._f.__code__.co_names:
        me = threading.current_thread()
        for own in np.ndindex(*block._block_dim):
            me.blockIdx, me.threadIdx = Dim3(*place), Dim3(*own)
            block._f(*arguments)
        return
    threads = [Thread(lambda: block._f(*arguments), block, place, own, block._debug)
               for own in np.ndindex(*block._block_dim)]
    try:
        while threads:
            threads = [thread for thread in threads if thread.takes_its_turn()]
    finally:
        for thread in threads:
            thread.abort = True
            if thread.turn.locked():
                thread.turn.release()


def make_small(package, put=setattr):
    """Blocks, tiles and chunks so small that a few rows and columns make several of each. put: as setattr."""
    for module, constants in SMALL.items():
        for name, value in constants.items():
            put(importlib.import_module(f"{package}.{module}"), name, value)


kernel.BlockManager.run = run
