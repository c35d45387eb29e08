# %% [markdown]
# # 2. The backward pass by hand
#
# This is the heart of the project: five lines of algebra that turn "how does the loss change with the states?" into
# "how does the loss change with the inputs, the recurrent weights and the initial state?". Here you derive them one at
# a time and check them in three independent ways. At the end you can write `indrnn_backward` on your own.
#
# **Notation.** `dx` means $\partial L / \partial x$, the gradient of the loss `L`, a single number, with respect to
# `x`. It has the shape of `x`. Arrays are time-major: `T` steps, `B` sequences, `N` neurons; `a` and `h` are
# `(T, B, N)`, `u` is `(N,)`, `h0` is `(B, N)`. All products between them are elementwise, so you may read every line
# for one neuron of one sequence, where each symbol is one number.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import sympy

from minindrnn import GradientError, Problem, check, indrnn_backward, indrnn_forward, linear_backward, linear_forward

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.constrained_layout.use": True})

# %% [markdown]
# ## What does the forward pass compute?
#
# Two lines per step, the second one with any activation. The state before the first step is `h0`, which is given. Do
# not confuse it with `h[0]`, the state after the first step:
#
# **F1** $\quad z_t = a_t + u * h_{t-1}$
#
# **F2** $\quad h_t = \mathrm{act}(z_t)$
#
# The function also returns the *cache*, the arrays that the backward pass will need. `z` is not among them; B1 shows
# why.

# %%
def relu(z):
    return np.maximum(z, 0)


def forward(a, u, h0, act=relu):
    """a (T, B, N), u (N,), h0 (B, N)  ->  h (T, B, N), cache."""
    h, before = np.empty_like(a), h0
    for t in range(len(a)):
        z = a[t] + u * before                       # F1
        h[t] = before = act(z)                      # F2
    return h, (u, h0, h)

# %% [markdown]
# ## What is given, and what is asked?
#
# Another layer or a loss follows the recurrence. Its backward pass hands us `dh`, `(T, B, N)`: how `L` changes with
# each `h[t]` **directly, all other states held fixed**. But a change of `h[0]` also changes `h[1]`, and so on. Our
# backward pass adds that part. (This is the one exception to the notation: `dh[t]` is only the direct part. The whole
# gradient of `h[t]` will be `dh[t] + carry`.) We want
#
# * `da` `(T, B, N)`, for the layer that made `a`,
# * `du` `(N,)`, to improve the recurrent weights,
# * `dh0` `(B, N)`, for the code that made the initial state.
#
# To test anything we need a loss. A weighted sum of all states, with random weights `w`, will do:
#
# $$L = \sum_{t,b,n} w_{tbn} h_{tbn} \qquad\Longrightarrow\qquad dh = w$$
#
# It can stand for any loss: near a point every smooth loss is such a sum up to a constant, with `w = dh`.
#
# ## Who reads what?
#
# We only need the chain rule for a value that is used in several places:
#
# > The gradient of a value is the sum, over everything that reads it, of the gradient of what the reader made, times
# > the reader's derivative with respect to the value.
#
# If `v` is read twice, `p = f(v)` and `q = g(v)`, then `dv = dp * f'(v) + dq * g'(v)`: a term for each reader.
#
# So first list the readers. In the picture values flow along the arrows. The orange labels name the gradients that flow
# back.

# %%
figure, axes = plt.subplots(figsize=(8, 3.2))
arrow = dict(arrowstyle="->", shrinkA=14, shrinkB=14, color="0.4")
axes.text(-1.5, 1, "h0", ha="center", va="center")
for t in range(3):
    x = 2.4 * t
    for name, place in {f"a[{t}]": (x, 0), f"z[{t}]": (x, 1), f"h[{t}]": (x + 1.1, 1), "loss": (x + 1.1, 2)}.items():
        axes.text(*place, name, ha="center", va="center")
    for tail, head in [((x, 0), (x, 1)), ((x, 1), (x + 1.1, 1)), ((x + 1.1, 1), (x + 1.1, 2)),
                       ((x - 1.5 if t == 0 else x - 1.3, 1), (x, 1))]:
        axes.annotate("", head, tail, arrowprops=arrow)
    for name, place in {f"da[{t}]": (x + 0.28, 0.42), f"dz[{t}]": (x + 0.55, 0.82), f"dh[{t}]": (x + 1.4, 1.5),
                        "dh0" if t == 0 else "carry": (x - 0.68, 0.82)}.items():
        axes.text(*place, name, color="C1", ha="center", va="center")
    axes.text(x - 0.68, 1.15, "times u", color="0.4", ha="center", va="center", fontsize=10)
