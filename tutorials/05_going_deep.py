# %% [markdown]
# # 5. Going deep
#
# A layer of independent neurons is simple, and on its own it is weak. Depth makes up for it: the IndRNN papers go to 21
# and 40 recurrent layers. All their networks combine layers in three ways: one after another, added to their input, or
# appended to their input. The backward pass of each is one line. This tutorial writes them out and shows how far
# gradients reach through them. It ends with batch normalisation, which the deep networks use, and its traps.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # for matrices as small as these, more threads only wait

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from minindrnn import (
    Adam,
    AtLastStep,
    Chain,
    Concatenate,
    IndRNN,
    Linear,
    Problem,
    Residual,
    StackedIndRNN,
    Unit,
    batchnorm_backward,
    batchnorm_forward,
    check,
    cross_entropy,
    leaves,
    scaled,
    train_step,
)
from minindrnn.checks.gradient_flow import deep_networks, gradient_norms
from minindrnn.data.digits import load_digits

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## Why more than one layer?
#
# Within a layer no neuron sees what another remembers. The next layer's `W` mixes them:
#
# $$h^2_t = \mathrm{act}(W_2 h^1_t + b_2 + u_2 * h^2_{t-1})$$
#
# The superscript is the number of the layer. The gradient shows what depends on what: how does one output neuron change
# with the recurrent weights of the first layer?

# %%
rng = np.random.default_rng(4)
N, options = 4, dict(dtype=np.float64)
one, two = IndRNN(3, N, rng, **options), IndRNN(N, N, rng, **options)
x = rng.normal(size=(6, 2, 3))

for network, path in ((Chain([one]), "0.u"), (Chain([one, two]), "0.u")):
    h, cache = network.forward(x)
    dh = np.zeros_like(h)
    dh[-1, :, 0] = 1                                             # the last state of neuron 0
    du = dict(leaves(network.backward(dh, cache)[1]))[path]
    print(f"{len(network.layers)} layer(s): du of the first layer = {du.round(4)}")
    assert np.count_nonzero(du) == (1 if len(network.layers) == 1 else N)

# %% [markdown]
# ## How do gradients pass through layers that follow each other?
#
# In reverse order, by the chain rule. A layer gives `y, cache = forward(x)` and `dx, grads = backward(dy, cache)`. The
# `dx` of one layer is the `dy` of the layer before it.
#
# $$y = F_L(\dots F_2(F_1(x))), \qquad dx = F_1'(F_2'(\dots F_L'(dy)))$$
#
# `F'(dy)` stands for the backward pass of `F`.

# %%
class MyChain:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x):
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches):
        grads = []
        for layer, cache in zip(reversed(self.layers), reversed(caches)):
            dy, grad = layer.backward(dy, cache)
            grads.append(grad)
        return dy, grads[::-1]

# %% [markdown]
# ## How do gradients pass through a residual block?
#
# The block reads its input twice, once as it is and once through `F`. Two readers, two terms:
#
# $$y = x + F(x), \qquad dx = dy + F'(dy)$$
#
# Whatever `F` does, `dy` arrives. A skip connection does no more than that.

# %%
class MyResidual:
    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        y, cache = self.layer.forward(x)
        return x + y, cache

    def backward(self, dy, cache):
        dx, grads = self.layer.backward(dy, cache)
        return dy + dx, grads

# %% [markdown]
# ## How do gradients pass through a dense layer?
#
# "Dense" means densely connected: the output of `F` is appended to the channels of `x` (the numbers of one step), so
# that every later layer still sees `x` itself. With `M` channels in `x`,
#
# $$y = [x, F(x)], \qquad dx = dy_{:M} + F'(dy_{M:})$$

# %%
class MyConcatenate:
    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        y, cache = self.layer.forward(x)
        return np.concatenate([x, y], axis=2), (cache, x.shape[2])

    def backward(self, dy, cache):
        cache, M = cache
        dx, grads = self.layer.backward(dy[:, :, M:].copy(), cache)
        return dy[:, :, :M] + dx, grads

# %% [markdown]
# ## Are they right?
#
# Put all three into one network and check it against finite differences, as in [tutorial 2](02_backward_by_hand.ipynb).
# The package's `Chain`, `Residual` and `Concatenate` around the same layers must give the same numbers. A `Unit` is an
# IndRNN layer without its `W x + b`: only the recurrence and the activation.

# %%
layers = (IndRNN(3, 4, rng, **options), Unit(4, rng, **options), Linear(4, 4, rng, dtype=np.float64),
          IndRNN(4, 2, rng, **options))


def build(chain, residual, concatenate):
    first, unit, linear, last = layers
    return chain(first, residual(chain(unit, linear)), concatenate(last))


