"""A whole step of training on the device, in the simulator: every kernel against its twin on the CPU, networks, runs.

A check takes the package to check, so that copies with a fault can be given to it: each fault must be caught. New
arrays are full of NaN, so that whatever a kernel does not write shows. Tiles and blocks are tiny, but for one test.
"""
import importlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minindrnn
from minindrnn import Adam, AtLastStep, BatchNorm, Chain, Concatenate, Dropout, IndRNN, Linear, Residual, Unit
from minindrnn.core.layer import leaves
from minindrnn.ops.bounds import penalty, project
from minindrnn.training.optim import clip_values
from minindrnn.training.run import arrays_of
from minindrnn.training.step import train_step

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
FLOATS = (np.float32, np.float64)
GPU = Path(__file__).parents[2] / "gpu"

if SIMULATED:
    sys.path.insert(0, str(Path(__file__).parent))
    import simulator
    from numba import cuda
else:
    @pytest.mark.slow
    @pytest.mark.once
    @pytest.mark.parametrize("part", ["test_every_fault", "not test_every_fault"])
    def test_in_the_simulator(part):
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                               "-W", "ignore::RuntimeWarning", "-k", part, __file__],
                              cwd=GPU.parent, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " passed" in done.stdout and "skipped" not in done.stdout and "failed" not in done.stdout


simulated = pytest.mark.skipif(not SIMULATED, reason="in the simulator's process")


class Package:
    """A copy of minindrnn.gpu by the name of its package: package.linear is its module linear, and so on."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, module):
        return importlib.import_module(f"{self.name}.{module}")

    def twin_of(self, layer):
        """The twin of a layer, made as part of a network."""
        return self.twin.Twin(Chain([layer]), minindrnn.mean_squared_error, Adam([layer.parameters])).network.layers[0]


def poisoned(shape, dtype=np.float64, **_):
    return cuda.to_device(np.full(shape, np.nan, dtype))


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(cuda, "device_array", poisoned)
    simulator.make_small("minindrnn.gpu", monkeypatch.setattr)
    return Package("minindrnn.gpu")


def close(got, wanted, scale=1.0):
    """Equal to rounding: float64 to 1e-12, float32 to 1e-5, relative to the array's largest element."""
    got = got.copy_to_host() if hasattr(got, "copy_to_host") else got
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=scale * size * (1e-12 if got.dtype == np.float64 else 1e-5))


def bits(tree):
    return [array.copy_to_host().tobytes() for _, array in leaves(tree)]


# ---------------------------------------------------------------------------------------------------------
# Checks: each compares some part of a package with the CPU, and says so by an AssertionError or any other.

def layers(dtype):
    """name -> a layer made of drawn parameters, with running statistics that are not those of the start."""
    rng = np.random.default_rng(3)
    made = {"linear": Linear(3, 5, rng, dtype=dtype), "narrow": Linear(1, 1, rng, dtype=dtype),
            "wide": Linear(5, 7, rng, dtype=dtype),
            "batchnorm": BatchNorm(3, dtype=dtype), "dropout": Dropout(0.4),
            "residual": Residual(Linear(3, 3, rng, dtype=dtype)),
            "concatenate": Concatenate(Linear(3, 2, rng, dtype=dtype)),
            "last": AtLastStep(Linear(3, 4, rng, dtype=dtype)),
            "unit": Unit(3, rng, dtype=dtype, dropout=0.3), "tanh": Unit(3, rng, dtype=dtype, activation="tanh"),
            "before": Unit(3, rng, dtype=dtype, norm="before", dropout=0.3),
            "after": Unit(3, rng, dtype=dtype, norm="after", dropout=0.3),
            "sharp": Unit(3, rng, dtype=dtype, norm="after", norm_options=dict(eps=0.1, momentum=0.3)),
            "indrnn": IndRNN(3, 4, rng, dtype=dtype),
            "indrnn, after": IndRNN(2, 5, rng, dtype=dtype, norm="after", dropout=0.2)}
    for layer in made.values():
        for _, parameter in leaves(layer.parameters):
            parameter.value[...] += rng.normal(0, 0.1, parameter.value.shape)
        for path, buffer in leaves(layer.buffers):
            buffer[...] += 1 if path.endswith("updates") else rng.uniform(0, 1, buffer.shape)
    return made


def inputs_of(layer):
    values = [parameter.value.shape[-1] for path, parameter in leaves(layer.parameters) if path in ("W", "gamma", "u")]
    return values[0] if values else 3


def check_layer(gpu, name, dtype, T, B, lengths=None, statistics="batch", spoilt=False):
    """Forward, backward and absorb of a layer; what stands in the padding does not matter; the same bits twice.
    spoilt: a number is NaN and one infinite, and so is all that depends on them, and nothing else."""
    layer, rng = layers(dtype)[name], np.random.default_rng(4)
    twin = gpu.twin_of(layers(dtype)[name])
    x = rng.normal(size=(T, B, inputs_of(layer))).astype(dtype)
    if lengths is not None:
        x[np.arange(T)[:, None] >= lengths] = np.nan
    if spoilt:
        x[1, 0, 0], x[-1, 1, -1] = np.nan, np.inf
    how = dict(lengths=lengths, statistics=statistics)
    y, cache = layer.forward(x, rng=np.random.default_rng(5), **how)
    dy = rng.normal(size=y.shape).astype(dtype)
    if lengths is not None and y.ndim == 3:
        dy[np.arange(T)[:, None] >= lengths] = np.nan
    dx, grads = layer.backward(dy.copy(), cache)
    results = []
    for _ in range(2):
        got, of_twin = twin.forward(cuda.to_device(x), rng=np.random.default_rng(5), **how)
        dgot, dgrads = twin.backward(cuda.to_device(dy), of_twin)
        results.append(bits([got, dgot, dgrads]))
    assert results[0] == results[1]
    close(got, y)
    close(dgot, dx, 10)
    for _, one, two in leaves(grads, dgrads):
        close(two, one, 10)
    layer.absorb(cache)
    twin.absorb(of_twin)
    for _, one, two in leaves(layer.buffers, twin.buffers):
        close(two, one, 10)