axes.set(xlim=(-2, 6.6), ylim=(-0.3, 2.3), title="T = 3: values flow along the arrows, gradients against them")
axes.axis("off")
plt.show()

# %% [markdown]
# | value | read by | so its gradient has |
# | --- | --- | --- |
# | `h[t]` | the loss; F1 of step `t + 1` | two terms |
# | `z[t]` | F2 of step `t` | one term |
# | `a[t]` | F1 of step `t` | one term |
# | `u` | F1 of every step of every sequence | `T` times `B` terms |
# | `h0` | F1 of step 0 | one term |
#
# ## What reaches `z[t]`? (B1)
#
# Start at `h[t]`. Its first reader is the loss, which sends `dh[t]`. Its second reader is step `t + 1`. Call the
# gradient that this step sends the **carry**. No step follows the last one, so there the carry is 0. The sum of the two
# is the whole gradient of `h[t]`. It goes through F2, whose derivative is `act'`:
#
# **B1** $\quad dz_t = (dh_t + \mathrm{carry}) * \mathrm{act}'(z_t)$
#
# For relu, `act'` is 1 where `z > 0` and 0 elsewhere. Because `z > 0` exactly where `h > 0`, the derivative follows
# from the output. The same holds for tanh, where `act' = 1 - h^2`. That is why `z` need not be kept.
#
# ## What does a step send back? (B2)
#
# In F1 the state `h[t-1]` is multiplied by `u`. So step `t` sends to `h[t-1]`
#
# **B2** $\quad \mathrm{carry} = u * dz_t$
#
# B1 of step `t - 1` adds this carry. So the backward pass goes from the last step to the first.
#
# ## What reaches the input? (B3)
#
# `a[t]` enters F1 with derivative 1, and nobody else reads it:
#
# **B3** $\quad da_t = dz_t$
#
# ## What reaches the weight? (B4)
#
# `u` is one number per neuron, but every step of every sequence reads it. Each reader contributes its `dz[t]`, times
# the derivative of F1 with respect to `u`. That derivative is the factor of `u` in F1: the state **before** the step,
# `h[t-1]`, not `h[t]`. At step 0 it is `h0`. The contributions add up:
#
# **B4** $\quad du = \sum_{t} \sum_{b} dz_t * h_{t-1}$
#
# A sum, not a mean: this is the chain rule. If the loss is a mean over sequences, the `1 / B` is already in `dh`.
#
# ## What reaches the initial state? (B5)
#
# Only step 0 reads `h0`, and it sends back its carry:
#
# **B5** $\quad dh0 = \mathrm{carry}$ after step 0
#
# That is all: five equations, five lines of code.

# %%
def relu_slope(h):
    return (h > 0) * 1.0


def backward(dh, cache, slope=relu_slope):
    """dh (T, B, N), cache  ->  da (T, B, N), du (N,), dh0 (B, N)."""
    u, h0, h = cache
    da, du, carry = np.empty_like(h), np.zeros_like(u), np.zeros_like(h0)
    for t in reversed(range(len(h))):
        before = h[t - 1] if t > 0 else h0
        dz = (dh[t] + carry) * slope(h[t])          # B1
        carry = u * dz                              # B2
        da[t] = dz                                  # B3
        du = du + (dz * before).sum(axis=0)         # B4
    return da, du, carry                            # B5

# %% [markdown]
# ## Check 1: does it agree with finite differences?
#
# Change one number by a little, both ways, and see what the loss does:
#
# $$\frac{\partial L}{\partial p} \approx \frac{L(p + \varepsilon) - L(p - \varepsilon)}{2 \varepsilon}$$
#
# This does not use our derivation. The code does it for every number of `a`, `u` and `h0`.

# %%
rng = np.random.default_rng(0)
T, B, N = 6, 2, 3
a, w = rng.normal(size=(2, T, B, N))
u, h0 = rng.uniform(-1.2, 1.2, N), rng.normal(size=(B, N))


