"""Who was started by mpiexec, and what is said where that is of no use; how long a rank waits."""
import itertools
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from minindrnn.cli.commands import main
from minindrnn.core import mpi
from minindrnn.core.ranks import ALONE

BY = {"MPICH": ("PMI_RANK", "PMI_SIZE"), "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")}


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in itertools.chain(*BY.values()):
        monkeypatch.delenv(name, raising=False)


def by_mpiexec(monkeypatch, library, rank, size):
    for name, value in zip(BY[library], (rank, size)):
        monkeypatch.setenv(name, str(value))


def test_a_process_that_mpiexec_has_not_started_is_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)                                # importing it fails
    assert mpi.started() == (0, 1) and mpi.world() is ALONE
    by_mpiexec(monkeypatch, "MPICH", 0, 1)
    assert mpi.world() is ALONE


@pytest.mark.parametrize("library", BY)
def test_without_mpi4py_one_line_says_what_to_install(library, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for rank in range(2):
        by_mpiexec(monkeypatch, library, rank, 2)
        assert mpi.started() == (rank, 2)
        with pytest.raises(SystemExit) as end:
            main(["train", "digits"])
        if rank:
            assert end.value.code == 2
        else:
            assert end.value.code.startswith("python -m minindrnn: mpiexec has started 2 ranks, which need mpi4py: "
                                             "pip install 'minindrnn[mpi]'") and "\n" not in end.value.code
    assert capsys.readouterr() == ("", "")


def test_an_mpiexec_of_another_library_is_noticed(monkeypatch):
    """Each rank would be alone, and all would write into the same folder."""
    found = ModuleType("mpi4py")
    found.rc = SimpleNamespace()
    found.MPI = SimpleNamespace(COMM_WORLD=SimpleNamespace(size=1), Get_library_version=lambda: "Open MPI v5.0, x")
    monkeypatch.setitem(sys.modules, "mpi4py", found)
    by_mpiexec(monkeypatch, "MPICH", 1, 4)
    with pytest.raises(mpi.NoMPI, match="started 4 ranks, but mpi4py sees 1: .* than that of mpiexec, Open MPI v5.0$"):
        mpi.world()


class Request:
    """One that is done at so many seconds of a clock that moves when a rank sleeps, and a little when it asks."""

    def __init__(self, done, monkeypatch):
        self.now, self.done, self.slept = 0.0, done, []
        monkeypatch.setattr(mpi.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(mpi.time, "sleep", self.sleep)
        monkeypatch.setattr(mpi, "leave_the_core", lambda: self.pass_time(1e-5))

    def pass_time(self, seconds):
        self.now += seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.pass_time(seconds)

    def Test(self):
        self.pass_time(1e-6)
        return self.now >= self.done


@pytest.mark.parametrize("done", [0.0, 5e-4, 0.02, 2.0])
def test_a_rank_that_waits_long_sleeps_for_a_twentieth_of_it_at_most(done, monkeypatch):
    request = Request(done, monkeypatch)
    assert mpi.wait(request)
    assert request.now <= 1.06 * done + 2e-5 and bool(request.slept) == (done > 1e-3)
    assert all(0 < seconds <= 5e-3 for seconds in request.slept)


def test_nobody_is_waited_for_for_ever(monkeypatch):
    assert not mpi.wait(Request(np.inf, monkeypatch), 3.0)
    assert mpi.wait(Request(2.9, monkeypatch), 3.0)