def check_digits(gpu):
    """Sums of thirty thousand terms, and a variance far from zero, in float32."""
    for module in (gpu.reduce, gpu.batchnorm):
        module.WIDTH, module.ROWS = 1, 10_000
    x = np.full(30_000, 0.1, np.float32)
    assert gpu.reduce.sums(cuda.to_device(x), 1).copy_to_host()[0] == pytest.approx(3e4 * float(x[0]), rel=1e-7)
    x = np.random.default_rng(0).normal(1000, 1, (5_000, 1, 1)).astype(np.float32)
    x[0] = 0                                           # far from the mean
    one, zero = (cuda.to_device(np.full(1, value, np.float32)) for value in (1, 0))
    _, (_, mean, _, var, *_) = gpu.batchnorm.batchnorm_forward(cuda.to_device(x), one, zero, zero, one)
    assert mean.copy_to_host()[0] == pytest.approx(x.mean(dtype=np.float64), rel=1e-7)
    assert var.copy_to_host()[0] == pytest.approx(x.var(dtype=np.float64), rel=1e-5)


def check_statistics(gpu, dtype):
    """Mean and variance of numbers whose first one, the one they are taken from, is an outlier."""
    rng = np.random.default_rng(0)
    x = rng.normal(3, 0.1, (6, 3, 2)).astype(dtype)
    x[0, 0] = 40
    one, zero = (cuda.to_device(np.full(2, value, dtype)) for value in (1, 0))
    _, (_, mean, _, var, *_) = gpu.batchnorm.batchnorm_forward(cuda.to_device(x), one, zero, zero, one)
    np.testing.assert_allclose(mean.copy_to_host(), x.mean(axis=(0, 1), dtype=np.float64), rtol=3e-7)
    np.testing.assert_allclose(var.copy_to_host(), x.var(axis=(0, 1), dtype=np.float64), rtol=1e-6)


def check_range(gpu, dtype):
    """Deviations a millionth of the mean, as on the CPU; a variance that the type does not hold is NaN."""
    rng = np.random.default_rng(0)
    gamma, beta, dy, x = np.array([2, 3], dtype), np.ones(2, dtype), *rng.normal(size=(2, 6, 3, 2)).astype(dtype)
    x = dtype(1000) + dtype(1e-3) * x
    wanted, cache = minindrnn.batchnorm_forward(x, gamma, beta, beta[None], beta[None], eps=0.0)
    one, *arrays = map(cuda.to_device, (beta, x, gamma, beta))
    y, of_twin = gpu.batchnorm.batchnorm_forward(*arrays, one, one, eps=0.0)
    digits = 1 if dtype == np.float32 else 1e3                     # of the mean, in float64 too
    for got, expected in ((y, wanted), *zip(gpu.batchnorm.batchnorm_backward(cuda.to_device(dy), of_twin),
                                            minindrnn.batchnorm_backward(dy, cache))):
        close(got, expected, digits)
    huge = np.resize(np.array([1, 1, -1, -1]), (4, 3, 2)).astype(dtype) * dtype(1e20 if dtype == np.float32 else 1e200)
    with np.errstate(all="ignore"):
        assert np.isnan(gpu.batchnorm.batchnorm_forward(cuda.to_device(huge), one, one, one,
                                                        one)[0].copy_to_host()).all()


def check_one_value(gpu):
    """A single value has no variance of its own: the running statistics serve, and stay."""
    check_layer(gpu, "batchnorm", np.float64, 1, 1)


def check_product(gpu, dtype):
    """All three layouts, at sizes that are not multiples of anything."""
    rng = np.random.default_rng(0)
    for R, M, N in ((1, 1, 1), (7, 1, 3), (13, 5, 1), (9, 6, 4), (4, 4, 8)):
        x, dy = rng.normal(size=(R, 1, M)).astype(dtype), rng.normal(size=(R, 1, N)).astype(dtype)
        W, b = rng.normal(size=(N, M)).astype(dtype), rng.normal(size=N).astype(dtype)
        for bias in (b, None):
            y, cache = minindrnn.linear_forward(x, W, bias)
            got, of_twin = gpu.linear.linear_forward(cuda.to_device(x), cuda.to_device(W),
                                                     None if bias is None else cuda.to_device(b))
            close(got, y)
            for one, two in zip(gpu.linear.linear_backward(cuda.to_device(dy), of_twin),
                                minindrnn.linear_backward(dy, cache)):
                assert (one is None) == (two is None)
                if two is not None:
                    close(one, two, 10)


def check_masks(gpu):
    """The same bits as on the CPU, of any generator, and for any size."""
    for seed, shape, p, dtype in ((0, (1, 1), 0.5, np.float32), (1, (3, 7), 0.3, np.float64),
                                  (2, (8, 4), 0.9, np.float32)):
        wanted = minindrnn.ops.dropout.draw(shape, p, np.random.default_rng(seed), np.dtype(dtype))
        got = gpu.dropout.draw(shape, p, np.random.default_rng(seed), np.dtype(dtype)).copy_to_host()
        assert got.dtype == dtype and got.tobytes() == wanted.tobytes()


def check_squares(gpu, dtype):
    rng = np.random.default_rng(0)
    for B, K in ((1, 1), (13, 3)):
        y, target = rng.normal(size=(B, K)).astype(dtype), rng.normal(size=(B, K)).astype(dtype)
        loss = poisoned(1, dtype)
        wanted, dy = minindrnn.mean_squared_error(y, target)
        close(gpu.losses.mean_squared_error(cuda.to_device(y), target, loss), dy)
        close(loss, np.array([wanted], dtype))


def check_classes(gpu, dtype):
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (7, 4), (2, 3, 5)):
        y, target = (300 * rng.normal(size=shape)).astype(dtype), rng.integers(-1, shape[-1], shape[:-1])
        loss = poisoned(1, dtype)
        target.flat[0], y.flat[0] = 0, 1000
        wanted, dy = minindrnn.cross_entropy(y, target)
        close(gpu.losses.cross_entropy(cuda.to_device(y), target, loss), dy)
        close(loss, np.array([wanted], dtype), 10)
    y[0, 0, 0] = np.nan
    assert np.isnan(gpu.losses.cross_entropy(cuda.to_device(y), target, loss).copy_to_host()[0, 0]).all()
    assert np.isnan(loss.copy_to_host()[0])


