# %% [markdown]
# # 8. Your own sequences
#
# From raw arrays to a network in use: write a file, train, predict, and find out what the network remembers, and where.
# All of it works the same with your data; the end says what to change.
#
# You need [tutorial 1](01_one_neuron.ipynb), where half-lives come from, and [tutorial 4](04_why_u_is_bounded.ipynb),
# for the bound. You need no download: the sequences are made of the handwritten digits in the package.

# %%
import io
import json
import os
import shlex
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

from minindrnn import half_life, largest
from minindrnn.cli.commands import main
from minindrnn.cli.finished_run import load_run, recurrent_weights
from minindrnn.data.digits import load_digits
from minindrnn.tasks.user_file import UserFile

plt.style.use("tableau-colorblind10")
plt.rcParams.update({"font.size": 11, "figure.constrained_layout.use": True})

folder = TemporaryDirectory()
os.chdir(folder.name)

# %% [markdown]
# ## The task
#
# Two to four digits stand side by side on a line, without a gap. A window of one column moves over it from left to
# right. **Which digit was the first?** The answer is due at the end of the line, so the network must remember the first
# columns until then. Lines differ in length: the task is ragged.
#
# Each of the 1797 images stands first in one line. The images after it are drawn at random and have nothing to do with
# the answer.

# %%
rng = np.random.default_rng(0)
parts = load_digits(rows=True).values()             # x (8 rows, B images, 8 columns), a row a step
images = np.concatenate([np.rint(8 * x + 8).astype(np.uint8).transpose(1, 2, 0) for x, _ in parts])
digits = np.concatenate([labels for _, labels in parts])                        # images (B, 8 columns, 8 rows)


def without_margins(image):
    """The columns from the first to the last that has ink."""
    inked = np.flatnonzero(image.any(axis=1))
    return image[inked[0]:inked[-1] + 1]


def line(first, others):
    return np.concatenate([without_margins(images[i]) for i in (first, *others)])


lines = [line(i, rng.integers(0, len(images), rng.integers(1, 4))) for i in range(len(images))]
lengths = np.array([len(columns) for columns in lines])
print(f"{len(lines)} lines of {lengths.min()} to {lengths.max()} columns, {lines[0].shape[1]} numbers each")

figure, panels = plt.subplots(2, 3, figsize=(8, 2.4))
for axes, i in zip(panels.ravel(), range(6)):
    axes.imshow(lines[i].T, cmap="gray_r")
    axes.set_title(f"y = {digits[i]}, {lengths[i]} columns", fontsize=10)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ## The file
#
# An `.npz` with three arrays. `X` may be `(n, T, M)`, padded to the longest sequence; padding is never read and may
# hold NaN. Or, as here, it is `(all steps, M)`, all steps one after the other; `lengths` says where to cut. `y` counts
# the classes from 0.
#
# You need not scale `X`. The run brings each of the `M` numbers to mean 0 and standard deviation 1 over the training
# sequences. It keeps both numbers and scales later sequences in the same way.

# %%
np.savez("lines.npz", X=np.concatenate(lines), y=digits, lengths=lengths)
print("\n".join(f"{name:<8} {array.dtype}  {array.shape}" for name, array in np.load("lines.npz").items()))

# %% [markdown]
# ## Train
#
# On a command line, this is all:
#
#     python -m minindrnn train lines.npz --layers 3 --hidden 64 --updates 800 --rate 0.005 --dropout 0.1 --out run
#
# In a notebook `main` takes the same words. This helper returns the lines that they print, without the progress bar,
# seconds and folders.

