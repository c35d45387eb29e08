# %% [markdown]
# # 3. A layer learns to add
#
# A network must remember two numbers among fifty and add them. This is the first experiment of the IndRNN paper ([arXiv
# 1803.04831](https://arxiv.org/abs/1803.04831), section 5.1). Here a small network learns it in a few seconds. Then we
# open it: what does each neuron do? The answer is so simple that you can build the network by hand. In the last
# exercise you do.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # for matrices as small as these, more threads only wait

import matplotlib.pyplot as plt
import numpy as np

from minindrnn import (
    Adam,
    StackedIndRNN,
    clip_values,
    half_life,
    leaves,
    mean_squared_error,
    normal,
    project,
    train_step,
)
from minindrnn.core.layer import count
from minindrnn.data.adding import adding_problem

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## What is the problem?
#
# At every step the network sees two inputs: a number from 0 to 1, and a mark. The mark is 1 at two steps, one in each
# half of the sequence, and 0 elsewhere. After the last step the network must answer with the sum of the two marked
# numbers:
#
# $$\mathrm{target} = \sum_t \mathrm{value}_t \cdot \mathrm{mark}_t$$
#
# A network that remembers nothing does best by always answering 1, the mean. The mean squared error is then the
# variance of the sum of two uniform numbers, `2 / 12 = 1/6`. An error below 1/6 shows memory.

# %%
T = 50
x, target = adding_problem(T, 10_000, np.random.default_rng(1), np.float64)
assert x.shape == (T, 10_000, 2) and target.shape == (10_000, 1)
assert np.allclose(target[:, 0], np.sum(x[:, :, 0] * x[:, :, 1], axis=0))
assert abs(mean_squared_error(np.ones_like(target), target)[0] - 1 / 6) < 0.005

value, mark = x[:, 0].T                                     # the first sequence
figure, axes = plt.subplots(figsize=(8, 2.6))
axes.bar(range(T), value, color=np.where(mark == 1, "C1", "0.8"))
axes.set(xlabel="step t", ylabel="value", ylim=(0, 1.05),
         title=f"Marked: {' + '.join(f'{v:.2f}' for v in value[mark == 1])} = {target[0, 0]:.2f}")
plt.show()

# %% [markdown]
# ## What is the network?
#
# Two IndRNN layers of 16 neurons, and a linear readout of the last state:
#
# $$h^1_t = \mathrm{relu}(W_1 x_t + b_1 + u_1 * h^1_{t-1}), \quad
# h^2_t = \mathrm{relu}(W_2 h^1_t + b_2 + u_2 * h^2_{t-1}), \quad
# y = V h^2_{T-1} + c$$
#
# The superscript is the number of the layer, not a power. The second layer starts with `u` near 1, since it must carry
# something to the end. The first starts anywhere from 0 to the bound, `2^(1/T)`. The whole network has a few hundred
# parameters, of which 32 are recurrent weights.

# %%
def new_network():
    return StackedIndRNN(inputs=2, neurons=16, layers=2, outputs=1, rng=np.random.default_rng(0), length=T,
                         W=normal(0.1), dtype=np.float64)


network = new_network()
for path, parameter in leaves(network.parameters):
    print(f"{path:4} {parameter.role:10} {parameter.value.shape}")
assert count(network.parameters) == (2 + 2) * 16 + (16 + 2) * 16 + (16 + 1)
assert np.isclose(network.bound, 2 ** (1 / T))

# %% [markdown]
# ## What is one update?
#
# Six lines: forward, loss, backward, limit the gradients, update, and put the recurrent weights back within the bound.
# *Limit* clips every number of a gradient to between -10 and 10. *Update* moves every parameter a little against its
# gradient. Adam chooses how far, from averages of the gradient and of its square; the *rate* scales that. `train_step`
# does the same; a twin of the network proves it.

# %%
rng = np.random.default_rng(2)
x, target = adding_problem(T, 32, rng, np.float64)

optimiser = Adam(network.parameters)
y, cache = network.forward(x)
loss, dy = mean_squared_error(y, target)
dx, grads = network.backward(dy, cache)
clip_values(network.parameters, grads, 10)
optimiser.update(grads, 5e-3)
project(network.parameters, network.bound)