def check_adam(gpu, dtype):
    """Three updates with no setting left as it comes, gradients beyond the limit and NaN, |u| beyond the bound: all
    roles."""
    rng, layer = np.random.default_rng(0), layers(dtype)["indrnn, after"]
    other = layers(dtype)["indrnn, after"]
    settings = dict(beta1=0.8, beta2=0.9, epsilon=0.1, decay=0.1)
    optimiser = Adam(layer.parameters, **settings)
    twin = gpu.twin.Twin(Chain([other]), minindrnn.mean_squared_error, Adam([other.parameters], **settings))
    for step in range(3):
        grads = {name: (40 * rng.normal(size=p.value.shape)).astype(dtype) for name, p in layer.parameters.items()}
        if step == 2:
            grads["W"][0, 0] = np.nan
        twin.optimiser.update([{name: cuda.to_device(grad) for name, grad in grads.items()}], 0.3,
                              limit=10.0, bound=0.7)
        clip_values(layer.parameters, grads, 10.0)
        optimiser.update(grads, 0.3)
        project(layer.parameters, 0.7)
    twin.fetch()
    for _, one, two in leaves(layer.parameters, other.parameters):
        close(two.value, one.value)
    assert np.isnan(other["W"][0, 0])
    assert np.isfinite(other["W"]).sum() == other["W"].size - 1
    assert abs(other["u"]).max() == dtype(0.7)


def check_penalty(gpu, dtype):
    u = np.array([0.5, 1.25, -2.0, -0.9, 1.0], dtype)
    for bound in (1.0, 3.0):
        loss, du = cuda.to_device(np.array([2.0], dtype)), cuda.to_device(np.full(5, 0.25, dtype))
        gpu.bounds.penalty(cuda.to_device(u), bound, 0.5, loss, du)
        value, slope = penalty(u, bound)
        close(loss, np.array([2 + 0.5 * value], dtype))
        close(du, 0.25 + dtype(0.5) * slope)


def network(kind, dtype, **options):
    rng, how = np.random.default_rng(0), dict(dtype=dtype, length=5, **options)
    return {"stacked": lambda: minindrnn.StackedIndRNN(2, 3, 2, 3, rng, **how),
            "residual": lambda: minindrnn.ResidualIndRNN(2, 3, 1, 3, rng, **how),
            "dense": lambda: minindrnn.DenseIndRNN(2, 1, (1,), 3, rng, **how)}[kind]()


def check_network(gpu, kind, dtype, loss=minindrnn.cross_entropy, lengths=None, steps=3, penalty=0.0, **options):
    """What a network answers, losses of some updates, read when all are done, and all that was learned, beside the
    CPU."""
    mine, other = network(kind, dtype, **options), network(kind, dtype, **options)
    optimisers = [Adam(net.parameters, decay=1e-2) for net in (mine, other)]
    twin = gpu.twin.Twin(other, loss, optimisers[1])
    rng, losses = np.random.default_rng(5), []
    for step in range(steps):
        x = rng.normal(size=(5, 3, 2)).astype(dtype)
        if step == 0:                        # later a bias before a norm is what rounding has made of it
            close(twin.forward(x, lengths=lengths)[0], mine.forward(x, lengths=lengths)[0])
        target = rng.integers(0, 3, 3) if loss is minindrnn.cross_entropy else rng.normal(size=(3, 3)).astype(dtype)
        how = dict(lengths=lengths, bound=0.9, clip=0.5, penalty=penalty)
        wanted, _ = train_step(mine, loss, optimisers[0], x, target, 0.01, rng=np.random.default_rng(step), **how)
        got, _ = twin.train_step(x, target, 0.01, rng=np.random.default_rng(step), **how)
        losses.append((got, wanted))
    for got, wanted in losses:
        assert float(got) == pytest.approx(wanted, rel=1e-4 if dtype == np.float32 else 1e-7)
    twin.fetch()
    if dtype == np.float64:                  # in float32 Adam makes a whole step out of a gradient that is but rounding
        check_learned((other, optimisers[1]), (mine, optimisers[0]))


def learned(network, optimiser):
    return arrays_of(network) | optimiser.state()


def check_learned(got, wanted):
    got, wanted = learned(*got), learned(*wanted)
    assert got.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], rtol=0, atol=1e-7, err_msg=name)


def check_normed(gpu):
    check_network(gpu, "stacked", np.float64, norm="after", dropout=0.2)


