# %% [markdown]
# # 7. Break the gradient
#
# A wrong gradient rarely crashes. The loss may even fall. So this project does not ask whether its tests pass; it asks
# whether they would fail if the code were wrong. Here you break a backward pass on purpose and watch which check
# notices, see why one random direction is enough to check a million numbers, and visit a museum of published mistakes.
#
# You need [tutorial 2](02_backward_by_hand.ipynb), where the backward pass is derived.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import erf

from minindrnn import (
    LSTM,
    SGD,
    Adam,
    BatchNorm,
    Bidirectional,
    GradientError,
    IndRNN,
    Parameter,
    Problem,
    StackedIndRNN,
    check,
    indrnn_forward,
    largest,
    leaves,
    mean_squared_error,
    project,
    smallest,
    train_step,
)
from minindrnn.checks.gradcheck import EPS, TOLERANCE
from minindrnn.exercises.checker import ExerciseError, check_exercise

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## What is a mutant?
#
# A copy of a correct function with one line changed. This is the correct one, five lines of algebra from tutorial 2:
#
# $$dz_t = (dh_t + \mathrm{carry}) * [h_t > 0], \qquad \mathrm{carry} = u * dz_t, \qquad da_t = dz_t$$
#
# $$du = \sum_{t,b} dz_t * h_{t-1}, \qquad dh0 = \mathrm{carry}\ \ \mathrm{after\ step\ 0}$$

# %%
def forward(a, u, h0):
    h, before = np.empty_like(a), h0
    for t in range(len(a)):
        h[t] = before = np.maximum(a[t] + u * before, 0)
    return h, (u, h0, h)


def backward(dh, cache):
    u, h0, h = cache
    da, du, carry = np.empty_like(dh), np.zeros_like(u), np.zeros_like(h0)
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + carry) * (h[t] > 0)
        carry = u * da[t]
        before = h[t - 1] if t > 0 else h0
        du += (da[t] * before).sum(axis=0)
    return da, du, carry

# %% [markdown]
# A mutant is then a pair of strings, the old text and the new one; `exec` runs the changed source. People make every
# one of these mistakes.

# %%
MUTANTS = {
    "nothing changed": ("", ""),
    "no carry": ("dh[t] + carry", "dh[t]"),
    "carry without u": ("carry = u * da[t]", "carry = da[t]"),
    "no derivative of relu": (" * (h[t] > 0)", ""),
    "h[t] for h[t-1] in du": ("(da[t] * before)", "(da[t] * h[t])"),
    "mean for sum": (".sum(axis=0)", ".mean(axis=0)"),
    "h0 left out of du": ("else h0", "else 0 * h0"),
    "dh0 left out": ("return da, du, carry", "return da, du, 0 * carry"),
    "du a third of a percent off": ("return da, du, carry", "return da, 1.003 * du, carry"),
}


def mutant(old, new):
    source, scope = inspect.getsource(backward), {"np": np}
    assert not old or source.count(old) == 1
    exec(source.replace(old, new), scope)
    return scope["backward"]

# %% [markdown]
# ## Which check notices?
#
# Here are three checks that people use. The first: **does it train?** Learn a small task by the gradient, and see
# whether the loss falls to a tenth.

# %%
def it_trains(backward):
    """Add up the inputs of 4 steps: h[t] = relu(W x[t] + u h[t-1]), y = v h[-1]."""
    rng, losses = np.random.default_rng(0), []
    values = {"W": rng.normal(size=(16, 2)), "u": rng.uniform(0, 1, 16), "v": rng.normal(0, 0.2, 16)}
    W, u, v = values.values()
    optimiser = Adam({name: Parameter(value, "weight") for name, value in values.items()})
    for _ in range(600):
        x = rng.uniform(-1, 1, (4, 32, 2))
        h, cache = forward(x @ W.T, u, np.zeros((32, 16)))
        error = h[-1] @ v - x[:, :, 0].sum(axis=0)
        losses.append(np.mean(error**2))
        dh = np.zeros_like(h)
        dh[-1] = np.outer(2 * error / 32, v)
        da, du, _ = backward(dh, cache)
        optimiser.update({"W": np.einsum("tbn,tbm->nm", da, x), "u": du, "v": 2 / 32 * error @ h[-1]}, 0.02)
    return np.mean(losses[-50:]) < np.mean(losses[:5]) / 10