def differences(loss, p, eps=1e-6):
    """dL/dp for every number of the array p, which loss() reads."""
    slopes = np.empty_like(p)
    for place in np.ndindex(p.shape):
        kept = p[place]
        p[place] = kept + eps
        up = loss()
        p[place] = kept - eps
        slopes[place] = (up - loss()) / (2 * eps)
        p[place] = kept
    return slopes


def loss():
    return np.sum(w * forward(a, u, h0)[0])


_, cache = forward(a, u, h0)
for name, p, gradient in zip(("a", "u", "h0"), (a, u, h0), backward(w, cache)):
    numeric = differences(loss, p)
    assert np.allclose(gradient, numeric, atol=1e-8)
    print(f"d{name:<3} {gradient.shape!s:<10} agrees to 1e-8; its first number: {gradient.flat[0]:.6f}")

# %% [markdown]
# ## How small should the change be?
#
# Two errors compete. In Taylor's series the second derivative cancels between the two sides, and the third leaves an
# error of about `eps^2`. The subtraction of two nearly equal losses leaves a rounding error of about `1e-16 / eps`.
# Here the sum of the two is smallest near 1e-5. The package works in float64 and takes 1e-6, which also suits losses of
# stronger curvature. The plot uses tanh: with relu the loss is a straight line in a single `a`, except at kinks.

# %%
def tanh_slope(h):
    return 1 - h**2


def tanh_loss():
    return np.sum(w * forward(a, u, h0, np.tanh)[0])


da, du, dh0 = backward(w, forward(a, u, h0, np.tanh)[1], tanh_slope)
sizes = np.logspace(-12, -1, 45)
errors = [np.max(np.abs(differences(tanh_loss, a, eps) - da)) for eps in sizes]

figure, axes = plt.subplots(figsize=(8, 3))
axes.loglog(sizes, errors, marker="o", markersize=4, label="measured")
axes.loglog(sizes, sizes**2, linestyle="--", label="eps^2")
axes.loglog(sizes, 1e-16 / sizes, linestyle=":", color="C3", label="1e-16 / eps")
axes.set(xlabel="eps", ylabel="largest error of da", ylim=(1e-12, 1),
         title="Finite differences against the backward pass")
axes.legend(frameon=False, loc="lower left")
plt.show()
assert 1e-6 < sizes[np.argmin(errors)] < 1e-4
assert np.max(np.abs(differences(tanh_loss, a, 1e-6) - da)) < 1e-8

# %% [markdown]
# ## Would the check notice a mistake?
#
# A check that cannot fail proves nothing, so break the backward pass on purpose. `minindrnn.check` is the check that
# the package's own tests use. It saves work: instead of one number it moves a whole array along one random direction
# `v`, by eps and by -eps, and compares the change of the loss, divided by 2 eps, with the inner product of gradient and
# `v`. Two evaluations of the loss check an array of any size. If the two values disagree, the check finds the worst
# number and names it.
#
# A `Problem` says what to check: the arrays by name, a function that computes `y, cache` from them, and one that turns
# `dy` and the cache into a gradient for each name. The code makes each fault in the source of `backward`: it replaces
# one piece of text, and `exec` defines the function anew.

# %%
faults = {"h[t] instead of h[t-1]": ("dz * before", "dz * h[t]"), "no carry": ("dh[t] + carry", "dh[t]"),
          "carry without u": ("carry = u * dz", "carry = dz"), "mean instead of sum": (".sum(axis=0)", ".mean(axis=0)"),
          "no fault": ("", "")}


def problem(backward):
    arrays = {"a": a, "u": u, "h0": h0}
    return Problem(arrays, lambda: forward(a, u, h0), lambda dh, cache: dict(zip(arrays, backward(dh, cache))))


for name, (right, wrong) in faults.items():
    scope = dict(globals())
    exec(inspect.getsource(backward).replace(right, wrong), scope)
    try:
        check(problem(scope["backward"]), np.random.default_rng(1))
        print(f"{name}: passes")
        assert name == "no fault"
    except GradientError as error:
        print(f"{name}: {str(error).partition(';')[0]}")
        assert name != "no fault"