def check_resumed(gpu):
    """Another network, optimiser and twin, made before, take over from the first after two updates, as a resumed run
    does."""
    mine, first, second = networks = [network("stacked", np.float64, norm="after", dropout=0.2) for _ in range(3)]
    optimisers = [Adam(net.parameters) for net in networks]
    twins = [gpu.twin.Twin(net, minindrnn.cross_entropy, optimiser) for net, optimiser in zip(networks, optimisers)]
    rng = np.random.default_rng(5)
    for step in range(4):
        x, target = rng.normal(size=(5, 3, 2)), rng.integers(0, 3, 3)
        if step == 2:
            twins[1].fetch()
            kept = learned(first, optimisers[1])
            for name, array in learned(second, optimisers[2]).items():
                array[...] = kept[name]
            twins[2].send()
            twins[2].compile(x[:2, :1].copy(), np.random.default_rng(0))
        train_step(mine, minindrnn.cross_entropy, optimisers[0], x, target, 0.01, rng=np.random.default_rng(step))
        twins[1 + step // 2].train_step(x, target, 0.01, rng=np.random.default_rng(step))
    twins[2].fetch()
    check_learned((second, optimisers[2]), (mine, optimisers[0]))


# ---------------------------------------------------------------------------------------------------------

RAGGED = np.array([5, 1, 4])


@simulated
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", layers(np.float64))
def test_layers(gpu, name, dtype):
    check_layer(gpu, name, dtype, 5, 3, RAGGED)
    if dtype == np.float64:
        check_layer(gpu, name, dtype, 3, 2)
        check_layer(gpu, name, dtype, 2, 1, statistics="running")
        check_layer(gpu, name, dtype, 3, 2, spoilt=True)


@simulated
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("check", [check_product, check_statistics, check_range, check_squares, check_classes,
                                   check_adam, check_penalty])
def test_operations(gpu, check, dtype):
    check(gpu, dtype)


@simulated
@pytest.mark.parametrize("check", [check_masks, check_digits, check_one_value, check_resumed])
def test_single_operations(gpu, check):
    check(gpu)


@simulated
def test_tiles_and_blocks_of_full_size(monkeypatch):
    """One row more than a tile; one row and one column more than a block adds up."""
    monkeypatch.setattr(cuda, "device_array", poisoned)
    gpu, rng = Package("minindrnn.gpu"), np.random.default_rng(0)
    x, W, b = (rng.normal(size=shape).astype(np.float32) for shape in ((65, 1, 2), (3, 2), (3,)))
    close(gpu.linear.linear_forward(*map(cuda.to_device, (x, W, b)))[0], minindrnn.linear_forward(x, W, b)[0])
    x = rng.normal(size=(257, 33)).astype(np.float32)
    close(gpu.reduce.sums(cuda.to_device(x), 33), x.sum(axis=0, dtype=np.float64).astype(np.float32))


@simulated
@pytest.mark.parametrize("norm", [None, "before", "after"])
@pytest.mark.parametrize("kind", ["stacked", "residual", "dense"])
def test_networks(gpu, kind, norm):
    check_network(gpu, kind, np.float64, norm=norm, dropout=0.0 if norm is None else 0.2)


@simulated
def test_networks_otherwise(gpu):
    check_network(gpu, "stacked", np.float64, lengths=RAGGED, norm="after", dropout=0.2)
    check_network(gpu, "residual", np.float64, loss=minindrnn.mean_squared_error, post_activation=True)
    check_network(gpu, "stacked", np.float64, penalty=0.3)
    check_network(gpu, "dense", np.float32, norm="before", dropout=0.2)              # runs of the others are in float32


@simulated
def test_a_step_makes_no_new_arrays_after_the_first(gpu, monkeypatch):
    """Nor does a shorter one, as long as there is a place for its loss."""
    monkeypatch.setattr(gpu.twin, "AHEAD", 3)
    net, made = network("residual", np.float32, norm="after", dropout=0.2), []
    twin = gpu.twin.Twin(net, minindrnn.cross_entropy, Adam(net.parameters))
    monkeypatch.setattr(cuda, "device_array", lambda shape, *how, **more: made.append(shape) or poisoned(shape, *how))
    x, target, losses, counts = np.ones((10, 3, 2), np.float32), np.array([0, 1, 2]), [], []
    for T in (10, 9, 10):
        losses.append(twin.train_step(x[:T], target, 0.01, rng=np.random.default_rng(0))[0])
        counts.append(len(made))
    assert counts[0] > 30 and counts == [counts[0]] * 3
    assert len({float(loss) for loss in losses}) == 3


@simulated
@pytest.mark.parametrize("layer, message", [
    (minindrnn.LSTM(2, 3, np.random.default_rng(0)), "LSTM is there for the CPU only"),
    (minindrnn.Differences(), "Differences is there for the CPU only"),
    (BatchNorm(2, length=4), "BatchNorm per step is there for the CPU only"),
    (Unit(2, np.random.default_rng(0), norm="after", norm_layer=minindrnn.LayerNorm),
     "LayerNorm is there for the CPU only"),
])
def test_a_part_without_a_twin_is_named(gpu, layer, message):
    with pytest.raises(gpu.twin.NoTwin) as caught:
        gpu.twin.Twin(Chain([layer]), minindrnn.cross_entropy, Adam([layer.parameters]))
    assert str(caught.value) == message
    with pytest.raises(gpu.twin.NoTwin, match="the optimiser SGD is there for the CPU only"):
        gpu.twin.Twin(Chain([layer]), minindrnn.cross_entropy, minindrnn.SGD([layer.parameters]))
    with pytest.raises(gpu.twin.NoTwin, match="the loss test_networks is there for the CPU only"):
        gpu.twin.Twin(Chain([layer]), test_networks, Adam([layer.parameters]))


@simulated
def test_wrong_input_is_refused_as_on_the_cpu(gpu):
    net = network("stacked", np.float32)
    twin = gpu.twin.Twin(net, minindrnn.cross_entropy, Adam(net.parameters))
    x, target = np.ones((5, 3, 2), np.float32), np.array([0, 1, 2])
    for wrong, classes, how, message in (
            (x[:, :, :1].copy(), target, {}, "x: expected .T, B, M. = .5, 3, 2., got .5, 3, 1."),
            (x.astype(float), target, {}, "x: expected float32 like W, got float64"),
            (x, target + 1, {}, "target: expected classes 0 to 2, or -1, got 3"),
            (x, target[:2], {}, "target: expected class indices of shape .3,., got int64 of shape .2,."),
            (x, target, {"lengths": [6, 1, 1]}, "lengths: expected 1 to T = 5, got 6 for sequence 0")):
        with pytest.raises((ValueError, TypeError), match=message):
            twin.train_step(wrong, classes, 0.01, **how)


def on_device(*shape, dtype=np.float64):
    return cuda.to_device(np.ones(shape, dtype))


@simulated
@pytest.mark.parametrize("call, message", [
    (lambda gpu: gpu.linear.linear_forward(on_device(5, 2, 3), on_device(4, 3), on_device(3)),
     "b: expected (N,) = (4,), got (3,)"),
    (lambda gpu: gpu.linear.linear_backward(
        on_device(5, 2, 3), gpu.linear.linear_forward(on_device(5, 2, 3), on_device(4, 3))[1]),
     "dy: expected (T, B, N) = (5, 2, 4), got (5, 2, 3)"),
    (lambda gpu: gpu.linear.linear_backward(
        on_device(5, 1, 4), gpu.linear.linear_forward(on_device(5, 2, 3), on_device(4, 3))[1]),
     "dy: expected (T, B, N) = (5, 2, 4), got (5, 1, 4)"),
    (lambda gpu: gpu.batchnorm.batchnorm_forward(
        on_device(5, 2, 3), on_device(3), on_device(2), on_device(3), on_device(3)),
     "beta: expected (N,) = (3,), got (2,)"),
    (lambda gpu: gpu.batchnorm.batchnorm_forward(on_device(5, 2, 3), *[on_device(3)] * 4, mask=on_device(1, 3)),
     "mask: expected (B, N) = (2, 3), got (1, 3)"),
    (lambda gpu: gpu.batchnorm.batchnorm_backward(
        on_device(5, 2, 2), gpu.batchnorm.batchnorm_forward(on_device(5, 2, 3), *[on_device(3)] * 4)[1]),
     "dy: expected (T, B, N) = (5, 2, 3), got (5, 2, 2)"),
    (lambda gpu: gpu.twin_of(BatchNorm(2, dtype=float)).absorb(
        gpu.twin_of(BatchNorm(3, dtype=float)).forward(on_device(5, 2, 3), statistics="batch")[1]),
     "mean in the cache: expected (2,) like gamma, got (3,)"),
    (lambda gpu: gpu.dropout.dropout_backward(
        on_device(5, 2, 3), gpu.dropout.dropout_forward(on_device(5, 2, 4), 0.5, np.random.default_rng(0))[1]),
     "dy: expected (T, B, N) = (5, 2, 4), got (5, 2, 3)"),
    (lambda gpu: gpu.dropout.dropout_forward(on_device(5, 2, 4), 0.5, 42),
     "rng: expected a numpy.random.Generator or None, got int"),
    (lambda gpu: gpu.losses.mean_squared_error(on_device(2, 2, 3), np.ones((2, 2)), on_device(1)),
     "y: expected 2 axes (B, K), got shape (2, 2, 3)"),
    (lambda gpu: gpu.losses.mean_squared_error(on_device(2, 2), np.ones((2, 2)), on_device(1, dtype=np.float32)),
     "loss: expected float64 like y, got float32"),
    (lambda gpu: gpu.losses.cross_entropy(on_device(2), np.array([0, 1]), on_device(1)),
     "y: expected 2 axes (B, K), got shape (2,)"),
    (lambda gpu: gpu.bounds.penalty(on_device(3), 1.0, 0.1, on_device(1), on_device(2)),
     "du: expected (N,) = (3,), got (2,)"),
    (lambda gpu: gpu.bounds.penalty(on_device(3), None, 0.1, on_device(1), on_device(3)),
     "bound: expected a number, got None"),
])
def test_what_does_not_fit_reaches_no_kernel(gpu, call, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(gpu)
    assert str(caught.value).startswith(message)


@simulated
@pytest.mark.parametrize("name", layers(np.float64))
def test_a_gradient_that_does_not_fit_reaches_no_kernel_of_a_layer(gpu, name):
    layer = layers(np.float64)[name]
    twin, x = gpu.twin_of(layer), on_device(5, 3, inputs_of(layer))
    y, cache = twin.forward(x, rng=np.random.default_rng(0))
    right = tuple(y.shape)
    for shape in ((*right[:-1], right[-1] + 1), (*right, 1), right[1:], (0, *right[1:])):
        with pytest.raises(ValueError, match="^d[yh]: expected"):
            twin.backward(on_device(*shape), cache)
    with pytest.raises(TypeError, match="^d[yh]: expected"):
        twin.backward(y.copy_to_host().tolist(), cache)


@simulated
@pytest.mark.parametrize("name", layers(np.float64))
def test_an_unknown_keyword_is_refused_and_those_of_the_contract_are_taken(gpu, name):
    layer = layers(np.float64)[name]
    twin, x = gpu.twin_of(layer), on_device(5, 3, inputs_of(layer))
    y, cache = twin.forward(x, lengths=[5, 1, 2], statistics="batch", start=0, rng=np.random.default_rng(0))
    twin.backward(y, cache, overwrite=True)
    twin.absorb(cache, average=True)
    message = "forward: expected some of lengths, statistics, start, rng, ranks, got lenghts"
    with pytest.raises(TypeError, match=message):
        twin.forward(x, lenghts=[5, 1, 2])
    for call in (twin.backward, twin.absorb):
        with pytest.raises(TypeError, match="got an unexpected keyword argument 'lengths'"):
            call(*[y] * (call == twin.backward), cache, lengths=[5, 1, 2])


@simulated
def test_population_statistics_are_those_of_the_cpu(gpu):
    layer, twin = BatchNorm(3, dtype=np.float64), gpu.twin_of(BatchNorm(3, dtype=np.float64))
    for x in np.random.default_rng(0).normal(size=(3, 5, 2, 3)):
        for each, given in ((layer, x), (twin, cuda.to_device(x))):
            each.absorb(each.forward(given, statistics="batch")[1], average=True)
    for name in ("mean", "var"):
        close(twin.buffers[name], layer.buffers[name])


@simulated
def test_an_optimiser_that_does_not_fit_has_no_twin(gpu):
    net = network("stacked", np.float64)
    for parameters in ([{}, *net.parameters[1:]], network("stacked", np.float64).parameters):
        with pytest.raises(gpu.twin.NoTwin,
                           match="an optimiser of some of the network's parameters is there for the CPU only"):
            gpu.twin.Twin(net, minindrnn.cross_entropy, Adam(parameters))
    adam = gpu.twin.Twin(net, minindrnn.cross_entropy, Adam(net.parameters)).optimiser
    grads = [{name: on_device(*p.value.shape) for name, p in layer.items()} for layer in net.parameters]
    for changes, message in (({"u": on_device(2)}, r"gradient of 1.u: expected \(3,\) like 1.u, got \(2,\)"),
                             ({"u": on_device(3, dtype=np.float32)},
                              "gradient of 1.u: expected float64 like 1.u, got float32")):
        with pytest.raises((ValueError, TypeError), match=message):
            adam.update([grads[0], grads[1] | changes, grads[2]], 0.1)
    with pytest.raises(ValueError, match="tree: expected a list of 3, got a list of 2"):
        adam.update(grads[1:], 0.1)
    assert int(adam.updates) == 0


@simulated
def test_cublas_is_called_with_the_right_matrices(gpu, monkeypatch):
    """CuPy's matmul is NumPy's here; the products go through it by one, and by all of ROWS terms and what is left."""
    import types
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(matmul=np.matmul, asarray=lambda array: array._ary))
    monkeypatch.setattr(gpu.linear, "CUBLAS", True)
    check_product(gpu, np.float64)


# ---------------------------------------------------------------------------------------------------------
# Runs

COMMON = ["--hidden", "3", "--layers", "1", "--batch", "3", "--rate", "0.01", "--norm", "after", "--dropout",
          "0.2", "--decay", "0.001"]


@pytest.fixture
def few(monkeypatch):
    """The adding problem is evaluated on a few sequences: the simulator takes its time."""
    from minindrnn.tasks import adding
    many = adding.adding_problem
    monkeypatch.setattr(adding, "adding_problem", lambda T, B, rng: many(T, min(B, 7), rng))


def arrays(folder):
    with np.load(folder / "checkpoint.npz") as archive:
        return {name: archive[name] for name in archive.files}


@simulated
@pytest.mark.parametrize("more", [["adding", "--length", "5"], ["FILE", "--model", "residual", "--plateau", "1"],
                                  ["adding", "--length", "5", "--penalty", "0.1"]], ids=" ".join)
def test_a_run_learns_the_same_on_either_device_and_goes_on_on_either(gpu, few, tmp_path, more, capsys):
    from minindrnn.cli.commands import main
    from minindrnn.training.run import history
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "classes.npz", X=rng.normal(size=(40, 4, 2)).astype(np.float32), y=np.arange(40) % 3)
    more = [str(tmp_path / "classes.npz") if word == "FILE" else word for word in more]
    for name, parts in {"cpu": ["cpu"], "cuda": ["cuda"], "both": ["cuda", "cpu", "cuda"]}.items():
        if name == "both" and "--plateau" in more:
            continue                                           # its number of updates is fixed
        for k, device in enumerate(parts, 1):
            again = ["--resume"] if k > 1 else []
            steps = 6 * k // len(parts)
            assert main(["train", *more, *COMMON, "--updates", str(steps), "--device", device,
                         "--out", str(tmp_path / name), *again]) == 0
        got, wanted = arrays(tmp_path / name), arrays(tmp_path / "cpu")
        assert got.keys() == wanted.keys() and str(got["facts"]) == str(wanted["facts"])
        for key in wanted.keys() - {"facts"}:
            np.testing.assert_allclose(got[key], wanted[key], rtol=1e-3, atol=1e-4, err_msg=key)
        rows, expected = ([row | {"seconds": 0} for row in history(tmp_path / folder)][-1] for folder in (name, "cpu"))
        assert rows == pytest.approx(expected, rel=1e-4)