# %% [markdown]
# The second: **one number** of each gradient, compared with finite differences. The loss is the sum of all outputs, the
# state starts at 0, and the tolerance is 1 %.

# %%
def problem(backward, rng, drawn=True):
    T, B, N = rng.integers(2, 7, 3)
    arrays = {"a": rng.normal(size=(T, B, N)), "u": rng.uniform(-1.1, 1.1, N)}
    h0 = rng.normal(size=(B, N)) * drawn
    arrays |= {"h0": h0} if drawn else {}
    return Problem(arrays, lambda: forward(arrays["a"], arrays["u"], h0),
                   lambda dh, cache: dict(zip(("a", "u", "h0"), backward(dh, cache))))


def one_number(backward):
    for seed in range(10):
        p, rng = problem(backward, np.random.default_rng(seed), drawn=False), np.random.default_rng(seed)
        h, cache = p.forward()
        for name, array in p.arrays.items():
            place = tuple(rng.integers(size) for size in array.shape)
            kept, sums = array[place], []
            for array[place] in kept + EPS, kept - EPS, kept:
                sums.append(p.forward()[0].sum())
            analytic, numeric = p.backward(np.ones_like(h), cache)[name][place], (sums[0] - sums[1]) / (2 * EPS)
            if not np.isclose(analytic, numeric, rtol=1e-2, atol=1e-2):
                return False
    return True

# %% [markdown]
# The third: **one direction.** `minindrnn.check` moves a whole array along a random direction, for a random weighting
# of the outputs, a drawn state, and a tolerance of a millionth. It sees the same ten drawn problems as the second.

# %%
def one_direction(backward):
    try:
        for seed in range(10):
            check(problem(backward, np.random.default_rng(seed)), np.random.default_rng(seed))
    except GradientError:
        return False
    return True

# %%
CHECKS = {"it trains": it_trains, "one number": one_number, "one direction": one_direction}
passed = {name: [test(mutant(*change)) for test in CHECKS.values()] for name, change in MUTANTS.items()}

print(f"{'':<30}" + "".join(f"{name:<16}" for name in CHECKS))
for name, results in passed.items():
    print(f"{name:<30}" + "".join(f"{'passes' if result else 'NOTICED':<16}" for result in results))

assert passed["nothing changed"] == [True, True, True]
assert not any(results[2] for name, results in passed.items() if name != "nothing changed")
assert all(results[0] for results in passed.values())
assert [name for name, results in passed.items() if results[1]][1:] == list(MUTANTS)[-3:]

# %% [markdown]
# Training is no check: with every one of these faults the loss falls to less than a tenth. A gradient that points
# roughly the right way is enough to learn something, and Adam even ignores a wrong scale. The check of one number
# starts from state 0, so it cannot see faults of that state, and its 1 % hides smaller errors. One random direction
# finds all of them.
#
# ## Where is it wrong?
#
# Noticing a fault is not finding it. When a direction disagrees, `check` goes through the array one number at a time
# and names the worst one. If you write a backward pass you want to know more: which number is wrong *first*, in a
# problem as small as possible? Errors travel backwards in time, so look at the last wrong step. The checker of the
# exercises names it:

# %%
def said_of(old, new):
    wrong = mutant(old, new)
    wrong.__name__ = "indrnn_backward"
    try:
        return check_exercise("recurrence", wrong)
    except ExerciseError as error:
        return str(error)


for name in ("nothing changed", "no carry", "h[t] for h[t-1] in du"):
    print(f"{name}\n    {said_of(*MUTANTS[name])}\n")
