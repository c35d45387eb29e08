# %% [markdown]
# # 1. One neuron, one weight
#
# A recurrent network reads a sequence one step at a time and keeps a state of what it has read. The smallest one has
# one neuron and one recurrent weight, `u`. The size of `u` decides what it can remember and what it can learn from the
# past. This tutorial shows why.
#
# You need NumPy and a little calculus. A plot or an `assert` backs every statement below.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minindrnn import half_life, indrnn_forward, largest, smallest

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## What does a neuron do at one step?
#
# It multiplies its state by `u` and adds the new input `a[t]`. It keeps the sum if that is positive, and else 0:
#
# $$h_t = \mathrm{relu}(a_t + u h_{t-1}), \qquad \mathrm{relu}(z) = \max(z, 0)$$
#
# `h[t]` is the state after step `t`. Before the first step the state is 0.

# %%
def neuron(a, u, h=0.0):
    """Inputs a (T,), recurrent weight u  ->  states h (T,)."""
    states = []
    for a_t in a:
        h = max(a_t + u * h, 0.0)
        states.append(h)
    return np.array(states)


print(neuron([1.0, 0.0, 0.0, 0.0], u=0.5))

# %% [markdown]
# ## What is left of an input after t steps?
#
# Give the neuron one impulse, `a[0] = 1`, and nothing more. Each step multiplies the state by `u`, so `t` steps later
#
# $$h_t = u^t \qquad (u \ge 0)$$
#
# Memory is a power.

# %%
T, weights = 50, [0.5, 0.9, 0.99, 1.0]
impulse = np.zeros(T)
impulse[0] = 1

figure, axes = plt.subplots(figsize=(8, 3))
for u in weights:
    h = neuron(impulse, u)
    assert np.allclose(h, u ** np.arange(T))
    axes.plot(h, marker="o", markersize=3, label=f"u = {u}")
axes.set(xlabel="step t", ylabel="state h[t]", title="One impulse at step 0, and what is left of it")
axes.legend(frameon=False, loc="center")
plt.show()

# %% [markdown]
# ## When is half of it gone?
#
# The half-life is the number of steps after which half of a state is gone:
#
# $$|u|^t = \frac{1}{2} \quad\Longrightarrow\quad t = \frac{\ln(1/2)}{\ln |u|}$$
#
# Near `u = 1`, where `ln u` is close to `u - 1`, this is about `0.69 / (1 - u)`: each further nine makes memory ten
# times as long. For most values of `u` memory is short. From 0 to 0.9 the half-life stays below 7 steps; all longer
# half-lives lie in the last tenth.

# %%
for u in (0.5, 0.9, 0.99, 0.999, 1.0):
    print(f"u = {u:<5}   half-life {half_life(u):6.1f} steps")
assert half_life(0.9) < 7

distance = np.logspace(-4, np.log10(0.5), 100)                 # 1 - u
assert np.allclose(half_life(1 - distance[:50]), np.log(2) / distance[:50], rtol=0.02)

figure, axes = plt.subplots(figsize=(8, 3))
axes.loglog(distance, half_life(1 - distance), label="ln(1/2) / ln(u)")
axes.loglog(distance, np.log(2) / distance, linestyle="--", label="0.69 / (1 - u)")
axes.set(xlabel="1 - u", ylabel="half-life in steps", title="The closer u is to 1, the longer the memory")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## What is the state when inputs keep coming?
#
# As long as the state is positive, relu changes nothing. The state is the sum of all inputs so far, each times its own
# power:
#
# $$h_t = \sum_{s=0}^{t} u^{t-s} a_s$$
#
# So for `u < 1`, `(1 - u) h[t]` is a running average over about `1 / (1 - u)` steps. For `u = 1` the state is the sum
# of all inputs: the neuron counts.

# %%
rng = np.random.default_rng(0)
T = 200
a = rng.uniform(0, 2, T) * (1 + (np.arange(T) >= 100))         # noise; its mean goes from 1 to 2 at step 100

figure, axes = plt.subplots(figsize=(8, 3))
axes.plot(a, color="0.8", label="input a[t]")
for u in (0.9, 0.98):
    h = neuron(a, u)
    assert np.allclose(h[-1], np.sum(u ** np.arange(T)[::-1] * a))
    axes.plot((1 - u) * h, label=f"(1 - u) h[t],  u = {u}")
assert np.allclose(neuron(a, 1.0), np.cumsum(a))
axes.set(xlabel="step t", ylabel="value", title="A neuron averages over a window that u decides")
axes.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# ## What if u is larger than 1, or negative?
#
# Above 1 the power grows instead of shrinking. Over many steps a little is enough: `1.1` to the power of 100 is over
# ten thousand. Below 0 the neuron forgets an impulse at the next step, because `u * h` is negative and relu makes it 0.
# Such a neuron is still useful. With a steady input and `u` between -1 and 0 it settles where `h = a + u h`, at
# `a / (1 - u)`. At -1 and below it switches on and off.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
impulse = np.zeros(101)
impulse[0] = 1
for u in (1.1, 1.02, 1.0, 0.9):
    left.semilogy(neuron(impulse, u), label=f"u = {u}")
left.set(xlabel="step t", ylabel="state h[t]", title="One impulse", ylim=(1e-5, 1e8))
left.legend(frameon=False, loc="upper left", ncols=2)

steady = neuron(np.ones(20), -0.7)
right.plot(steady, marker="o", markersize=4, label="input 1 at every step")
right.plot(neuron(impulse[:20], -0.7), marker="s", markersize=4, label="one impulse")
right.set(xlabel="step t", ylabel="state h[t]", title="u = -0.7", xticks=range(0, 20, 5))
right.legend(frameon=False)
plt.show()