@simulated
def test_a_stopped_run_goes_on_bit_for_bit(gpu, few, tmp_path):
    from minindrnn.tasks.adding import Adding
    from minindrnn.tasks.registry import settings

    def run(folder):
        made = Adding(settings("adding", length=5, hidden=3, layers=1, batch=3, updates=4, norm="after",
                               dropout=0.2)).run(tmp_path / folder)
        made.twin = gpu.twin.Twin(made.network, made.loss, made.optimiser)
        return made

    whole, part = run("whole"), run("part")
    whole.start()
    assert whole.train()
    part.start()
    batch = part.batch
    part.batch = lambda step: (os.kill(os.getpid(), signal.SIGINT) if step == 2 else None, batch(step))[1]
    assert not part.train() and part.update == 3
    again = run("part")
    again.resume()
    assert again.train()
    assert (tmp_path / "whole/checkpoint.npz").read_bytes() == (tmp_path / "part/checkpoint.npz").read_bytes()


@simulated
def test_a_run_is_evaluated_where_it_learns(gpu, tmp_path):
    from minindrnn.tasks.adding import Adding
    from minindrnn.tasks.registry import settings
    made, evaluated = Adding(settings("adding", length=5, hidden=3, layers=1, batch=3,
                                      updates=2)).run(tmp_path / "run"), []
    made.twin = gpu.twin.Twin(made.network, made.loss, made.optimiser)
    made.evaluate = lambda network: evaluated.append(network) or {}
    made.start()
    assert made.train() and evaluated == [made.twin]