assert said_of(*MUTANTS["nothing changed"]).startswith("right: ")
assert said_of(*MUTANTS["no carry"]).startswith("da[0, 0, 0] (time step 0, sequence 0, neuron 0): got ")
assert said_of(*MUTANTS["h[t] for h[t-1] in du"]).startswith("du[0] (neuron 0): got ")

# %% [markdown]
# Without the carry the last step is right and the one before it is wrong. So the fault lies in what a step hands back.
#
# `tests/test_mutants.py` breaks the package in the same way, in more than a hundred places. A mutant that survives
# fails the tests.
#
# ## Why is one direction enough?
#
# Say backward returns `g + e`, where `g` is right and `e` is the error, any array that is not 0. Along a direction `v`
# with independent normal numbers the check sees only
#
# $$\langle g + e, v \rangle - \langle g, v \rangle = \langle e, v \rangle \sim \mathcal{N}(0, |e|^2)$$
#
# a normal number whose standard deviation is the length of `e`. It does not matter whether one number out of a million
# is wrong or a million numbers are slightly wrong. The check misses the mistake if the normal number falls within the
# tolerance `d`:
#
# $$P(\mathrm{missed}) = P(|\langle e, v \rangle| \le d) = \mathrm{erf}\left(\frac{d}{\sqrt 2\, |e|}\right)
# \approx 0.8\, \frac{d}{|e|}$$
#
# The check misses an error of a thousand tolerances once in 1250 draws, and twice in a row about once in 1.6 million.

# %%
rng = np.random.default_rng(0)
ratios, draws = np.logspace(-0.5, 2.5, 13), 20_000               # |e| / d
e_one, e_all = np.zeros(200), rng.normal(size=200)
e_one[17] = 1

figure, axes = plt.subplots(figsize=(8, 3.2))
for e, marker, label in ((e_one, "o", "one number of 200 is wrong"), (e_all, "+", "all 200 are wrong")):
    seen = np.abs(rng.normal(size=(draws, 200)) @ (e / np.linalg.norm(e)))
    missed = np.array([np.mean(seen * ratio <= 1) for ratio in ratios])
    expected = erf(1 / ratios / np.sqrt(2))
    assert np.all(np.abs(missed - expected) < 5 * np.sqrt(expected * (1 - expected) / draws) + 1e-4)
    axes.loglog(ratios, missed, marker, markersize=9, label=label)
axes.loglog(ratios, expected, color="0.4", label="erf(d / (sqrt(2) |e|))")
axes.set(xlabel="length of the error, in tolerances: |e| / d", ylabel="share of draws that miss it",
         title="One random direction misses small errors only")
axes.legend(frameon=False)
plt.show()
assert np.isclose(erf(1 / 1000 / np.sqrt(2)), 1 / 1250, rtol=0.01)

# %% [markdown]
# The tolerance of the package is `1e-6`, relative to the larger side, or to 1 if both are small. Rounding and curvature
# leave some `1e-9` (tutorial 2), so a right gradient passes. An error of one in a thousand is a thousand tolerances.
#
# ## Why not draw simple values?
#
# relu has a kink at 0. If the path from `p - eps v` to `p + eps v` crosses one, the differences are wrong and a right
# gradient looks wrong. `check` compares the slopes to the left and to the right and draws another direction if they
# disagree. But where `z` is exactly 0, every direction has a kink, and another draw does not help. Simple numbers make
# zeros; numbers from a continuous distribution do not.