ours = build(MyChain, MyResidual, MyConcatenate)
theirs = build(lambda *layers: Chain(layers), Residual, Concatenate)
errors = check(Problem({"x": x}, lambda: ours.forward(x), lambda dy, cache: {"x": ours.backward(dy, cache)[0]}), rng)
assert errors["x"] < 1e-6

(y, cache), (same, same_cache) = ours.forward(x), theirs.forward(x)
dy = rng.normal(size=y.shape)
(dx, grads), (same_dx, same_grads) = ours.backward(dy, cache), theirs.backward(dy, same_cache)
assert np.array_equal(y, same) and np.array_equal(dx, same_dx)
assert all(np.array_equal(grad, other) for _, grad, other in leaves(grads, same_grads))

# %% [markdown]
# ## How deep can a gradient reach?
#
# Stack blocks with small weights, and send a gradient of norm 1 through them, from the last step of the top block to
# the input. In a plain stack each block multiplies the gradient by its small weights. In a residual stack each block
# adds to it.

# %%
T, N = 20, 32
x = np.random.default_rng(1).normal(size=(T, 8, N)).astype(np.float32)


def reach(depth, residual):
    """The norm of dL/dx at the input of so many blocks."""
    rng = np.random.default_rng(0)
    blocks = [Chain([Unit(N, rng), Linear(N, N, rng, W=scaled(0.2))]) for _ in range(depth)]
    head = AtLastStep(Linear(N, 1, rng))
    network = Chain([Residual(block) if residual else block for block in blocks] + [head])
    return np.linalg.norm(gradient_norms(network, x, np.random.default_rng(2))[0])


depths = [1, 2, 5, 10, 20, 30, 40]
plain, residual = ([reach(depth, kind) for depth in depths] for kind in (False, True))
assert plain[-1] < 1e-12 and all(0.1 < norm < 1e3 for norm in residual)

figure, axes = plt.subplots(figsize=(8, 3))
axes.semilogy(depths, plain, marker="o", label="plain: y = F(x)")
axes.semilogy(depths, residual, marker="s", label="residual: y = x + F(x)")
axes.set(xlabel="number of blocks", ylabel="norm of dL/dx", title="Small weights, before training")
axes.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# ## How far do gradients reach in depth and in time?
#
# Here are networks of the papers and a tanh RNN, before training, on sequences of 100 steps. A row is a layer or a
# block, with the input at the bottom; a column is a step. The gradient enters at the top right and must reach the lower
# left.

# %%
rng = np.random.default_rng(0)
x = rng.normal(size=(100, 8, 2)).astype(np.float32)
figure, panels = plt.subplots(2, 2, figsize=(8, 5.5), sharex=True)
for axes, (name, network) in zip(panels.flat, deep_networks(100, rng).items()):
    norms = gradient_norms(network, x, np.random.default_rng(2))[:-1]           # without the readout
    image = axes.imshow(np.maximum(norms, 1e-12), norm=LogNorm(1e-12, 1e3), cmap="cividis", aspect="auto",
                        origin="lower", extent=(0, 100, 0.5, len(norms) + 0.5), interpolation="nearest")
    axes.set_title(name, fontsize=11)
    axes.grid(False)
    assert norms[:, 0].max() < 1e-9 if name.startswith("tanh") else 1e-3 < norms.min() < norms.max() < 1e3
for axes in panels[1]:
    axes.set_xlabel("step t")
for axes in panels[:, 0]:
    axes.set_ylabel("layer or block")
figure.colorbar(image, ax=panels, label="norm of the gradient")
plt.show()

# %% [markdown]
# In all three IndRNNs a gradient reaches every layer at every step with a size between 1e-3 and 1e3. In the tanh RNN it
# fades to the left, within its own layer: its problem is time, not depth.
#
# ## What does batch normalisation do?
#
# The IndRNNs above use it. For each channel it takes the mean `m` and the variance `v` over all steps and sequences,
# `n = T B` values (here `n` is a number of values, not a neuron). It brings the channel to mean 0 and variance 1, and
# then applies a learned scale `gamma` and shift `beta`:
#
# $$\hat{x} = (x - m) s, \qquad s = \frac{1}{\sqrt{v + \epsilon}}, \qquad y = \gamma \hat{x} + \beta$$
#
# For the backward pass, list the readers of one value `x`: its own $\hat{x}$ (`xhat` in the code), the mean `m`, the
# variance `v`. With `d` for the gradient of $\hat{x}$, `d = gamma dy`, they contribute
#
# * its own $\hat{x}$: $s d$
# * the mean, which every $\hat{x}$ subtracts: $-\frac{s}{n} \sum d$
# * the variance, which every $\hat{x}$ is divided by: $-\frac{s}{n} \hat{x} \sum d \hat{x}$
#
# For the last one, $dv = -\frac{1}{2} s^3 \sum d (x - m)$ and $\partial v / \partial x = \frac{2}{n} (x - m)$. The mean
# also enters the variance, but with derivative 0. Together:
#
# $$dx = \gamma s \left( dy - \mathrm{mean}(dy) - \hat{x} \cdot \mathrm{mean}(dy \cdot \hat{x}) \right)$$