@simulated
def test_what_is_not_finite_stops_the_run_and_keeps_the_checkpoint(gpu, tmp_path):
    from minindrnn.tasks.adding import Adding
    from minindrnn.tasks.registry import settings
    from minindrnn.training.run import TrainingError
    made = Adding(settings("adding", length=5, hidden=3, layers=1, batch=3, updates=4)).run(tmp_path / "run")
    made.twin = gpu.twin.Twin(made.network, made.loss, made.optimiser)
    made.start()
    before = (tmp_path / "run/checkpoint.npz").read_bytes()
    made.network.parameters[0]["u"].value[0] = np.nan
    with pytest.raises(TrainingError,
                       match="the loss is nan at update 0, before the first evaluation; try a smaller --rate"):
        made.train()
    assert (tmp_path / "run/checkpoint.npz").read_bytes() == before


@simulated
def test_the_command_line_names_what_cannot_be_trained_there(gpu, tmp_path, capsys):
    from minindrnn.cli.commands import main
    with pytest.raises(SystemExit) as caught:
        main(["train", "adding", "--model", "lstm", "--device", "cuda", "--out", str(tmp_path / "run")])
    assert caught.value.code == 2 and not (tmp_path / "run").exists()
    assert capsys.readouterr().err == "python -m minindrnn train: --device cuda: LSTM is there for the CPU only\n"