# %%
def with_a_zero(values):
    """In how many of 500 small problems some pre-activation is within 1e-4 of the kink."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(500):
        a, u = values(rng, (4, 2, 2)), values(rng, 2)
        h, _ = forward(a, u, np.zeros((2, 2)))
        z = a + u * np.concatenate([np.zeros((1, 2, 2)), h[:-1]])
        found += np.abs(z).min() < 1e-4
    return found


simple = with_a_zero(lambda rng, shape: rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], shape))
normal = with_a_zero(lambda rng, shape: rng.normal(size=shape))
print(f"on the kink: {simple} of 500 problems with simple numbers, {normal} with normal ones")
assert simple > 400 and normal < 10

z = np.zeros(3)
try:
    check(Problem({"z": z}, lambda: (np.maximum(z, 0), None), lambda dh, cache: {"z": 0 * dh}), rng)
    raise AssertionError("a kink was not noticed")
except GradientError as error:
    print(error)

# %% [markdown]
# # A museum of mistakes
#
# Every exhibit comes from published code, reduced to a few lines. First an `assert` shows the damage. Then a property
# that would have caught the mistake is tested on the package. We name nobody: all of these mistakes are easy to make.
#
# ## Exhibit 1: a check that cannot fail
#
# Several gradient checks take the sum of all outputs as the loss. The outputs of softmax sum to 1 for every input. So
# that loss is constant, its gradient is 0, and so is any multiple of it: a backward pass that is wrong by a factor of
# two passes.

# %%
def softmax(y):
    p = np.exp(y - y.max())
    return p / p.sum()


def softmax_backward(w, p, factor=1):
    return factor * p * (w - np.sum(w * p))


y, v = rng.normal(size=(2, 5))
for w, said in (np.ones(5), "ones"), (rng.normal(size=5), "random weights"):
    numeric = np.sum(w * (softmax(y + EPS * v) - softmax(y - EPS * v))) / (2 * EPS)
    agrees = [abs(softmax_backward(w, softmax(y), factor) @ v - numeric) < TOLERANCE for factor in (1, 2)]
    print(f"{said:<16} right: {'passes' if agrees[0] else 'fails'}   doubled: {'passes' if agrees[1] else 'fails'}")
    assert agrees == [True, said == "ones"]

# %% [markdown]
# ## Exhibit 2: a name that never matches
#
# A flag was meant to start the last layer's recurrent weights near 1. The code looked for them by a part of their name.
# In one of the networks they had another name. The flag did nothing, but the logs said that it was set.
#
# Property: count the changed parameters. The package chooses by role and by position, and the last layer starts where
# it should.

# %%
network = StackedIndRNN(inputs=2, neurons=32, layers=3, outputs=1, rng=rng, length=100)
names = [path for path, _ in leaves(network.parameters)]
touched = [name for name in names if "last_layer.u" in name]
assert touched == []                                             # no error, and no effect
print("names:", *names)

recurrent = [parameter.value for _, parameter in leaves(network.parameters) if parameter.role == "recurrent"]
assert len(recurrent) == 3
assert recurrent[-1].min() > smallest(100) - 1e-6 and recurrent[0].min() < smallest(100) - 0.1

# %% [markdown]
# ## Exhibit 3: a bound that is also a floor
#
# A layer took a smallest and a largest `|u|`, both 2 by default. So it lifted every recurrent weight to 2 and then cut
# it to 2. Another layer clipped the input weights, and never `u`.
#
# Property: a projection does not change numbers within the bound, and returns only such numbers.

# %%
u = rng.uniform(-1, 1, 50)
floored = np.sign(u) * np.clip(np.abs(u), 2, 2)
assert np.all(np.abs(floored) == 2)

layer = IndRNN(3, 50, rng, u=(-3, 3), dtype=np.float64)
before, W = layer["u"].copy(), layer["W"].copy()
project(layer.parameters, 1.5)
inside = np.abs(before) <= 1.5
assert inside.any() and not inside.all() and np.array_equal(layer["W"], W)
assert np.array_equal(layer["u"][inside], before[inside]) and np.abs(layer["u"]).max() <= 1.5

# %% [markdown]
# ## Exhibit 4: bounded before the update
#
# The code applied the bound before each forward pass. The update comes later, so the weights saved after the last
# update can be outside. Over many steps a little outside is a lot: here the bound lets the gradient double over 10 000
# steps.
#
# Property: after an update, `|u|` is within the bound, however large the update.

# %%
T, u, update = 10_000, np.array([1.0]), 0.001
bound = largest(T)
saved = np.clip(u, -bound, bound) + update                       # clip, then learn
assert saved.max()**T > 20_000                                   # instead of 2
saved = np.clip(u + update, -bound, bound)                       # learn, then clip
assert np.isclose(saved.max()**T, 2)

x, target = rng.normal(size=(100, 4, 2)).astype(np.float32), rng.normal(size=(4, 1)).astype(np.float32)
train_step(network, mean_squared_error, SGD(network.parameters), x, target, 10.0, bound=network.bound)
assert any(np.abs(u).max() == np.float32(network.bound) for u in recurrent)      # the update went over it
assert all(np.abs(u).max() <= np.float32(network.bound) for u in recurrent)

# %% [markdown]
# ## Exhibit 5: a recurrent layer without memory
#
# The loop computed each step from the initial state and never passed its result to the next step. All shapes are right,
# but there is no recurrence.
#
# Property: the input of step 0 reaches step 2.

# %%
def forgetful(a, u, h0):
    h = np.empty_like(a)
    for t in range(len(a)):
        h[t] = np.maximum(a[t] + u * h0, 0)                      # and h0 stays what it is
    return h


def reaches(forward):
    a, u, h0 = np.ones((3, 1, 1)), np.array([0.9]), np.zeros((1, 1))
    changed = a.copy()
    changed[0] += 1
    return forward(changed, u, h0)[2] != forward(a, u, h0)[2]


assert not reaches(forgetful) and reaches(lambda a, u, h0: indrnn_forward(a, u, h0)[0])

# %% [markdown]
# ## Exhibit 6: read backwards, not turned back
#
# A second layer reads the sequence from its end. The code must reverse its outputs before it appends them to the first
# layer's. It did not: step `t` met step `T - 1 - t`.
#
# Property: at step `t` the second half depends on steps `t` and later only.

# %%
T, width = 6, 4
ahead, behind = (IndRNN(2, width, np.random.default_rng(seed), activation="tanh", dtype=np.float64) for seed in (1, 2))
x = rng.normal(size=(T, 1, 2))


def knows(layer):
    """(T, T): does the second half at step t change when x[s] does?"""
    there, table = layer(x)[:, 0, -width:], []
    for s in range(T):
        changed = x.copy()
        changed[s] += 1
        table.append(np.abs(layer(changed)[:, 0, -width:] - there).max(axis=1) > 0)
    return np.array(table).T


def unturned(x):
    return np.concatenate([ahead.forward(x)[0], behind.forward(x[::-1].copy())[0]], axis=2)


later = np.triu(np.ones((T, T), bool))
assert np.array_equal(knows(lambda x: Bidirectional(ahead, behind).forward(x)[0]), later)
assert np.array_equal(knows(unturned), later[::-1])

# %% [markdown]
# ## Exhibit 7: a variance of one
#
# Batch normalisation with statistics of each step divided by `B - 1` for its running variance. A last batch of one
# sequence gives `0 / 0`. The NaN enters the average once and stays for ever. Training goes on, since only the
# evaluation reads the average.
#
# Property: running statistics are finite after every batch. In the package a single value has no variance of its own.

# %%
B, running = 1, np.ones(3)
x = rng.normal(size=(5, B, 3))
with np.errstate(invalid="ignore"):
    unbiased = np.sum((x[0] - x[0].mean(axis=0))**2, axis=0) / np.float64(B - 1)
assert np.isnan(0.9 * running + 0.1 * unbiased).all()

norm = BatchNorm(3, length=5, dtype=np.float64)
norm.absorb(norm.forward(x, statistics="batch")[1])
assert all(np.isfinite(buffer).all() for buffer in norm.buffers.values())

# %% [markdown]
# ## Exhibit 8: padding that counts
#
# Sequences of different length are padded with zeros, and batch normalisation takes the zeros for data. Beside a longer
# sequence, the same sequence then has a different result, and the loss jumps between training and use. None of the
# eleven projects that we looked at left padding out.
#
# Property: fill the padding with NaN. If nothing changes, it was not read.

# %%
lengths = np.array([6, 2])
x = 5 + rng.normal(size=(6, 2, 3))
padding = np.arange(6)[:, None] >= lengths
x[padding] = 0
assert np.all(x.mean(axis=(0, 1)) < 4) and np.all(x[~padding].mean(axis=0) > 4)      # the mean is 5, about

norm = BatchNorm(3, dtype=np.float64)
y, _ = norm.forward(x, lengths=lengths, statistics="batch")
x[padding] = np.nan
assert np.array_equal(norm.forward(x, lengths=lengths, statistics="batch")[0], y)
assert np.allclose(y[~padding].mean(axis=0), 0)

# %% [markdown]
# ## Exhibit 9: the last batch wraps round
#
# The code read the test set in batches of fixed size and filled the last batch up from the beginning. Accuracies were
# over 10 016 images of 10 000: sixteen counted twice.
#
# Property: every sample counts once.

# %%
def wrapped(count, size):
    return [np.arange(start, start + size) % count for start in range(0, count, size)]


def once(count, size):
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


for batches, right in (wrapped, False), (once, True):
    counted = np.bincount(np.concatenate(batches(10_000, 32)))
    assert np.all(counted == 1) == right
assert sum(map(len, wrapped(10_000, 32))) == 10_016

# %% [markdown]
# ## Exhibit 10: time and batch exchanged
#
# A baseline received `(B, T, M)` where it expected `(T, B, M)`. No error is raised. The baseline reads the sequences of
# a batch as if they were the steps of one, and the new method looks better beside it.
#
# Property: no sequence depends on another, and no step on a later one.

# %%
lstm = LSTM(2, 4, np.random.default_rng(3), dtype=np.float64)
x = rng.normal(size=(5, 5, 2))                                   # T = B: no shape can tell


def knows_others(layer):
    changed = x.copy()
    changed[:, 0] += 1                                           # sequence 0 changes
    return not np.array_equal(layer(changed)[:, 1:], layer(x)[:, 1:])


def exchanged(x):
    return lstm.forward(x.swapaxes(0, 1).copy())[0].swapaxes(0, 1)


assert knows_others(exchanged) and not knows_others(lambda x: lstm.forward(x)[0])

# %% [markdown]
# ## What do they have in common?
#
# None of the ten raises an error, and all shapes are right. A test by example must know the right number. A property
# need not: it says what must not matter (padding, other sequences, later steps, how data is cut into batches) or what
# must (the first step, a random direction).
#
# ## Exercises
#
# 1. A forward pass computes relu by `np.where(z > 0, z, 0)`. What does it make of NaN, and why is that bad? Write the
#    property.
# 2. A backward pass adds to an array `du` that it keeps between calls. Which of the three checks at the top notices?
#    Which property would?
# 3. Take `python -m minindrnn exercise lstm --start mine.py`, solve it, and then break one line of your solution at a
#    time. Does the checker name the array that you broke?
#
# The answers to 1 and 2 follow, checked. Try first.

# %%
z = np.array([np.nan, -1.0, 2.0])
assert np.array_equal(np.where(z > 0, z, 0), [0, 0, 2])          # a network that has diverged looks alive
assert np.isnan(np.where(z <= 0, 0, z)[0])                       # the other way round NaN passes
h, _ = indrnn_forward(z[:1].reshape(1, 1, 1), np.ones(1))
assert np.isnan(h).all()                                         # property: NaN reaches the output


class Keeping:
    """A backward pass that adds du up from call to call."""

    def __init__(self):
        self.du = 0

    def __call__(self, dh, cache):
        da, du, dh0 = backward(dh, cache)
        self.du = self.du + du
        return da, self.du, dh0


assert it_trains(Keeping()) and not one_number(Keeping())        # the second calls backward once for each array,
check(problem(Keeping(), np.random.default_rng(0)), rng)         # the third once for a problem: it needs two of them
p = problem(Keeping(), np.random.default_rng(0))
h, cache = p.forward()
first, second = (p.backward(h, cache)["u"] for _ in range(2))
assert not np.array_equal(first, second)                         # property: backward twice gives the same twice

# %% [markdown]
# Next: [your own sequences](08_your_own_sequences.ipynb).