twin = new_network()
twin_loss, _ = train_step(twin, mean_squared_error, Adam(twin.parameters), x, target, rate=5e-3, bound=twin.bound)
assert loss == twin_loss
for _, ours, theirs in leaves(network.parameters, twin.parameters):
    assert np.array_equal(ours.value, theirs.value)

# %% [markdown]
# ## Does it learn?
#
# Make 3000 such updates, each with 32 new sequences. The rate falls linearly to 0.

# %%
updates, rate = 3000, 5e-3
rng, network = np.random.default_rng(0), new_network()
optimiser, losses = Adam(network.parameters), []
for k in range(updates):
    x, target = adding_problem(T, 32, rng, np.float64)
    loss, _ = train_step(network, mean_squared_error, optimiser, x, target, rate * (1 - k / updates),
                         bound=network.bound)
    losses.append(loss)

figure, axes = plt.subplots(figsize=(8, 3))
axes.semilogy(losses, linewidth=1, label="training loss, 32 sequences")
axes.axhline(1 / 6, color="C3", linestyle=":", label="always answering 1")
axes.set(xlabel="update", ylabel="mean squared error", title=f"Adding two numbers among {T}")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Does it add numbers that it has never seen?
#
# A thousand new sequences:

# %%
x, target = adding_problem(T, 1000, np.random.default_rng(3), np.float64)
y, _ = network.forward(x)
mse, _ = mean_squared_error(y, target)
print(f"mean squared error {mse:.1e}, largest error {np.abs(y - target).max():.3f}")
assert mse < 1e-3

figure, axes = plt.subplots(figsize=(8, 3))
axes.plot([0, 2], [0, 2], color="0.6", linewidth=1)
axes.plot(target, y, ".", markersize=3)
axes.set(xlabel="sum of the marked numbers", ylabel="answer", title="1000 new sequences")
plt.show()

# %% [markdown]
# ## What does the first layer do?
#
# Follow one sequence through the network. Each line below is one neuron.

# %%
first, second, readout = network.layers
h1, _ = first.forward(x)
h2, _ = second.forward(h1)
marks = np.flatnonzero(x[:, 0, 1])

figure, panels = plt.subplots(2, 1, figsize=(8, 5), sharex=True)
for axes, h, name in zip(panels, (h1, h2), ("first layer", "second layer")):
    axes.plot(h[:, 0], linewidth=1.2)
    axes.set(ylabel="h[t]", title=name)
    for t in marks:
        axes.axvline(t, color="0.6", linestyle=":")
panels[1].set_xlabel("step t  (dotted: the marked steps)")
plt.show()

# %% [markdown]
# The first layer spikes at the marks; the rest of the time it is nearly silent. The second layer climbs at the marks
# and stays level in between. The paper sees the same in its network for `T = 5000`.
#
# How high are the spikes? Below are two neurons, at all steps of all sequences: the one whose spikes vary most, and the
# one whose spikes are highest.

# %%
marked = x[:, :, 1] == 1
spikes = h1[marked]                                         # (2000, 16): two marked steps a sequence
measuring, counting = spikes.std(axis=0).argmax(), spikes.mean(axis=0).argmax()

figure, panels = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
for axes, n in zip(panels, (measuring, counting)):
    axes.plot(x[~marked][::20, 0], h1[~marked][::20, n], ".", markersize=4, color="0.6", label="not marked")
    axes.plot(x[marked][:, 0], spikes[:, n], ".", markersize=4, color="C1", label="marked")
    axes.set(xlabel="value at the step", title=f"first layer, neuron {n}")
    assert h1[~marked][:, n].max() < 0.1 < 0.25 < spikes[:, n].mean()
panels[0].set_ylabel("h[t]")
panels[1].legend(frameon=False)
plt.show()
for n in (measuring, counting):
    (w1, w2), b = first["W"][n], first["b"][n]
    print(f"neuron {n:2}:  relu({w1:+.2f} value {w2:+.2f} mark {b:+.2f})")
    assert b < 0 < w2

