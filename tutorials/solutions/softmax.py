"""Softmax cross-entropy, the loss and its gradient."""
import numpy as np


def cross_entropy(y, target):
    """y (B, K), target (B,)  ->  loss, dy (B, K).

    F2  loss = mean over b of  log(sum over k of exp(y[b, k])) - y[b, target[b]]
    B2  dy   = (softmax(y) - onehot(target)) / B

    Subtracting a row's largest y changes neither, and keeps exp from overflowing.
    """
    rows = np.arange(len(y))
    y = y - y.max(axis=1, keepdims=True)
    total = np.exp(y).sum(axis=1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) - y[rows, target])               # F2
    dy = np.exp(y) / total
    dy[rows, target] -= 1
    return loss, dy / len(y)                                            # B2