assert neuron(impulse, 1.1)[100] > 10_000
assert neuron(impulse, -0.7)[1] == 0
assert np.isclose(steady[-1], 1 / (1 + 0.7), rtol=1e-3)
assert np.allclose(neuron(np.ones(4), u=-1.0), [1, 0, 1, 0])

# %% [markdown]
# ## Why does the same power decide what can be learned?
#
# Learning asks: if an early input had been a little larger, what would the state be now? The answer is the derivative
# of the sum above. While the neuron stays active (`h > 0`),
#
# $$\frac{\partial h_t}{\partial a_s} = u^{t-s}$$
#
# the same power again. Training moves each weight against the derivative of the loss, the *gradient*, and this power is
# a factor of it. If the power is too small, the early input has no influence. If it is too large, an update jumps far
# away. The code measures the derivative: it changes `a[0]` and looks at `h[100]`.

# %%
a, eps = np.ones(101), 1e-6
changed = a.copy()
changed[0] += eps
for u in (0.5, 0.9, 1.0, 1.05):
    measured = (neuron(changed, u)[100] - neuron(a, u)[100]) / eps
    print(f"u = {u:<4}   dh[100]/da[0] = {u**100:9.3g}")
    assert np.isclose(measured, u**100, rtol=1e-3, atol=1e-6)

# %% [markdown]
# ## Which u is right for T steps?
#
# Let a gradient grow or shrink by at most a factor of 2 over `T` steps. Then `u` must lie in a band:
#
# $$\left(\tfrac{1}{2}\right)^{1/T} \le |u| \le 2^{1/T}$$
#
# The upper end is a bound: after each update, a larger `|u|` is set back to it. This keeps gradients from exploding
# ([tutorial 4](04_why_u_is_bounded.ipynb)). The lower end is only where `u` starts in neurons that must remember the
# first step. Training may go below it: a neuron may learn to forget.

# %%
steps = np.unique(np.logspace(0.5, 4, 60).astype(int))
figure, axes = plt.subplots(figsize=(8, 3))
axes.fill_between(steps, [smallest(T) for T in steps], [largest(T) for T in steps], alpha=0.4,
                  label="from (1/2)^(1/T) to 2^(1/T)")
axes.axhline(1, color="0.3", linewidth=1)
axes.set(xscale="log", xlabel="number of steps T", ylabel="recurrent weight u", ylim=(0.75, 1.25),
         title="The longer the sequence, the narrower the band")
axes.legend(frameon=False, loc="lower right")
plt.show()

for T in (10, 100, 1000):
    print(f"T = {T:<5} u from {smallest(T):.5f} to {largest(T):.5f}")
    assert np.isclose(largest(T)**T, 2) and np.isclose(smallest(T)**T, 1 / 2)

# %% [markdown]
# ## What makes a network of them "independent"?
#
# In an IndRNN layer each neuron `n` has one recurrent weight, its own, and sees only its own past:
#
# $$h_t = \mathrm{relu}(W x_t + b + u * h_{t-1})$$
#
# `*` multiplies neuron by neuron. The neurons share the input `x` through the matrix `W`, but no neuron reads another's
# memory; they mix in the next layer. So a layer is many of the neurons above, side by side, each with its own
# half-life. The package computes it for `T` steps, `B` sequences and `N` neurons at once: `h` has the shape
# `(T, B, N)`. A step of the input holds `M` numbers, so `x` is `(T, B, M)` and `W` is `(N, M)`; the bias `b`, `(N,)`,
# is a number that each neuron receives at every step.

# %%
T, B, M, N = 30, 2, 3, 5
rng = np.random.default_rng(1)
x, W, b = rng.normal(size=(T, B, M)), rng.normal(size=(N, M)), rng.normal(size=N)
u = rng.uniform(-1, 1, N)

a = x @ W.T + b                                                # what comes in: (T, B, N)
h, _ = indrnn_forward(a, u)
for sequence in range(B):
    for n in range(N):
        assert np.allclose(h[:, sequence, n], neuron(a[:, sequence, n], u[n]))

# %% [markdown]
# ## Exercises
#
# 1. With which `u` is a tenth of an impulse left after 50 steps? Check it with `neuron`.
# 2. A neuron receives `x[t] + b`, where `x` is an impulse, `x[0] = 1`. Find `u` and the bias `b` such that its state
#    falls to 0 in a straight line and reaches 0 at the tenth step. No `u` between 0 and 1 can do this alone: its powers
#    never reach 0.
# 3. Leave relu out: `h[t] = a[t] + u * h[t-1]`, which is `indrnn_forward` with `activation="identity"`. What does an
#    impulse do when `u = -1`? What is the half-life of `u = -0.9`, and why does `half_life` take the absolute value?
#
# The answers follow, checked. Try first.

# %%
impulse = np.zeros(51)
impulse[0] = 1
assert np.isclose(neuron(impulse, 0.1 ** (1 / 50))[50], 0.1)                                # 1: u = 0.955

fall = neuron(impulse - 0.1, 1.0)                                                           # 2: u = 1, b = -0.1
assert np.allclose(fall, np.maximum(0.9 - 0.1 * np.arange(51), 0))

h, _ = indrnn_forward(impulse.reshape(51, 1, 1), np.array([-1.0]), activation="identity")   # 3: it swings for ever
assert np.array_equal(h.ravel(), (-1.0) ** np.arange(51))
assert half_life(-0.9) == half_life(0.9)

# %% [markdown]
# Next: [the backward pass by hand](02_backward_by_hand.ipynb).
