"""Threads of the library that computes matrix products (BLAS).

They wait for each other in busy loops. On a free machine this is fast; if another program occupies a core, all of them
wait for the thread on that core. So each rank uses one thread, and a single process says when it should do so too.
"""
import os
import statistics
import time
from contextlib import contextmanager, nullcontext

from threadpoolctl import threadpool_info, threadpool_limits

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
SECONDS, CROWDED = 5.0, 2.0


def count():
    """The number of threads of a matrix product."""
    return max((library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"), default=1)


def chosen_by_user():
    """Whether an environment variable sets the number of threads."""
    return any(name in os.environ for name in VARIABLES)


def one():
    """Use one thread from now on, or within this context, unless the user has set a number."""
    return nullcontext() if chosen_by_user() else threadpool_limits(1, user_api="blas")


class Watch:
    """Says once if the updates of a single process would be faster with one thread.

    It is asked at every evaluation. If the updates since the last one took at least SECONDS, it compares their median
    with one pass on a single thread: more than CROWDED times as long is too slow.
    """

    def __init__(self, active):
        self.seconds, self.active = [], active and count() > 1

    @contextmanager
    def update(self):
        """Time the work within this context as one update."""
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
