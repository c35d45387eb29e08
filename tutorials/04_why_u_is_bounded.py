# %% [markdown]
# # 4. Why u is bounded
#
# Recurrent networks are hard to train for one reason: on its way back through `T` steps a gradient is multiplied `T`
# times, and it vanishes or explodes. In an IndRNN the factor is a single number per neuron, `u`, so the remedy is
# simple: keep `|u|` within a bound, and no gradient can explode. This tutorial shows the problem, the bound, and why a
# network with a recurrent matrix has no bound as simple.

# %%
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")          # for matrices as small as these, more threads only wait

import matplotlib.pyplot as plt
import numpy as np

from minindrnn import (
    LSTM,
    RNN,
    Adam,
    AtLastStep,
    Chain,
    IndRNN,
    Linear,
    StackedIndRNN,
    indrnn_backward,
    indrnn_forward,
    largest,
    mean_squared_error,
    normal,
    smallest,
    train_step,
)
from minindrnn.checks.gradient_flow import gradient_norms
from minindrnn.data.adding import adding_problem

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## What happens to a gradient on its way back?
#
# Let the loss depend on the last state only: `dh` is 1 at step `T - 1` and 0 before. Equations B1 and B2 of [tutorial
# 2](02_backward_by_hand.ipynb) then multiply by `u` at each step back, as long as the neuron is active:
#
# $$\frac{\partial h_{T-1}}{\partial a_t} = u^{T-1-t}$$

# %%
T = 200
u = np.array([0.9, 0.98, 1.0, 1.02, 1.1])
a = np.ones((T, 1, u.size))                                     # active at every step
dh = np.zeros_like(a)
dh[-1] = 1
da, _, _ = indrnn_backward(dh, indrnn_forward(a, u)[1])
assert np.allclose(da[:, 0], u ** np.arange(T)[::-1, None])

figure, axes = plt.subplots(figsize=(8, 3.2))
for n in range(u.size):
    axes.semilogy(da[:, 0, n], label=f"u = {u[n]}")
axes.set(xlabel="step t", ylabel="dh[T-1] / da[t]", title="The same 200 steps, five recurrent weights")
axes.legend(frameon=False, loc="upper center", ncols=5, columnspacing=1)
axes.set_ylim(1e-10, 1e12)
plt.show()

# %% [markdown]
# A weight of 1.1 multiplies the gradient of the first step by over a hundred million. A weight of 0.9 divides it by
# even more. The useful weights lie in a narrow band around 1.
#
# ## How large may u be?
#
# Choose the largest factor `gamma` that a gradient may pick up over `T` steps, say 2. Then
#
# $$|u|^T \le \gamma \quad\Longleftrightarrow\quad |u| \le \gamma^{1/T}$$
#
# This holds for every input, not only for neurons that are always active: an inactive step multiplies by 0, since relu'
# is 0 or 1. The code tries to break the bound with random inputs and random weights.

# %%
gamma = 2
bound = largest(T, gamma)
print(f"T = {T}, gamma = {gamma}: |u| <= {bound:.6f}")
assert bound == gamma ** (1 / T)
assert abs(da[0, 0, 4]) > 1e8 and abs(da[0, 0, 0]) < 1e-9        # 1.1 and 0.9, above

rng = np.random.default_rng(0)
for scale in (0.1, 1, 10):
    a = scale * rng.normal(size=(T, 50, 100))
    u = rng.uniform(-bound, bound, 100)
    u[:20] = bound
    dh = np.zeros_like(a)
    dh[-1] = 1
    da, _, _ = indrnn_backward(dh, indrnn_forward(a, u)[1])
    assert np.abs(da).max() <= gamma

