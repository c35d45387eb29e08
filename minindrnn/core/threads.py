"""Threads of the library that computes matrix products (BLAS).

They wait for each other in busy loops: alone on a machine they are fast, but if another program occupies a core, all
of them wait for the thread on it. So each rank uses one thread, and a single process reports when one would be faster.
"""
import os
import statistics
import time
from contextlib import contextmanager, nullcontext

from threadpoolctl import threadpool_info, threadpool_limits

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
SECONDS, CROWDED = 5.0, 2.0


def count():
    """How many threads a matrix product takes."""
    return max((library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"), default=1)


def chosen_by_user():
    """Whether an environment variable says how many there are to be."""
    return any(name in os.environ for name in VARIABLES)


def one():
    """One thread from now on, and where this is a context, until its end; unless the user has set a number."""
    return nullcontext() if chosen_by_user() else threadpool_limits(1, user_api="blas")


class Watch:
    """Says once if the updates of a single process would be faster with one thread.

    An evaluation asks, if the updates since the last one took SECONDS or more together: is their median more than
    CROWDED times as long as one pass with a thread?
    """

    def __init__(self, active):
        self.seconds, self.active = [], active and count() > 1

    @contextmanager
    def update(self):
        """What is done within is an update."""
        began = time.monotonic()
        yield
        self.seconds.append(time.monotonic() - began)

    def advice(self, work):
        """A line, or None. work() is a forward and a backward pass that changes nothing."""
        seen, self.seconds = self.seconds, []
        if not self.active or sum(seen) < SECONDS:
            return None
        with threadpool_limits(1, user_api="blas"):
            began = time.monotonic()
            work()
            alone = time.monotonic() - began
        update = statistics.median(seen)
        if update <= CROWDED * alone:
            return None
        self.active = False
        return (f"updates take {1e3 * update:.0f} ms, a pass with one thread for matrix products {1e3 * alone:.0f} ms: "
                "other programs have the cores; set OPENBLAS_NUM_THREADS=1, or start several ranks (README: mpiexec)")