# %% [markdown]
# ## Check 2: does it agree with algebra?
#
# Three steps are few enough to write out. SymPy unrolls F1 and F2 with letters instead of numbers, and differentiates
# the whole expression by its own rules. Our `backward` then runs on the same letters. The difference of the two,
# multiplied out, must be 0.

# %%
letters = [np.array(sympy.symbols(f"{name}:3")).reshape(3, 1, 1) for name in "aw"]
A, W = letters
U, H0 = np.array([sympy.Symbol("u")]), np.array([[sympy.Symbol("h0")]])
identity, one = (lambda z: z), (lambda h: 1)
tanh = np.vectorize(sympy.tanh, otypes=[object])

for act, slope in ((identity, one), (tanh, tanh_slope)):
    h, cache = forward(A, U, H0, act)
    L = np.sum(W * h)
    for p, gradient in zip((A, U, H0), backward(W, cache, slope)):
        for symbol, ours in zip(p.flat, gradient.flat):
            assert sympy.expand(sympy.diff(L, symbol) - ours) == 0

da, du, _ = backward(W, forward(A, U, H0, identity)[1], one)
print("da[0] =", sympy.expand(da[0, 0, 0]))
print("da[0] =", sympy.horner(da[0, 0, 0], U[0]), "   as the carry computes it")

# %% [markdown]
# With the identity as activation, `da[0]` is a polynomial in `u`: the gradient of the loss at step `t` comes back
# multiplied by `u^t`, the power of [tutorial 1](01_one_neuron.ipynb). The carry evaluates it from the inside out, with
# one product and one sum per step: a single sweep over the sequence, like the forward pass.
#
# ## Check 3: does it agree with a forward computation?
#
# One can compute `du` without a backward pass. At each step, compute how the state changes with `u`: the **trace**
# $e_t = \partial h_t / \partial u$ is a derivative of the state, not of the loss. Differentiate F1 and F2 with respect
# to `u`; `h[t-1]` depends on `u` as well:
#
# $$e_t = \mathrm{act}'(z_t) * (h_{t-1} + u * e_{t-1}), \qquad du = \sum_t \sum_b dh_t * e_t$$
#
# Traces are exact, so both values of `du` agree up to rounding, over any number of steps.

# %%
T = 1000
a, w = rng.normal(size=(2, T, B, N))
h, cache = forward(a, u / 2, h0)             # halved: with |u| above 1 a thousand steps would overflow
trace, traced = np.zeros((B, N)), np.zeros(N)
for t in range(T):
    before = h[t - 1] if t > 0 else h0
    trace = relu_slope(h[t]) * (before + u / 2 * trace)
    traced += (w[t] * trace).sum(axis=0)
_, du, _ = backward(w, cache)
assert np.allclose(du, traced, rtol=1e-11)
print("backward      ", du)
print("forward traces", traced)

# %% [markdown]
# Why go backward at all? A trace gives the gradient of one parameter. Here one per neuron is enough, because `u[n]`
# only moves neuron `n`; but `W` has `M` numbers for each neuron, and each would need a trace of its own. One backward
# pass gives all gradients.
#
# ## What happens at the kink?
#
# relu has no derivative at 0: its slope is 0 to the left and 1 to the right. The package takes **relu'(0) = 0**. Two
# things follow.
#
# Finite differences that straddle the kink are wrong, whatever the backward pass says. With `z = 1e-7` and `eps = 1e-6`
# the backward pass says 1, which is right, and the central difference says 0.55.
#
# And an inactive step stops the gradient: where `h[t]` is 0, `dz[t]` and the carry are 0 too. Nothing from later steps
# gets past it.

# %%
def central(a, eps):
    return (relu(a + eps) - relu(a - eps)) / (2 * eps)


assert np.isclose(central(1e-7, 1e-6), 0.55) and relu_slope(relu(1e-7)) == 1
assert relu_slope(relu(0.0)) == 0 and central(0.0, 1e-6) == 0.5

a = np.array([1.0, -5.0, 1.0, 1.0]).reshape(4, 1, 1)           # the second step is inactive
_, cache = forward(a, np.array([0.9]), np.zeros((1, 1)))
da, _, _ = backward(np.ones_like(a), cache)
assert da[1] == 0 and da[0] == 1                               # only the loss reaches step 0, no carry

