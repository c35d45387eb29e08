"""A simple method that is hard to beat: logistic regression on 30 statistics of each motion window.

    python tutorials/motion_statistics.py     writes results/motion-statistics.json: test accuracy by fold,
                                              the lengths of the whole recordings in training

The statistics of each of the six numbers are its mean, standard deviation, smallest, largest, and mean absolute change
from step to step. L-BFGS fits W to the cross-entropy plus |W|^2 / (2 n), over the same training windows as the
networks.
"""
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from minindrnn import cross_entropy
from minindrnn.data.motion import EXERCISES, load_motion


def statistics(sequences, lengths):
    """x (n, T, 6) and lengths (n,)  ->  (n, 31), the last of which is 1."""
    rows = [np.concatenate([x.mean(axis=0), x.std(axis=0), x.min(axis=0), x.max(axis=0),
                            np.abs(np.diff(x, axis=0)).mean(axis=0), [1]])
            for x in (x[:length].astype(np.float64) for x, length in zip(sequences, lengths))]
    return np.array(rows)


def accuracy(fold, window=200):
    parts = {name: (statistics(x, lengths), labels) for name, (x, labels, lengths) in load_motion(fold, window).items()}
    X, labels = parts["train"]
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    mean[-1], deviation[-1] = 0, 1
    shape = len(EXERCISES), X.shape[1]

    def objective(flat):
        W = flat.reshape(shape)
        loss, dy = cross_entropy((X - mean) / deviation @ W.T, labels)
        return loss + np.sum(W**2) / (2 * len(X)), (dy.T @ ((X - mean) / deviation) + W / len(X)).ravel()

    flat = minimize(objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000}).x
    W = flat.reshape(shape)
    X, labels = parts["test"]
    return float(np.mean(((X - mean) / deviation @ W.T).argmax(axis=1) == labels))


if __name__ == "__main__":
    found = {"windows": [accuracy(fold) for fold in range(5)], "recordings": [accuracy(fold, 0) for fold in range(5)]}
    lengths = [load_motion(fold, 0)["train"][2].tolist() for fold in range(5)]
    path = Path(__file__).parent / "results/motion-statistics.json"
    path.write_text(json.dumps(found | {"lengths": lengths}) + "\n")
    print(*(f"{name}: {' '.join(f'{value:.1%}' for value in values)}" for name, values in found.items()), sep="\n")
