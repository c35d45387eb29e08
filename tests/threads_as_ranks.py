"""Ranks that are threads of one process: what is tested with them is all but MPI itself."""
import threading

import numpy as np

from minindrnn.core.ranks import Ranks


class Thread:
    """As `minindrnn.core.ranks.Alone`, for threads that meet at a barrier; what one has put there, all can take."""

    def __init__(self, rank, size, barrier, there):
        self.rank, self.size, self.barrier, self.there = rank, size, barrier, there

    def gather(self, array):
        return np.stack(self._all(array))

    def exchange(self, rows):
        return np.stack([of[self.rank] for of in self._all(rows)])

    def broadcast(self, array):
        return self._all(array)[0]

    def _all(self, array):
        array = np.array(array)
        self.there[self.rank] = array
        self.barrier.wait()
        every = list(self.there)
        self.barrier.wait()
        assert len({(each.shape, each.dtype) for each in every}) == 1, "ranks exchange different arrays"
        return [each.copy() for each in every]


def on_ranks(size, work):
    """[work(ranks) of each rank]. If one raises, the others end at their next exchange, and it is raised here."""
    barrier, there, results, errors = threading.Barrier(size, timeout=120), [None] * size, [None] * size, []

    def run(rank):
        try:
            results[rank] = work(Ranks(Thread(rank, size, barrier, there)))
        except threading.BrokenBarrierError as error:
            errors.append(error)
        except BaseException as error:
            errors.insert(0, error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