def test_asking_for_a_gpu_without_one_is_refused_in_one_line(monkeypatch, tmp_path, capsys):
    from numba import cuda as numba_cuda

    from minindrnn.cli.commands import main
    monkeypatch.setattr(numba_cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as caught:
        main(["train", "adding", "--device", "cuda", "--out", str(tmp_path / "run")])
    assert caught.value.code == 2 and not (tmp_path / "run").exists()
    assert capsys.readouterr().err == (
        "python -m minindrnn train: --device cuda: no CUDA device was found: install the cuda12 or cuda13 extra on a "
        "machine with an NVIDIA GPU and its driver, or set NUMBA_ENABLE_CUDASIM=1 to run the simulator\n")


# ---------------------------------------------------------------------------------------------------------
# Faults: (check, its arguments, module, old, new); the piece of source must occur once.

LAYER, NETWORK = (np.float64, 5, 3, RAGGED), ("stacked", np.float64)
FAULTS = [
    (check_layer, ("residual", *LAYER), "device", "first = i // columns * STEPS", "first = i // columns"),
    (check_layer, ("residual", *LAYER), "device", "min(first + STEPS, size // columns)", "first + STEPS"),
    (check_network, NETWORK, "device", "        self.taken[kind] += 1\n", ""),
    (check_layer, ("unit", *LAYER), "recurrence", "for _ in range(a.size // columns - T):", "for _ in range(0):"),
    (check_layer, ("unit", *LAYER), "recurrence", "for k in range(dh.size // columns - T):", "for k in range(0):"),
    (check_layer, ("unit", *LAYER), "recurrence", "total, lost = add(total, lost, columns[b, n])",
     "total = columns[b, n]"),
    (check_digits, (), "reduce", "total, lost = add(total, lost, x[uint64(r) * uint64(N) + uint64(n)])",
     "total += x[uint64(r) * uint64(N) + uint64(n)]"),
    (check_digits, (), "reduce", "x, R = part, G", "return flat(part)"),
    (check_product, (np.float64,), "reduce", "lanes[l, k] += lanes", "lanes[l, k] = lanes"),
    (check_product, (np.float64,), "reduce", "min((g + 1) * ROWS, R)", "R"),
    (check_product, (np.float64,), "reduce", "part[g * N + n] =", "part[n] ="),
    (check_product, (np.float64,), "linear", "if i0 + i < I and k0 + k < high else", "if i0 + i < I else"),
    (check_product, (np.float64,), "linear", "if j0 + j < J and", "if"),
    (check_product, (np.float64,), "linear", "                if i < I and j < J:\n", "                if True:\n"),
    (check_product, (np.float64,), "linear", " + bias[j]", ""),
    (check_product, (np.float64,), "linear", "c[r, s] += a[", "c[r, s] = a["),
    (check_product, (np.float64,), "linear", "block // across % down * tile", "0"),
    (check_product, (np.float64,), "linear", 'product(dy, W, dx, T * B, M, N, "NN")',
     'product(dy, W, dx, T * B, M, N, "NT")'),
    (check_product, (np.float64,), "linear", "low, high = g * terms,", "low, high = 0,"),
    (check_product, (np.float64,), "linear", "None if b is None else sums(dy, N)", "sums(dy, N)"),
    (check_layer, ("linear", *LAYER), "linear", "dy, dx = without_padding(dy, lengths),", "dy, dx = dy,"),
    (check_layer, ("linear", *LAYER), "linear", "    x = without_padding(x, lengths)\n", ""),
    (check_layer, ("linear", *LAYER), "linear", "return without_padding(y, lengths),", "return y,"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "- total - d * slope", "- d * slope"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", " - d * slope)", ")"),
    (check_layer, ("batchnorm", np.float64, 2, 1, None, "running"), "batchnorm", "x.dtype.type(own / count)",
     "x.dtype.type(1 / count)"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "inverse(var[n], eps) * (both[n + var.size] - rest[n] * both[n])",
     "both[n + var.size]"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "                if t < steps[b]:\n",
     "                if True:\n"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "t, b = t + b // B, b % B", "b = b % B"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "int(expect_lengths(lengths, T, B).sum())", "T * B"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "weight * (unbiased * var[n]", "weight * (var[n]"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", "seconds[l, k] += seconds", "seconds[l, k] += firsts"),
    (check_layer, ("batchnorm", *LAYER), "batchnorm", 'self.buffers["updates"] += 1', "pass"),
    (check_one_value, (), "batchnorm", "count >= 2 and", "count >= 1 and"),
    (check_digits, (), "batchnorm", "two_sums(POWERS, x, x, mean, mask, steps), share",
     "two_sums(POWERS, x, x, near, mask, steps), share"),
    (check_statistics, (np.float64,), "batchnorm", "value = both[n + var.size] * share - rest[n] * rest[n]",
     "value = both[n + var.size]"),
    (check_range, (np.float32,), "batchnorm", "y[p] = m * ((x[p] - mean[n] - rest[n])", "y[p] = m * ((x[p] - mean[n])"),
    (check_range, (np.float32,), "batchnorm", "d = x[p] - mean[n] - rest[n]", "d = x[p] - mean[n]"),
    (check_range, (np.float32,), "batchnorm", " - rest[n] * both[n])", ")"),
    (check_range, (np.float32,), "batchnorm", " + (value - value)", ""),
    (check_layer, ("after", *LAYER), "batchnorm", "y[p] = m * ((x", "y[p] = ((x"),
    (check_layer, ("after", *LAYER), "batchnorm", "d = mask * dy ", "d = dy "),
    (check_layer, ("after", *LAYER), "batchnorm", "(m * dy[p]", "(dy[p]"),
    (check_layer, ("after", *LAYER), "batchnorm", "mask[b * N + n if mask.size > N else n]", "mask[n]"),
    (check_layer, ("sharp", *LAYER), "batchnorm", "eps=self.eps, mask", "mask"),
    (check_layer, ("sharp", *LAYER), "batchnorm", "layer.momentum, layer.eps", "layer.momentum, 1e-5"),
    (check_layer, ("sharp", *LAYER), "batchnorm", "layer.momentum, layer.eps", "0.1, layer.eps"),
    (check_masks, (), "dropout", "bits(seed, uint64(i))", "bits(seed, uint64(i + 1))"),
    (check_masks, (), "dropout", ">> uint64(11)", ">> uint64(12)"),
    (check_layer, ("unit", *LAYER), "dropout", "x[p] * mask[c]", "x[p] * mask[c % 3]"),
    (check_layer, ("dropout", *LAYER), "dropout", "self.p = layer.p", "self.p = 0.0"),
    (check_layer, ("dropout", *LAYER), "dropout", "x, mask = without_padding(x, lengths),", "x, mask = x,"),
    (check_squares, (np.float64,), "losses", "(error + error) * share", "error * share"),
    (check_squares, (np.float64,), "losses", "terms[i] = error * error * share", "terms[i] = error * error"),
    (check_classes, (np.float64,), "losses", "ONE if k == low + right else ZERO", "ZERO"),
    (check_classes, (np.float32,), "losses", "largest = y[k] if y[k] > largest else largest", "largest = ZERO"),
    (check_classes, (np.float64,), "losses", "largest)) * share if right >= 0 else ZERO", "largest)) * share"),
    (check_classes, (np.float64,), "losses", "ZERO)) * share if right >= 0 else ZERO", "ZERO)) * share"),
    (check_adam, (np.float64,), "optim", "g = clamped(grad[i], limit)", "g = grad[i]"),
    (check_adam, (np.float64,), "optim", 'self.decay if parameter.role == "weight" else 0.0', "self.decay"),
    (check_adam, (np.float64,), "optim", 'bound if parameter.role == "recurrent" else np.inf', "np.inf"),
    (check_adam, (np.float64,), "optim", "limit if x > limit else -limit if x < -limit else x",
     "limit if x > limit else x if x >= -limit else -limit"),
    (check_adam, (np.float64,), "optim", "rate / (1 - self.beta1**k)", "rate"),
    (check_adam, (np.float64,), "optim", "some2 * (g * g - v[i])", "some1 * (g * g - v[i])"),
    (check_adam, (np.float64,), "optim", "= optimiser.beta1, optimiser.beta2", "= 0.9, optimiser.beta2"),
    (check_adam, (np.float64,), "optim", "= optimiser.beta1, optimiser.beta2", "= optimiser.beta1, 0.999"),
    (check_adam, (np.float64,), "optim", "= optimiser.epsilon, optimiser.decay", "= 1e-8, optimiser.decay"),
    (check_adam, (np.float64,), "optim", "= optimiser.epsilon, optimiser.decay", "= optimiser.epsilon, 0.0"),
    (check_adam, (np.float64,), "twin", "self._copy(own.value), own.role", 'self._copy(own.value), "weight"'),
    (check_penalty, (np.float64,), "bounds", "excess(u[n], bound) / norm", "excess(u[n], bound)"),
    (check_penalty, (np.float64,), "bounds", "u + bound if u < -bound", "-u - bound if u < -bound"),
    (check_penalty, (np.float64,), "bounds", "if n < u.size and norm > ZERO", "if n < u.size"),
    (check_penalty, (np.float64,), "bounds", "    if n == 0:\n", "    if True:\n"),
    (check_layer, ("residual", *LAYER), "combinators", "y[p] if t < steps[b] else ZERO", "y[p]"),
    (check_layer, ("residual", *LAYER), "combinators", "return total(dy, dx, lengths), grads\n\n\nclass Concat",
     "return dx, grads\n\n\nclass Concat"),
    (check_layer, ("concatenate", *LAYER), "combinators", "z[p] = x[row * uint64(K) + uint64(n)]",
     "z[p] = x[row * uint64(N) + uint64(n)]"),
    (check_layer, ("concatenate", *LAYER), "padding", "uint64(M + n)] if", "uint64(n)] if"),
    (check_layer, ("concatenate", *LAYER), "combinators",
     "        if t >= steps[b]:\n            z[p] = ZERO\n        elif", "        if"),
    (check_layer, ("concatenate", *LAYER), "combinators", "uint64(n - M)]", "uint64(n - K)]"),
    (check_layer, ("last", *LAYER), "combinators", "uint64(steps[b] - 1)", "uint64(x.size // y.size - 1)"),
    (check_layer, ("last", *LAYER), "combinators", "if t == steps[c // N] - 1 else", "if t == steps[0] - 1 else"),
    (check_layer, ("before", *LAYER), "indrnn", "            da, grads = self.norm.backward(da, of_norm)",
     "            _, grads = self.norm.backward(da, of_norm)"),
    (check_layer, ("after", *LAYER), "indrnn", "            dy, grads = self.norm.backward(dy, of_norm)",
     "            _, grads = self.norm.backward(dy, of_norm)"),
    (check_layer, ("unit", *LAYER), "indrnn", "            dy = dropout_backward(dy, of_dropout)", "            pass"),
    (check_layer, ("indrnn", *LAYER), "indrnn", "self.linear.backward(da, of_linear)",
     "self.linear.backward(dy, of_linear)"),
    (check_layer, ("indrnn, after", *LAYER), "indrnn", "self.unit.absorb(cache.of_unit, average=average)", "pass"),
    (check_layer, ("tanh", *LAYER), "indrnn", "= layer.activation,", '= "relu",'),
    (check_layer, ("unit", *LAYER), "indrnn", "layer.order, layer.dropout", "layer.order, 0.0"),
    (check_network, (*NETWORK, ), "twin", "limit=clip, ", ""),
    (check_network, (*NETWORK, ), "twin", "bound=np.inf if bound is None or penalty else bound", "bound=np.inf"),
    (check_network, ("stacked", np.float64, minindrnn.cross_entropy, None, 3, 0.3), "twin", "if parameter.role",
     "if parameter.role is None and parameter.role"),
    (check_network, ("stacked", np.float64, minindrnn.cross_entropy, RAGGED), "twin",
     'sent(x), lengths=lengths, statistics="batch"', 'sent(x), statistics="batch"'),
    (check_network, ("stacked", np.float64, minindrnn.cross_entropy, RAGGED), "twin",
     "sent(x), lengths=lengths, statistics=statistics", "sent(x), statistics=statistics"),
    (check_network, ("stacked", np.float64, minindrnn.cross_entropy, None, 3, 0.3), "twin",
     "bound is None or penalty else", "bound is None else"),
    (check_network, NETWORK, "twin", "if self.place % AHEAD == 0:", "if self.place == 0:"),
    (check_network, NETWORK, "twin", "there.copy_to_host(host)", "pass"),
    (check_network, NETWORK, "twin", "Parameter(self._copy(own.value)", "Parameter(cuda.to_device(own.value)"),
    (check_network, NETWORK, "twin", "{name: self._copy(array)", "{name: cuda.to_device(array)"),
    (check_network, NETWORK, "optim", "arrays, optimiser.updates", "arrays, optimiser.updates.copy()"),
    (check_normed, (), "twin", "{name: self._copy(buffer)", "{name: cuda.to_device(buffer)"),
    (check_normed, (), "twin", '"updates": layer.buffers["updates"]', '"updates": layer.buffers["updates"].copy()'),
    (check_normed, (), "twin", "statistics=statistics)", 'statistics="batch")'),
    (check_normed, (), "twin", 'statistics="batch", rng=rng)\n            dy', "rng=rng)\n            dy"),
    (check_normed, (), "twin", 'statistics="batch", rng=rng)\n            dy', 'statistics="batch")\n            dy'),
    (check_normed, (), "twin", "            self.network.absorb(cache)\n", ""),
    (check_resumed, (), "twin", "there.copy_to_device(host)", "pass"),
    (check_resumed, (), "twin", "self.network.backward(y, cache)\n            cuda",
     "self.network.absorb(cache)\n            cuda"),
]


@simulated
def test_every_fault_is_caught(gpu, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    missed = []
    for number, (check, arguments, module, old, new) in enumerate(FAULTS):
        name = f"faulty{number}"
        shutil.copytree(GPU, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        source = (tmp_path / name / f"{module}.py").read_text()
        assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {module}.py"
        (tmp_path / name / f"{module}.py").write_text(source.replace(old, new))
        simulator.make_small(name)
        verdict = None
        try:
            check(Package(name), *arguments)
        except (ImportError, NameError):               # a mistake in the table or in the test
            raise
        except Exception as error:
            verdict = f"{type(error).__name__}: {' '.join(str(error).split())}"
        print(f"  {module:10} {old.strip()[:60]!r:64} {verdict or 'MISSED'}"[:150])
        missed += [] if verdict else [f"{module}: {old!r} -> {new!r}"]
    assert not missed, missed
