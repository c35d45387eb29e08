"""The bench measures what it says; never how long anything takes."""
import json

import numpy as np
import pytest

from minindrnn.bench import sections
from minindrnn.bench.sections import products, training
from minindrnn.bench.timing import interleaved
from minindrnn.cli.commands import main
from minindrnn.core import memory_pool

pytestmark = pytest.mark.tutorial9

SMALL = dict(ACTIVATIONS=(3, 2, 4), NARROW=(3, 2, 4), SIZES=[(5, 2, 3, "float32")], GROWTH=[(4, 2, 3, 1)],
             first_call=lambda: (2.0, 1.0),
             STEPS={"small": (4, 2, 5, 3, 2, {}), "normalised": (4, 2, 5, 3, 1, dict(norm="after", dropout=0.1))})


@pytest.fixture
def small(monkeypatch):
    shrink(monkeypatch)


def shrink(monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(sections, name, value)
    monkeypatch.setattr(sections, "interleaved", lambda functions, rounds=2, untimed=0: interleaved(functions, 2, 0))


def test_every_line_has_a_median_within_its_spread(small, capsys):
    assert main(["bench", "kernels", "steps", "growth", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["section"] for row in rows} == {"kernels", "steps", "growth"}
    rows = [row for row in rows if row["unit"] not in ("bits", "KiB")]
    assert len(rows) == 2 + 4 + 16 + 4 + 2 + 4 + 1
    assert all(0 < row["low"] <= row["median"] <= row["high"] for row in rows)
    assert main(["bench", "growth"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("growth: The cost of an update")
    assert "T, B, N = 4, 2, 3, 1 layers: step / T" in said[1]


def test_the_products_are_those_of_the_step(monkeypatch):
    """The same number of multiplications as the affine maps of the network do, forward and backward."""
    done = []
    matmul = np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, out=None: done.append(a.shape[0] * a.shape[1] * b.shape[1])
                        or matmul(a, b, out=out))
    products(4, 2, 5, 3, 2)()
    assert sum(done) == 3 * (4 * 2 * 5 * 3 + 4 * 2 * 3 * 3) and len(done) == 6


@pytest.mark.parametrize("options, arrays_of_a_step", [({}, 6 + 2), (dict(norm="after", dropout=0.1), 2 * 6 + 1)])
def test_the_memory_of_a_step_is_used_again_by_the_next(options, arrays_of_a_step, monkeypatch):
    """L arrays of T, B, N and two gradients; with batch normalisation 2 L - 1 and two, as nobody needs the last layer's
    y but for its last step. Beside these stands one of N, N in which products are added up. Nothing is added after the
    first step."""
    monkeypatch.setattr(memory_pool, "LARGE", 2000)
    memory_pool.release()
    T, B, N = 20, 4, 16
    step = training(T, B, 1, N, 6, options)
    step()
    sizes = sorted(piece.size for piece in memory_pool._pieces)
    for _ in range(20):
        step()
    assert sorted(piece.size for piece in memory_pool._pieces) == sizes
    assert sizes == [N * N * 8 + 64] + [T * B * N * 4 + 64] * arrays_of_a_step
    memory_pool.release()


def test_a_section_that_is_not_there(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "gpu"])
    assert caught.value.code == 2
    message = "expected some of the sections limits, kernels, steps, streaming, growth, peers, batches, got gpu"
    assert message in capsys.readouterr().err


def test_the_step_that_is_timed_learns():
    step = training(5, 4, 2, 8, 1, {})
    losses = [step()[0] for _ in range(60)]
    assert losses[-1] < losses[0]


SECONDS = {"two": 2.0, "three": 4.0, "product": 3.0, "two streams": 3.0, "three streams": 1.0, "forward": 4.0,
           "backward": 5.0, "ours": 6.0,
           "layer": 18.0, "obvious": 12.0, "one step": 4.0, "four": 2.0, "step": 0.5, "products": 0.125,
           "IndRNN, 1 layer": 0.25, "IndRNN, 2 layers": 0.5, "LSTM": 1.5}


@pytest.mark.parametrize("section, wanted", [
    ("limits", [(2 * 0.128 / 2, "GB/s"), (3 * 0.128 / 4, "GB/s"), (2 * 3.375 / 3, "GFLOP/s")]),
    ("kernels", [(75, "% of limit"), (20, "% of limit")] + 2 * [(3, "x"), (2, "x")]
     + 8 * [(4 / 24 * 1e9, "ns an element"), (5 / 24 * 1e9, "ns an element")]
     + 2 * [(2, "x"), (2, "x")] + [(2, "s"), (1, "s")]),
    ("steps", 2 * [(500, "ms"), (4, "x")]),
    ("growth", [(0.5e6 / 4, "us")]),
    ("batches", 3 * [(250, "ms"), (6, "x"), (500, "ms"), (3, "x"), (1500, "ms")]),
    ("streaming", 2 * [(0.5e6, "us")])])
def test_every_number_is_what_its_unit_says(section, wanted, small, monkeypatch):
    """From seconds that are given: bytes, multiplications and additions, elements of 3, 2, 4, steps of T = 4."""
    monkeypatch.setattr(sections, "interleaved",
                        lambda functions, **how: {name: np.array([SECONDS[name]]) for name in functions})
    monkeypatch.setattr(sections, "processor", lambda: [])
    if section == "limits":                                    # 400 MB that nothing touches here
        monkeypatch.setattr(np, "ones", lambda shape, dtype: np.broadcast_to(np.zeros((), dtype), shape))
    rows = list(sections.SECTIONS[section]())
    assert [row["unit"] for row in rows] == [unit for _, unit in wanted]
    assert [row["median"] for row in rows] == pytest.approx([number for number, _ in wanted], rel=1e-12)


@pytest.mark.parametrize("features, bits", [({"avx": True, "avx512f": True, "sse2": True}, 512), ({"neon": True}, 128),
                                            ({"avx512f": False, "avx": True, "sse2": True}, 256), ({}, 64)])
def test_the_processor_is_named(features, bits, monkeypatch, tmp_path):
    monkeypatch.setattr(sections.llvm, "get_host_cpu_name", lambda: "abacus")
    monkeypatch.setattr(sections.llvm, "get_host_cpu_features", lambda: features)
    for index, (level, kind, size) in enumerate([(1, "Data", 48), (1, "Instruction", 32), (3, "Unified", 16384)]):
        (tmp_path / f"index{index}").mkdir()
        for name, value in ("level", level), ("type", kind), ("size", f"{size}K"):
            (tmp_path / f"index{index}" / name).write_text(f"{value}\n")
    assert [(row["what"], row["median"], row["unit"]) for row in sections.processor(tmp_path)] == [
        ("abacus: widest vectors", bits, "bits"), ("abacus: cache, level 1", 48, "KiB"),
        ("abacus: cache, level 3", 16384, "KiB")]
    assert len(list(sections.processor(tmp_path / "none"))) == 1