# %% [markdown]
# ## What does an exploding gradient look like to the optimiser?
#
# Like a cliff. Take the smallest task with a long memory: an impulse at step 0, and after 100 steps the state should be
# 1/2. As a function of `u` alone the loss is
#
# $$L(u) = \tfrac{1}{2}\left(u^{99} - \tfrac{1}{2}\right)^2$$
#
# Below 0.95 the loss is flat, and its gradient gives no direction. A little above 1 it is a wall. Gradient descent can
# only learn in between.

# %%
T = 100
u = np.linspace(0.9, 1.05, 601)
impulse = np.zeros((T, 1, u.size))
impulse[0] = 1
h, cache = indrnn_forward(impulse, u)
loss = (h[-1, 0] - 0.5)**2 / 2
dh = np.zeros_like(h)
dh[-1] = h[-1] - 0.5
_, du, _ = indrnn_backward(dh, cache)
assert np.allclose(du, (u**99 - 0.5) * 99 * u**98)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.semilogy(u, loss)
left.set(xlabel="u", ylabel="loss", ylim=(1e-5, 1e5))
right.semilogy(u, np.abs(du))
right.set(xlabel="u", ylabel="size of the gradient", ylim=(1e-5, 1e7))
for axes in (left, right):
    axes.axvspan(smallest(T), largest(T), color="C1", alpha=0.4, label="(1/2)^(1/T) to 2^(1/T)")
    axes.set_xticks([0.9, 0.95, 1, 1.05])
left.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# Where does one update by gradient descent lead from a point on the wall? Even at a modest rate of 0.001 it leads out
# of the picture:

# %%
start, rate = 1.05, 0.001
update = rate * np.interp(start, u, du)
print(f"from u = {start} to u = {start - update:.1f}")
assert abs(start - update) > 10
inside = (u >= smallest(T)) & (u <= largest(T))
assert rate * np.abs(du[inside]).max() < 0.5                     # inside the band every update is small

# %% [markdown]
# ## How is the bound kept?
#
# By projection. After every update,
#
# $$u \leftarrow \min(\max(u, -\gamma^{1/T}), \gamma^{1/T})$$
#
# `train_step(..., bound=...)` does this to every parameter whose role is "recurrent". It is not gradient clipping.
# Clipping acts when a gradient has exploded, and keeps little more than its sign. The bound prevents the explosion.
# There is no lower bound: a neuron may learn to forget.
#
# ## Does it matter in training?
#
# Train on the adding problem of [tutorial 3](03_learning_to_add.ipynb), with 100 steps and a high rate, with and
# without the bound. All else is the same: the start, the data, the optimiser, even the clipping of gradients.

# %%
def train(bounded, updates=600):
    rng = np.random.default_rng(1)
    network = StackedIndRNN(inputs=2, neurons=16, layers=2, outputs=1, rng=rng, length=T, W=normal(0.1),
                            dtype=np.float64)
    optimiser, losses, sizes = Adam(network.parameters), [], []
    for _ in range(updates):
        x, target = adding_problem(T, 32, rng, np.float64)
        loss, _ = train_step(network, mean_squared_error, optimiser, x, target, rate=1e-2,
                             bound=network.bound if bounded else None)
        losses.append(loss)
        sizes.append(max(np.abs(layer["u"]).max() for layer in network.layers[:2]))
    return np.array(losses), np.array(sizes)


runs = {"bounded": train(True), "not bounded": train(False)}
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
for name, (losses, sizes) in runs.items():
    left.semilogy(np.convolve(losses, np.ones(20) / 20, "valid"), label=name)
    right.plot(sizes, label=name)
left.axhline(1 / 6, color="C3", linestyle=":", label="always answering 1")
left.set(xlabel="update", ylabel="mean squared error", title="loss, mean of 20 updates")
right.set(xlabel="update", ylabel="largest |u|", title="the largest recurrent weight")
left.legend(frameon=False, loc="lower left", fontsize=10)
plt.show()

bounded, free = runs["bounded"], runs["not bounded"]
assert bounded[0][-100:].mean() < 0.02 and free[0][-100:].mean() > 5 * bounded[0][-100:].mean()
assert np.isclose(bounded[1].max(), largest(T)) and 1.1 < free[1].max() < 1.16

