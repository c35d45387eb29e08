"""Threads of the library that computes matrix products (BLAS).

They wait for each other by turning in circles: alone on a machine they are fast, but where another program has one of the
cores, all of them wait for that one. So each rank takes one, and a single process says when it would be better off so.
"""
import os
from contextlib import nullcontext

from threadpoolctl import threadpool_info, threadpool_limits

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
CROWDED = 2.0            # an update takes so many times as long as with one thread: other programs have the cores


def count():
    """How many threads a matrix product takes."""
    return max((library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"), default=1)


def chosen_by_user():
    """Whether an environment variable says how many there are to be."""
    return any(name in os.environ for name in VARIABLES)


def one():
    """One thread from now on, and where this is a context, until its end; unless the user has set a number."""
    return nullcontext() if chosen_by_user() else threadpool_limits(1, user_api="blas")


def advice(update, alone):
    """A line for a process whose updates take so many seconds, and with one thread so many; None if all is well."""
    if update <= CROWDED * alone:
        return None
    return (f"updates take {1e3 * update:.0f} ms, and would take {1e3 * alone:.0f} ms with one thread for matrix products: "
            "other programs have the cores; set OPENBLAS_NUM_THREADS=1, or see mpiexec in the README")