# %%
def minindrnn(words):
    """Runs the command and returns the lines that it prints; of an error the one line that says why."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(shlex.split(words))
    except SystemExit:
        return err.getvalue().splitlines()[-1:]
    return [said for said in out.getvalue().splitlines() if "seconds" not in said and "folder" not in said]


said = minindrnn("train lines.npz --layers 3 --hidden 64 --updates 800 --rate 0.005 --dropout 0.1 --out run")
print("\n".join(said))

result = json.loads(Path("run/result.json").read_text())
assert result["test_accuracy"] > 0.85                           # guessing: 0.1

# %% [markdown]
# The command kept a tenth of the lines for the test and a tenth for validation, with every class in its share, drawn by
# `--seed`. The default network is the papers' deep one with batch normalisation after each recurrence. The folder
# records the run, and the same command with `--resume` goes on where Ctrl-C stopped it.

# %%
rows = [json.loads(row) for row in Path("run/metrics.jsonl").read_text().splitlines()]
figure, axes = plt.subplots(figsize=(8, 3))
axes.plot([row["update"] for row in rows], [row["validation_accuracy"] for row in rows])
axes.axhline(0.1, color="0.4", linestyle=":")
axes.set(xlabel="update", ylabel="validation accuracy", title="Guessing, the dotted line, is soon left behind")
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ## Predict
#
# New sequences go into a file of the same kind; an `.npy` with `X` alone will do too. `predict` reads the network from
# the run folder and does not need the training data. Here are eight new lines of five of the same images each, one more
# than in any training line. If the file has `y`, `predict` also counts the right answers.

# %%
first = rng.integers(0, len(images), 8)
new = [line(i, rng.integers(0, len(images), 4)) for i in first]
np.savez("new.npz", X=np.concatenate(new), lengths=[len(columns) for columns in new], y=digits[first])
print("\n".join(minindrnn("predict run new.npz")))

# %% [markdown]
# The note is a warning. The bound on `|u|` (`--gamma`) lets a state at most double over the longest training line. Over
# longer lines it may grow more. If the sequences in use are much longer than the training sequences, train on longer
# ones, or with `--gamma 1`, where no state ever grows.
#
# A command refuses what does not fit, in one line, and never guesses:

# %%
np.save("flat.npy", np.zeros((3, 20)))
np.savez("holes.npz", X=np.where(rng.random((2, 20, 8)) < 0.9, 1.0, np.nan))
wrong = ["predict run flat.npy", "predict run holes.npz", "predict runs new.npz"]
print("\n".join(refused for words in wrong for refused in minindrnn(words)))

# %% [markdown]
# ## What does it remember, and where?
#
# A neuron's `u` is its memory: if `u` is positive, `u^t` of the state is left after `t` steps, and half of it after the
# half-life. (If `u` is negative, relu cuts the state at once, as in tutorial 1. A few neurons of the first layers have
# such a `u`.) The second paper draws how many neurons have which `u`, layer by layer (its figure 5). Here is the same
# for this run, beside the network before its first update, which the seed gives back. `python -m minindrnn report run`
# draws the same into `memory.png`, beside the learning curves and the confusion.

# %%
task, network, _ = load_run("run")
before, after = recurrent_weights(task.initial()), recurrent_weights(network)

halves = [half_life(np.median(np.abs(u))) for u in after.values()]
print("median half-life of the layers in columns: " + ", ".join(f"{half:.1f}" for half in halves))

figure, panels = plt.subplots(1, 3, figsize=(8, 3), sharex=True)
edges = np.linspace(0, network.bound + 1e-6, 23)
for number, (axes, (name, u)) in enumerate(zip(panels, after.items()), 1):
    axes.hist(np.abs(u), edges, label="trained")
    axes.stairs(np.histogram(np.abs(before[name]), edges)[0], edges, color="black", label="start")
    axes.set(title=f"layer {number}", xlabel="|u|")
panels[0].set_ylabel("neurons")
panels[1].legend(frameon=False)
plt.show()

assert halves[0] < 3 and halves[1] < 3 and halves[2] == np.inf and lengths.max() == 27
for name in list(after)[:2]:
    assert np.sum(np.abs(after[name]) > 1) > 2 * np.sum(np.abs(before[name]) > 1)

# %% [markdown]
# The layers have divided the work. Half of the neurons of the first two forget within a column or two: they look for
# strokes. A neuron with `u` of 1 or more forgets nothing. Most of the last layer is like that: it started so, on
# purpose (tutorial 3), and training left it so. As in the paper's picture, some neurons of the first layers have moved
# to the bound, where few were before.
#
# That is what the weights say. Is it true? Shorten the memory of one layer so that none of its neurons keeps more than
# half from column to column. Leave all else as it is, and count again.

# %%
whole = UserFile(task.settings)                                 # with the data, this time


def accuracy(limit, *layers):
    kept = {name: u.copy() for name, u in after.items()}
    for name in layers:
        np.clip(after[name], -limit, limit, out=after[name])
    found = whole.evaluate(network, part="test")["test_accuracy"]
    for name, u in after.items():
        u[...] = kept[name]
    return found


table = {"nothing shortened": accuracy(1.0)}
table |= {f"layer {number}, |u| <= 0.5": accuracy(0.5, name) for number, name in enumerate(after, 1)}
print("\n".join(f"{what:<22} test accuracy {share:.1%}" for what, share in table.items()))
assert table["nothing shortened"] == result["test_accuracy"]
assert table["layer 3, |u| <= 0.5"] < 0.25 < table["layer 1, |u| <= 0.5"] < 0.7 < table["layer 2, |u| <= 0.5"]

# %% [markdown]
# Without the memory of the last layer hardly more than guessing is left. The memory of the first layer matters as well:
# a stroke is more than a column wide. The second layer needs its memory least.
#
# ## Which classes does it confuse?
#
# Ask two questions of any classifier of sequences: which classes does it confuse, and does it get worse with length?
# `confusion.png` of the report answers the first, three lines the second.

# %%
counts = whole.confusion(network)
guesses, (_, labels, steps) = whole.answers(network).argmax(axis=1), whole.parts["test"]

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
left.imshow(counts, cmap="cividis")
for k, j in zip(*np.nonzero(counts)):
    left.text(j, k, counts[k, j], ha="center", va="center", fontsize=8, color="black" if k == j else "white")
left.set(xticks=range(10), yticks=range(10), xlabel="answer", ylabel="true class", title="confusion")
groups = [(8, 15), (16, 21), (22, 27)]
shares = [np.mean((guesses == labels)[(steps >= low) & (steps <= high)]) for low, high in groups]
right.bar([f"{low} to {high}" for low, high in groups], shares)
right.set(ylim=(0, 1), xlabel="columns of the line", ylabel="test accuracy", title="by length")
plt.show()

assert counts.sum() == len(labels) == 180 and counts.trace() == round(180 * result["test_accuracy"])

# %% [markdown]
# ## With your data
#
# | you have | do |
# | --- | --- |
# | one number a step | `X (n, T)`, or `(all steps,)` with `lengths` |
# | sequences of thousands of steps | keep them whole: the bound of `u` follows from the longest |
# | very long ones, hours of a signal | cut them into windows; `data/motion.py` does it |
# | several sequences of one person | a random split puts one person on both sides: keep some people for `predict` |
# | missing values | fill them in, and add a number that says where: NaN is refused, except in padding |
# | few sequences | `--hidden 32`, `--layers 2`, more `--dropout`, and more `--updates` than you think |
# | many | `--updates`: the default 2000 updates of 32 sequences are only a beginning |
#
# If the loss does not move, look at the learning rate first (`--rate`), then at depth (exercise 2). If the training
# loss falls and the validation loss does not, look at `--dropout` and `--decay`.
#
# ## Exercises
#
# 1. Which digit was the *last*? Change `y` to it, train again, and draw the memory. Which layers change?
# 2. Is depth worth it? Train with `--layers 2`, and with `--model lstm --layers 1`. Compare accuracy and seconds in
#    `result.json`.
# 3. How short a memory does the last layer need? Use `accuracy` with limits from 0.5 to 1 and compare with the
#    half-lives of these limits. Where would you expect it to break?
#
# The answer to 3 follows, checked. Try first.

# %%
*_, last = after
shares = {h: accuracy(0.5 ** (1 / h), last) for h in (1, 4, 16, 64, 256)}
print("\n".join(f"half-life at most {h:>3} columns: test accuracy {share:.1%}" for h, share in shares.items()))
assert shares[1] < shares[4] < shares[16] < shares[64]
assert np.isclose(network.bound, largest(27))

os.chdir("/")
folder.cleanup()

# %% [markdown]
# Next: [why it is fast](09_why_it_is_fast.ipynb).