# %% [markdown]
# The bounded network learns to add. In the other network the weights grow, the largest by 15 % at most. That is enough:
# its loss jumps up again and again, and the network loses what it has learned.
#
# ## Could one bound a matrix in the same way?
#
# In a traditional RNN every neuron reads all others, `h[t] = act(a[t] + U h[t-1])`, and a gradient goes back through a
# product of matrices:
#
# $$\frac{\partial h_{T-1}}{\partial h_t} = \prod_{k=t+1}^{T-1} U^\top \mathrm{diag}(\mathrm{act}'_k)$$
#
# The eigenvalues of `U` decide how it grows (though not alone, because the matrices of different steps differ). In an
# IndRNN, `U` is diagonal and its eigenvalues are the weights themselves. In general they are not. Compare two matrices
# with entries of the same size:

# %%
N = 64
rng = np.random.default_rng(0)
signs = rng.choice([-1.0, 1.0], (N, N)) / np.sqrt(N)
for name, U in (("random signs", signs), ("equal signs", np.abs(signs))):
    radius = np.abs(np.linalg.eigvals(U)).max()
    print(f"all entries of size 1/8, {name:12}: largest eigenvalue {radius:.2f}, to the 100th power {radius**100:.0e}")
assert np.isclose(np.abs(np.linalg.eigvals(np.abs(signs))).max(), 8)
assert np.abs(np.linalg.eigvals(signs)).max() < 1.2

# %% [markdown]
# So a bound `b` on the entries says little: the largest eigenvalue may be anything up to `N b`, here 8. Small changes
# of all entries also add up. Start where gradients keep their size: with the identity matrix as `U` (with relu, this is
# called IRNN), and with `u = 1`. Change every weight by about 0.02, as a few updates would:

# %%
steps = 200
noise = 0.02 * rng.normal(size=(N, N))
matrix, weights = np.eye(N) + noise, 1 + np.diag(noise)


def back(multiply):
    """The norm of a gradient before every step on its way back through an active network; it starts with norm 1."""
    g, norms = np.ones(N) / np.sqrt(N), []
    for _ in range(steps):
        norms.append(np.linalg.norm(g))
        g = multiply(g)
    return norms[::-1]


clipped = np.clip(weights, -largest(steps), largest(steps))
flows = {"matrix": back(lambda g: matrix.T @ g), "u": back(lambda g: weights * g),
         "u, bounded": back(lambda g: clipped * g)}
eigenvalues = np.linalg.eigvals(matrix)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
left.plot(np.cos(np.linspace(0, 7, 200)), np.sin(np.linspace(0, 7, 200)), color="0.6", linewidth=1)
left.plot(eigenvalues.real, eigenvalues.imag, ".", label="eigenvalues of the matrix")
left.plot(weights, 0 * weights, "x", label="u")
left.set(xlabel="real part", ylabel="imaginary part", title="Change of 0.02 in each weight",
         xlim=(0.7, 1.3), ylim=(-0.3, 0.3))
left.legend(frameon=False, loc="upper left", fontsize=10)
for name, norms in flows.items():
    right.semilogy(norms, label=name)
right.set(xlabel="step t", ylabel="norm of the gradient", title="and what it does over 200 steps")
right.legend(frameon=False)
plt.show()
print({name: f"{norms[0]:.1e}" for name, norms in flows.items()})
assert flows["matrix"][0] > 1e9 and flows["u"][0] < 1e4 and flows["u, bounded"][0] < gamma
assert 0.12 < np.abs(eigenvalues - 1).max() < 0.2