# %% [markdown]
# Without a mark both are silent, because their bias is below zero. With a mark the first neuron measures the value,
# here by a falling line. The second hardly depends on the value; it signals the mark. From these two the next layer can
# make `value * mark`, though no neuron multiplies. The mark lifts the first neuron to where relu lets the value
# through; without a mark nothing passes.
#
# $$\mathrm{relu}(w_1 \cdot \mathrm{value} + w_2 \cdot \mathrm{mark} + b), \qquad b < 0 < w_2$$
#
# ## What does the second layer do?
#
# It adds. To see how well, read the answer from a single neuron: fit a line `p h + q` by least squares for each neuron
# in turn. The paper makes a similar experiment. The picture shows the input and the state of the best neuron.

# %%
def line_error(h):
    """Mean squared error of the best line from h (B,) to the targets."""
    return np.mean((np.polyval(np.polyfit(h, target[:, 0], 1), h) - target[:, 0])**2)


errors = {n: line_error(h2[-1, :, n]) for n in range(16) if h2[-1, :, n].std() > 1e-3}
best = min(errors, key=errors.get)
u, a = second["u"][best], h1 @ second["W"][best] + second["b"][best]
print(f"from neuron {best} alone: mean squared error {errors[best]:.1e};  u = {u:.4f}, bound {network.bound:.4f}")
assert errors[best] < 2e-3 and abs(u - 1) < 0.01
assert np.corrcoef(a[marked], x[marked][:, 0])[0, 1] > 0.99 and np.abs(a[~marked]).mean() < 0.02

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.plot(x[~marked][::20, 0], a[~marked][::20], ".", markersize=4, color="0.6", label="not marked")
left.plot(x[marked][:, 0], a[marked], ".", markersize=4, color="C1", label="marked")
left.set(xlabel="value at the step", ylabel="input a[t]", title=f"second layer, neuron {best}")
left.legend(frameon=False)
right.plot(h2[:, :4, best])
right.set(xlabel="step t", ylabel="h[t]", title="the same neuron, 4 sequences")
plt.show()

# %% [markdown]
# Its input is close to `value * mark` times a constant: it adds the signal of the mark and subtracts the measured
# value. With `u` close to 1 its state is a sum, `h[t] = h[t-1] + a[t]`, which jumps at the marks and hardly changes in
# between.
#
# ## Which layer needs its memory?
#
# Take it away and see. Set `u = 0` in one layer, then in the other:

# %%
for name, layer in (("first", first), ("second", second)):
    kept = layer["u"].copy()
    layer["u"][:] = 0
    forgetful, _ = mean_squared_error(network.forward(x)[0], target)
    layer["u"][:] = kept
    print(f"without memory in the {name:6} layer: mean squared error {forgetful:.1e}")
    assert forgetful < 2e-3 if layer is first else forgetful > 1 / 6

median = np.median(half_life(first["u"]))
print(f"median half-life in the first layer: {median:.1f} steps")

# %% [markdown]
# The first layer looks at each step by itself; its memory is of little use to this network. The second layer remembers
# and adds. Training found these roles: either layer could remember. Another seed may divide the work differently
# (exercise 1).
#
# ## Exercises
#
# 1. Train with `np.random.default_rng(1)` in `new_network` and look again at the neurons and at the test without
#    memory. Is it the same solution?
# 2. Train with `T = 200`. What is the bound on `u` now? After how many updates does the loss stay below 1/6?
# 3. Solve the problem without training. One neuron in each layer is enough: choose `W`, `b` and `u` of both layers, and
#    the readout, such that the error is 0.
#
# The answer to 3 follows, checked. Training found a roundabout form of it.

# %%
tiny = StackedIndRNN(inputs=2, neurons=1, layers=2, outputs=1, rng=np.random.default_rng(0), length=T, dtype=np.float64)
values = {"0.W": [[1, 1]], "0.b": [-1], "0.u": [0],              # relu(value + mark - 1): the value if marked, else 0
          "1.W": [[1]], "1.b": [0], "1.u": [1],                  # their sum
          "2.W": [[1]], "2.b": [0]}
for path, parameter in leaves(tiny.parameters):
    parameter.value[...] = values[path]
mse, _ = mean_squared_error(tiny.forward(x)[0], target)
assert mse < 1e-30

# %% [markdown]
# Next: [why u is bounded](04_why_u_is_bounded.ipynb).
