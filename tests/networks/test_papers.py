"""The papers' named networks, in tables typed by hand: their exact numbers of parameters, none of which is allocated;
what they are made of, layer by layer; where their weights start. Sources: arXiv 1803.04831, section 5;
arXiv 1910.06251, section 5; the authors' code and logs. Nothing here is read from the package but what is compared."""
import numpy as np
import pytest
from reference import Notes, gauss, he, same, u, within

from minindrnn import BatchNorm, Dropout, IndRNN, LanguageModel, Unit
from minindrnn.cli.commands import main
from minindrnn.core.layer import count, leaves
from minindrnn.networks.papers import ARCHITECTURES, build

PUBLISHED = {"mnist-plain-6": 86_410, "mnist-plain-12": 187_786, "mnist-res": 170_890, "mnist-dense": 256_514,
             "ntu-plain-6": 1_430_588, "ntu-plain-4": 902_204, "ntu-res": 2_751_548, "ntu-dense": 2_314_428,
             "ntu-dense-aug": 5_640_108, "ptb-word-res": 48_501_600, "ptb-word-dense": 51_655_712,
             "ptb-char-dense": 45_675_762}

# Without a log, by hand. A layer of 2000 has 2000 (M + 1) in its affine map and 3 * 2000 in its unit.
LAYER = 2000 * 2001 + 3 * 2000
PUBLISHED |= {"ptb-char-plain-6": 50 * 2000 + 6 * LAYER + 50 * 2001,
              "ptb-char-res-11": 50 * 2000 + 11 * LAYER + 50 * 2001,
              "ptb-char-res-21": 50 * 2000 + 21 * LAYER + 50 * 2001,
              "ptb-word-plain-6": 10_000 * 601 + 2000 * 601 + 3 * 2000 + 5 * LAYER + 600 * 2001 + 3 * 600 + 2 * 600}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameter_counts_are_those_of_the_published_logs(name, capsys):
    assert count(build(name).parameters) == PUBLISHED[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_without_a_generator_no_weight_takes_memory(name):
    tree = build(name).parameters
    assert all(p.value.strides == (0,) * p.value.ndim for _, p in leaves(tree) if p.role in ("weight", "recurrent"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_describe_adds_up_to_the_published_count(name, capsys):
    assert main(["describe", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == name and lines[-1].split() == ["all", f"{PUBLISHED[name]:,}"]
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines[1:-1]) == PUBLISHED[name]


def test_the_papers_networks_start_as_the_authors_let_them(rng):
    for name, low in (("mnist-plain-6", 5 ** (-1 / 784)), ("mnist-res", 5 ** (-1 / 784)),
                      ("mnist-dense", 5 ** (-1 / 784))):
        network = build(name, rng)
        *inner, readout = [p.value for _, p in leaves(network.parameters) if p.role == "weight"]
        assert len(inner) >= 6
        for W in inner:
            limit = (6 / 65 / W.shape[1])**0.5
            assert 0.9 * limit < W.max() <= 1.0001 * limit and -1.0001 * limit <= W.min() < -0.9 * limit
        assert abs(readout.std() / (2 / readout.shape[1])**0.5 - 1) < 0.1 and abs(readout.mean()) < 0.1 * readout.std()
        *others, last = [p.value for _, p in leaves(network.parameters) if p.role == "recurrent"]
        assert np.float32(low) <= last.min() < low + 0.1 * (1 / low - low) and 1 < last.max() <= np.float32(1 / low)
        assert all(0 <= u.min() < 0.5 < 0.7 < u.max() <= np.float32(1 / low) for u in others) and len(others) >= 5
        biases = [p.value for _, p in leaves(network.parameters) if p.role == "bias"]
        assert len(biases) > 10 and not any(b.any() for b in biases)


# ---------------------------------------------------------------------------------------------------------
# Layer by layer: (neurons, place of normalisation, rows of statistics, gain, dropout); 1 row is over time. BatchNorm
# and Dropout that stand alone have a place of their own.

DENSE = dict(first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1)


def unit(neurons, order, p, rows=1, gain=1.0):
    return neurons, order, rows, gain, p


def stages(widths, k, bottleneck, dense, transition, last, **norm):
    """Dense blocks of 8, 6 and 4 layers, each followed by a transition to this width."""
    for width, layers, p in zip(widths, (8, 6, 4), (transition, transition, last)):
        yield from [unit(4 * k, p=bottleneck, **norm), unit(k, p=dense, **norm)] * layers
        yield unit(width, p=p, **norm)


AFTER, BEFORE = dict(order="after"), dict(order="before", rows=101)
EXTRA = ("norm", 600, 101, 1.0)                                     # the batch normalisation before a decoder


def dense(k, widths, first, **p):
    return [unit(6 * k, "after", first), *stages(widths, k, **p, **AFTER)]


WORDS = [*stages((1324, 1430, 600), 256, 0.1, 0.5, 0.4, 0.0, **BEFORE, gain=0.1), EXTRA]
NETWORKS = {
    "mnist-plain-6": [unit(128, "after", 0.1)] * 6,
    "mnist-plain-12": [unit(128, "after", 0.1)] * 12,
    "mnist-res": [unit(128, "after", 0.1)] * 11,
    "mnist-dense": dense(16, (112, 104, 84), first=0.2, bottleneck=0.1, dense=0.2, transition=0.1, last=0.1),
    "ntu-plain-6": [unit(512, "after", 0.25)] * 6,
    "ntu-plain-4": [unit(512, "after", 0.25)] * 4,
    "ntu-res": [unit(512, "after", 0.5)] * 11,
    "ntu-dense": dense(48, (336, 312, 252), first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3),
    "ntu-dense-aug": dense(48, (336, 312, 252), first=0.5, bottleneck=0.1, dense=0.5, transition=0.3, last=0.3),
    "ptb-char-plain-6": [unit(2000, p=0.25, **BEFORE)] * 6,
    "ptb-char-res-11": [unit(2000, p=0.3, **BEFORE)] * 11,
    "ptb-char-res-21": [unit(2000, p=0.3, **BEFORE)] * 21,
    "ptb-word-plain-6": [("dropout", 0.65), *[unit(2000, p=0.45, **BEFORE)] * 6, unit(600, p=0.0, **BEFORE), EXTRA,
                         ("dropout", 0.65)],
    "ptb-word-res": [("dropout", 0.65), *[unit(2000, p=0.45, **BEFORE)] * 10, unit(2000, p=0.5, **BEFORE),
                     unit(600, p=0.0, **BEFORE), EXTRA, ("dropout", 0.65)],
    "ptb-word-dense": [("dropout", 0.65), *WORDS, ("dropout", 0.65)],
    "ptb-char-dense": [("dropout", 0.0), *WORDS, ("dropout", 0.2)]}
# The largest |u|; where W, all u but the last and the last u start; the width of E and its dropout.
MNIST = 5 ** (1 / 784), ("he", 8), (0, 5 ** (1 / 784)), (5 ** (-1 / 784), 5 ** (1 / 784))
NTU = 5 ** (1 / 20), ("he", 8), (0, 5 ** (1 / 20)), (5 ** (-1 / 20), 5 ** (1 / 20))
STARTS = ({name: MNIST for name in NETWORKS if name.startswith("mnist")}
          | {name: NTU for name in NETWORKS if name.startswith("ntu")}
          | {name: (1.0, ("he", 2), (0, 1.0), (0, 1.0)) for name in NETWORKS if name.startswith("ptb-char")}
          | {name: (0.99, ("he", 0 if "dense" in name else 8), (0, 0.99), (0, 0.99)) for name in NETWORKS
             if name.startswith("ptb-word") or name == "ptb-char-dense"})
WORDS_OF_600 = (10_000, 600), 0.2
EMBEDDINGS = {"ptb-word-plain-6": WORDS_OF_600, "ptb-word-res": WORDS_OF_600, "ptb-word-dense": WORDS_OF_600,
              "ptb-char-dense": ((50, 600), 0.0)}
READOUTS = {"mnist-plain-6": (10, 128), "mnist-plain-12": (10, 128), "mnist-res": (10, 128), "mnist-dense": (10, 84),
            "ntu-plain-6": (60, 512), "ntu-plain-4": (60, 512), "ntu-res": (60, 512), "ntu-dense": (60, 252),
            "ntu-dense-aug": (60, 504)}


def places(layer):
    """What normalises or drops out, from the input to the output."""
    if isinstance(layer, IndRNN):
        layer = layer.unit
    if isinstance(layer, Unit):
        gain, = set(layer["gamma"].tolist())
        yield layer["u"].size, layer.order, len(layer.buffers["mean"]), pytest.approx(gain), layer.dropout
    elif isinstance(layer, BatchNorm):
        gain, = set(layer["gamma"].tolist())
        yield "norm", layer["gamma"].size, len(layer.buffers["mean"]), gain
    elif isinstance(layer, Dropout):
        yield "dropout", layer.p
    elif isinstance(layer, LanguageModel):
        yield from places(layer.body)
    else:
        for inner in getattr(layer, "layers", None) or filter(None, [getattr(layer, "layer", None)]):
            yield from places(inner)


def test_the_tables_are_complete():
    assert set(NETWORKS) == set(ARCHITECTURES) == set(PUBLISHED)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_named_networks_place_by_place(name):
    network = build(name)
    found = list(places(network))
    assert len(found) == len(NETWORKS[name])
    for number, (got, wanted) in enumerate(zip(found, NETWORKS[name])):
        assert got == wanted, number
    per_step = {inner.per_step for inner in within(network, BatchNorm)}
    assert per_step == {name.startswith("ptb")}
    if name in EMBEDDINGS:
        assert (network.embedding["E"].shape, network.embedding.p) == EMBEDDINGS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_where_the_weights_of_the_named_networks_start(name):
    notes = Notes()
    network = build(name, notes)
    bound, (_, slope), inner, last = STARTS[name]
    assert network.bound == pytest.approx(bound, rel=1e-12)
    drawn = notes.drawn
    if name in EMBEDDINGS:
        embedding = next(asked for asked in drawn if asked[-1] == EMBEDDINGS[name][0])
        assert embedding[:3] == ("uniform", -0.01, 0.01)
        drawn = [asked for asked in drawn if asked is not embedding]
    elif name.startswith("ptb"):
        *drawn, one, two = drawn
        same([one, two], [("uniform", -0.04, 0.04, (50, 2000))] * 2)
    else:
        *drawn, readout = drawn
        outputs, inputs = READOUTS[name]
        same([readout], [gauss(inputs, outputs, 2**0.5)])
    us = [asked for asked in drawn if isinstance(asked[-1], int)]
    same(us, [u(asked[-1], *(last if asked is us[-1] else inner)) for asked in us])
    matrices = [asked for asked in drawn if not isinstance(asked[-1], int)]
    same(matrices, [he(*reversed(asked[-1]), slope) for asked in matrices])
    assert len(us) == sum(len(place) == 5 for place in NETWORKS[name]) and len(matrices) >= len(us)