# %% [markdown]
# The 64 changes in each row of the matrix move eigenvalues by up to 0.16, which is `sqrt(64) = 8` times 0.02. To bound
# eigenvalues, one must compute them first; `u` only needs clipping.
#
# ## How do other networks fare?
#
# Take one layer of 64 neurons of each kind, before training, and let it read the adding problem. A gradient of norm 1
# enters at the last step. How much of it reaches the input of step `t`?

# %%
x, _ = adding_problem(steps, 32, np.random.default_rng(1), np.float64)
rng = np.random.default_rng(0)
layers = {"IndRNN, u as in a last layer": IndRNN(2, N, rng, u=(smallest(steps), largest(steps)), dtype=np.float64),
          "IRNN": RNN(2, N, rng, activation="relu", U="identity", dtype=np.float64),
          "LSTM, forget bias 5": LSTM(2, N, rng, dtype=np.float64),
          "LSTM, forget bias 1": LSTM(2, N, rng, dtype=np.float64),
          "RNN, tanh": RNN(2, N, rng, dtype=np.float64)}
layers["LSTM, forget bias 5"]["b"][N:2 * N] = 5

first = {}
figure, axes = plt.subplots(figsize=(8, 3.6))
for (name, layer), style in zip(layers.items(), ("-", "--", "-", "--", "-.")):
    network = Chain([layer, AtLastStep(Linear(N, 1, rng, dtype=np.float64))])
    norms = gradient_norms(network, x, np.random.default_rng(2))[0]
    axes.semilogy(norms, linestyle=style, label=name)
    first[name] = norms[0] / norms[-1]
axes.set(xlabel="step t", ylabel="norm of dL/dx[t]", ylim=(1e-60, 1e8),
         title="What is left of a gradient, before training")
axes.legend(frameon=False, loc="lower right", fontsize=10)
plt.show()

for name, ratio in first.items():
    print(f"{name:29} first step / last step = {ratio:.0e}")
assert first["IndRNN, u as in a last layer"] > 0.1 and first["IRNN"] > 0.1
assert first["LSTM, forget bias 1"] < 1e-7 and first["LSTM, forget bias 5"] > 1e-3 and first["RNN, tanh"] < 1e-30

# %% [markdown]
# In the tanh RNN the gradient never reaches the first step. In the LSTM the forget gate `f` plays the role of `u`: each
# step multiplies the cell by `f`. With a bias of 1 the gate starts around `sigmoid(1) = 0.73`, and even in the neurons
# that keep most the gradient vanishes. With a bias of 5 it starts around 0.993, and the gradient survives. A gate is
# never above 1, so nothing explodes along the cell. But the gate depends on the state before, and so needs a matrix
# product at every step. IRNN starts as well as IndRNN; the section above shows what a few updates do to it.
#
# ## Exercises
#
# 1. The paper reads MNIST digits pixel by pixel, `T = 784`, with `gamma = 5`. What is the bound? What if it had used
#    the bound of `T = 100` and `gamma = 2` instead: how much could a gradient grow?
# 2. With tanh, `|u|` may be somewhat larger than 1, and a gradient can vanish all the same. Why? Draw the first figure
#    again with `activation="tanh"` and `u = 1.1`.
# 3. Instead of projecting, `train_step(..., penalty=0.1)` adds to the loss a penalty on the excess over the bound.
#    Train with it and draw the largest `|u|`. Is the bound kept?
#
# The answers to 1 and 2 follow, checked. Try first.

# %%
print(f"1: {largest(784, 5):.6f}; {largest(100, 2) ** 784:.0f} times instead of 5")
a = np.ones((200, 1, 1))
dh = np.zeros_like(a)
dh[-1] = 1
da, _, _ = indrnn_backward(dh, indrnn_forward(a, np.array([1.1]), activation="tanh")[1])
print(f"2: act' = 1 - h^2 is below 1, and here so is u act': {da[0, 0, 0]:.0e} of the gradient reaches the first step")
assert da[0, 0, 0] < 1e-30

# %% [markdown]
# Next: [going deep](05_going_deep.ipynb).
