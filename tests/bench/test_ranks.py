"""What is measured of ranks, with ranks that are threads and networks that are small; and the cost model. Never how long
anything takes."""
import threading

import numpy as np
import pytest
from threads_as_ranks import on_ranks

from minindrnn import StackedIndRNN
from minindrnn.bench import ranks as bench
from minindrnn.bench.timing import interleaved
from minindrnn.cli.commands import main


def test_alone_it_says_how_it_is_started(capsys):
    with pytest.raises(SystemExit) as end:
        main(["bench", "ranks"])
    assert end.value.code == 2
    assert capsys.readouterr().err == ("python -m minindrnn bench: ranks: expected several; start it as: mpiexec -n 2 "
                                       "python -m minindrnn bench ranks\n")


def test_every_update_is_measured_quiet_and_some_beside_others(monkeypatch):
    here, stepped = threading.local(), []

    def network(rng):
        return StackedIndRNN(1, 4, 2, 10, rng, length=5, norm="after")

    def stepping(*given, **how):
        stepped.append((how["ranks"].size, given[3].shape))
    monkeypatch.setattr(bench, "UPDATES", {"small": (5, network), "other": (5, network)})
    monkeypatch.setattr(bench, "BUSY", ["small"])
    monkeypatch.setattr(bench, "world", lambda: here.ranks)
    monkeypatch.setattr(bench, "train_step", stepping)
    monkeypatch.setattr(bench, "interleaved", lambda functions, rounds=0, untimed=0, clock=None:
                        interleaved(functions, 3, 0, clock))

    def work(ranks):
        here.ranks = ranks
        return list(bench.ranks())
    first, other = on_ranks(2, work)
    named = [row["what"] for row in first]
    assert [row["what"] for row in other] == named and len(set(named)) == len(named) == 3 * 3 + 2 + 2
    assert named[:3] == ["small: one process, 2 threads", "small: 2 ranks", "small: one process over 2 ranks"]
    assert named[-2:] == ["sum over 2 ranks of one number", "sum over 2 ranks of the gradients of 6 layers of 128"]
    assert sum("beside 2 busy programs" in name for name in named) == 3
    assert set(stepped) == {(1, (5, 32, 1)), (2, (5, 16, 1))}
    assert stepped.count((2, (5, 16, 1))) == 2 * stepped.count((1, (5, 32, 1)))
    one, many, ratio = first[:3]
    assert all(0 < row["low"] <= row["median"] <= row["high"] for row in first)


def test_the_model_is_that_of_its_docstring():
    given = dict(seconds=0.1, exchanges=5, small=1000, gradients=8e6, latency=1e-3, bandwidth=1e9)
    assert bench.model(1, **given) == 0.1
    assert bench.model(8, **given) == pytest.approx(0.1 + 5 * 2 * 3 * 1e-3 + (7 * 1000 + 2 * 7 / 8 * 8e6) / 1e9)
    network = StackedIndRNN(1, 128, 6, 10, np.random.default_rng(0), length=784, norm="after")
    assert bench.BYTES == sum(parameter.value.nbytes for layer in network.parameters for parameter in layer.values())