# %%
def normalise(x, gamma, beta, eps=1e-5):
    s = 1 / np.sqrt(x.var(axis=(0, 1)) + eps)
    xhat = (x - x.mean(axis=(0, 1))) * s
    return gamma * xhat + beta, (xhat, s, gamma)


def normalise_backward(dy, cache):
    xhat, s, gamma = cache
    mean = dy.mean(axis=(0, 1))
    slope = (dy * xhat).mean(axis=(0, 1))
    n = dy[..., 0].size
    return gamma * s * (dy - mean - xhat * slope), n * slope, n * mean          # dx, dgamma, dbeta


rng = np.random.default_rng(0)
x, dy = 5 + 3 * rng.normal(size=(20, 4, 3)), rng.normal(size=(20, 4, 3))
gamma, beta = rng.normal(size=3), rng.normal(size=3)
y, cache = normalise(x, gamma, beta)
theirs, their_cache = batchnorm_forward(x, gamma, beta, np.zeros((1, 3)), np.ones((1, 3)))
assert np.allclose(y, theirs)
dx, dgamma, dbeta = normalise_backward(dy, cache)
for ours, other in zip((dx, dgamma, dbeta), batchnorm_backward(dy, their_cache)):
    assert np.allclose(ours, other)
assert np.allclose(dx.sum(axis=(0, 1)), 0) and np.allclose((dx * x).sum(axis=(0, 1)), 0, atol=1e-4)

# %% [markdown]
# The last line shows what the formula means. Shifting or rescaling a channel does not change the normalised output, so
# the gradient has no such part: `dx` sums to 0, and so does `dx * x` (up to `eps`).
#
# ## Why does the normalisation stand after the recurrence here, and before it in language models?
#
# Each network above reads whole sequences from state 0, so `h` has similar statistics in every batch. Normalised after
# the recurrence, `h` gives the next layer inputs of one scale, however much a neuron with `u` near 1 has added up. A
# language model carries its state from segment to segment: `h` keeps accumulating, and its statistics drift. There the
# normalisation stands before the recurrence, where it sees the new input `a` and not the accumulated state.
#
# ## Trap 1: why can early steps see the future?
#
# Because mean and variance are taken over time: change only the last step, and the output of the first step changes.
# That is fine for classifying a whole sequence. It is wrong for predicting the next step. For that the package
# normalises each step by itself (`length=T` in `BatchNorm`), or uses fixed, running statistics.

# %%
changed = x.copy()
changed[-1] += 10


def first_step(x, groups=1, **how):
    given = np.zeros((groups, 3)), np.ones((groups, 3))          # mean and variance, for "running"
    return batchnorm_forward(x, gamma, beta, *given, per_step=groups > 1, **how)[0][0]


assert not np.allclose(first_step(x), first_step(changed))
assert np.array_equal(first_step(x, groups=20), first_step(changed, groups=20))
assert np.array_equal(first_step(x, statistics="running"), first_step(changed, statistics="running"))

# %% [markdown]
# ## Trap 2: how good is a network before its averages have caught up?
#
# In training, the statistics of a batch normalise it. In use there may be only one sequence, so running averages of
# past batches take their place; each update moves them a tenth of the way. Early in training they still describe an
# older network. Train on handwritten digits, read row by row, and evaluate both ways:

# %%
parts = load_digits(rows=True)
(x_train, labels), (x_new, labels_new) = parts["train"], parts["validation"]
rng = np.random.default_rng(0)
network = StackedIndRNN(8, 64, 3, 10, rng, length=8, norm="after")
optimiser, found = Adam(network.parameters), {"running": [], "batch": []}
for k in range(150):
    for statistics, accuracies in found.items() if k % 3 == 0 else ():
        y, _ = network.forward(x_new, statistics=statistics)
        accuracies.append(np.mean(y.argmax(axis=1) == labels_new))
    chosen = rng.choice(len(labels), 32, replace=False)
    train_step(network, cross_entropy, optimiser, np.ascontiguousarray(x_train[:, chosen]), labels[chosen], rate=5e-3,
               bound=network.bound)