x = np.linspace(-0.3, 0.3, 601)
figure, axes = plt.subplots(figsize=(8, 2.8))
axes.plot(x, relu_slope(x), label="backward: 0 up to the kink, then 1")
axes.plot(x, central(x, 0.1), linestyle="--", label="central difference, eps = 0.1")
axes.set(xlabel="z", ylabel="derivative of relu", title="Within eps of the kink, differences are wrong")
axes.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# The package's check avoids kinks: it compares the differences to the left and to the right, and draws another
# direction where they disagree. Values drawn from a continuous distribution are rarely that close to a kink.
#
# ## Does the package compute the same?
#
# `obvious_backward` in [recurrence.py](../minindrnn/ops/recurrence.py) has the same five lines, each with its number,
# `B1` to `B5`. `minindrnn.indrnn_backward` has them in a compiled loop.

# %%
for T, B, N in ((1, 1, 1), (7, 3, 4), (50, 2, 33)):
    a, w = rng.normal(size=(2, T, B, N))
    u, h0 = rng.uniform(-1, 1, N), rng.normal(size=(B, N))
    for name, act, slope in (("relu", relu, relu_slope), ("tanh", np.tanh, tanh_slope)):
        h, cache = forward(a, u, h0, act)
        theirs, their_cache = indrnn_forward(a, u, h0, activation=name)
        assert np.allclose(h, theirs, rtol=0, atol=1e-12)
        for ours, gradient in zip(backward(w, cache, slope), indrnn_backward(w, their_cache)):
            assert np.allclose(ours, gradient, rtol=0, atol=1e-12)

zero = np.zeros((1, 1, 1))
assert indrnn_backward(zero + 1, indrnn_forward(zero, np.ones(1))[1])[0] == 0          # relu'(0) = 0

# %% [markdown]
# ## Exercises
#
# 1. Close this page and write `indrnn_backward`. `python -m minindrnn exercise recurrence --start FILE` makes a file to
#    fill in; `python -m minindrnn exercise recurrence FILE` checks it, and says which number of which array is wrong
#    first.
# 2. In a layer, `a[t] = W x[t] + b`. List the readers of `x[t]`, `W` and `b`, and derive `dx`, `dW` and `db` from `da`.
#    Compare with `minindrnn.linear_backward`.
# 3. Give the neuron a second memory: `z[t] = a[t] + u * h[t-1] + v * h[t-2]`, with `h[-1] = h[-2] = 0`. How many
#    readers does `h[t]` have now? Write the backward pass and check it.
#
# The answers to 2 and 3 follow, checked. Try first.

# %%
x, W, b, da = rng.normal(size=(5, 2, 3)), rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=(5, 2, 4))
_, cache = linear_forward(x, W, b)
answers = da @ W, np.einsum("tbn,tbm->nm", da, x), da.sum(axis=(0, 1))                 # dx, dW, db
assert all(np.allclose(ours, theirs) for ours, theirs in zip(answers, linear_backward(da, cache)))


def forward2(a, u, v):
    h = np.zeros((len(a) + 2, *a.shape[1:]))                                           # two zeros first
    for t in range(len(a)):
        h[t + 2] = np.tanh(a[t] + u * h[t + 1] + v * h[t])
    return h[2:], (u, v, h)


def backward2(dh, cache):
    u, v, h = cache
    da, du, dv, near, far, farther = np.empty_like(dh), 0, 0, 0, 0, 0                  # three readers: loss, t+1, t+2
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + near + far) * tanh_slope(h[t + 2])
        du, dv = du + (da[t] * h[t + 1]).sum(axis=0), dv + (da[t] * h[t]).sum(axis=0)
        near, far, farther = u * da[t], farther, v * da[t]                             # v's share waits one step
    return da, du, dv


arrays = {"a": rng.normal(size=(5, 2, 3)), "u": rng.normal(size=3), "v": rng.normal(size=3)}
check(Problem(arrays, lambda: forward2(*arrays.values()),
              lambda dh, cache: dict(zip(arrays, backward2(dh, cache)))), rng)
print("both agree")

# %% [markdown]
# Next: [a layer learns to add](03_learning_to_add.ipynb).
