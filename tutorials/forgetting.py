"""Draws forgetting.png: three neurons, one impulse, and what u makes of it."""
from pathlib import Path

import matplotlib
import numpy as np

from minindrnn import half_life, indrnn_forward

matplotlib.use("Agg")
import matplotlib.pyplot as plt

T, u = 30, np.array([0.5, 0.9, 1.0])
a = np.zeros((T, 1, 3))
a[3] = 1                                     # the impulse, at step 3
h, _ = indrnn_forward(a, u)
assert np.allclose(h[3:, 0], u ** np.arange(T - 3)[:, None])

figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
for n, weight in enumerate(u):
    halves = half_life(weight)
    label = f"u = {weight}: " + ("never forgets" if np.isinf(halves) else f"half is gone after {halves:.1f} steps")
    axes.plot(h[:, 0, n], marker="o", markersize=3, label=label)
axes.set_xlabel("step t")
axes.set_ylabel("h[t]")
axes.legend(frameon=False)
figure.savefig(Path(__file__).with_name("forgetting.png"), dpi=100, metadata={"Software": None})