figure, axes = plt.subplots(figsize=(8, 3))
axes.plot(range(0, 150, 3), found["batch"], label="statistics of the 300 images themselves")
axes.plot(range(0, 150, 3), found["running"], linestyle="--", label="running averages")
axes.set(xlabel="update", ylabel="accuracy", ylim=(0, 1), title="The same network, evaluated in two ways")
axes.legend(frameon=False, loc="lower right")
plt.show()
gap = np.array(found["batch"]) - np.array(found["running"])
assert gap[:7].max() > 0.1 and np.abs(gap[-10:]).mean() < 0.03

# %% [markdown]
# Poor early accuracy by running averages is not a bug, and no reason to stop a training. At the end both ways agree
# here. Where they do not, a pass over the training data with fixed weights gives better averages
# (`population_statistics`).
#
# ## Trap 3: what is wrong with the statistics of the test batch?
#
# They make sequences depend on each other. The answer for one image then changes with the other images in the batch:

# %%
def answer(x, statistics):
    return network.forward(np.ascontiguousarray(x), statistics=statistics)[0][0]


alone, together = x_new[:, :2], x_new                           # the first image, with one other or with 299
assert not np.allclose(answer(alone, "batch"), answer(together, "batch"), atol=0.1)
assert np.allclose(answer(alone, "running"), answer(together, "running"))

# %% [markdown]
# ## Trap 4: what does padding do to a mean?
#
# Sequences of different lengths are padded to the longest. If the padding takes part in the statistics, it shifts all
# real values. With `lengths` it does not take part: here the padding is NaN, and the package never reads it.

# %%
lengths = np.array([20, 12, 5, 9])
real, given = np.arange(20)[:, None] < lengths, (np.zeros((1, 3)), np.ones((1, 3)))
zeros, nans = np.where(real[..., None], x, 0), np.where(real[..., None], x, np.nan)

y, _ = batchnorm_forward(nans, np.ones(3), np.zeros(3), *given, lengths=lengths)
assert np.allclose(y[real].mean(axis=0), 0) and np.allclose(y[real].var(axis=0), 1, atol=1e-4)
assert np.all(y[~real] == 0)

wrong, _ = batchnorm_forward(zeros, np.ones(3), np.zeros(3), *given)
print("mean of the real steps, with padding counted:", wrong[real].mean(axis=0).round(2))
assert np.all(wrong[real].mean(axis=0) > 0.5)

# %% [markdown]
# ## Trap 5: what is the variance of a single value?
#
# With `T = 1` and `B = 1` a value is its own mean, so the textbook formula returns `beta` for every input. The package
# takes the given (running) statistics wherever there are fewer than two values.

# %%
single = np.full((1, 1, 3), 7.0)
assert np.allclose(normalise(single, gamma, beta)[0], beta)
y, _ = batchnorm_forward(single, gamma, beta, *given, eps=0.0)
assert np.allclose(y, gamma * 7 + beta)                          # mean 0 and variance 1 were given

# %% [markdown]
# ## Exercises
#
# 1. Write a residual block with a learned share, `y = x + alpha F(x)`, where `alpha` is a single number. What is
#    `dalpha`? Check it.
# 2. A bias right before batch normalisation is useless. Why, and what must its gradient be? Check it with
#    `IndRNN(..., norm="before")`.
# 3. Train the digits again with 6 layers instead of 3, with `norm="after"` and with `norm=None`. Which learns faster?
#
# `python -m minindrnn exercise residual FILE` and `batchnorm FILE` check your own version of these backward passes.
#
# The answers to 1 and 2 follow, checked. Try first.

# %%
alpha, F, x = np.array([0.5]), IndRNN(3, 3, rng, **options), rng.normal(size=(6, 2, 3))


def share():
    y, cache = F.forward(x)
    return x + alpha * y, (y, cache)


def share_backward(dy, cache):
    y, cache = cache
    dx, _ = F.backward(alpha * dy, cache)
    return {"x": dy + dx, "alpha": np.array([np.sum(dy * y)])}                 # every value reads alpha


check(Problem({"x": x, "alpha": alpha}, share, share_backward), rng)

layer = IndRNN(3, 4, rng, norm="before", dtype=np.float64)
h, cache = layer.forward(x, statistics="batch")
_, grads = layer.backward(rng.normal(size=h.shape), cache)
assert np.allclose(grads["b"], 0, atol=1e-12) and not np.allclose(grads["W"], 0)   # the mean takes the bias away
print("both agree")

# %% [markdown]
# Next: [one thread per neuron](06_one_thread_per_neuron.ipynb).
