"""Batch normalisation over time, forward and backward."""
import numpy as np


def batchnorm_forward(x, gamma, beta, eps):
    """x (T, B, N), gamma (N,), beta (N,), eps a number  ->  y (T, B, N)."""
    mean = x.mean(axis=(0, 1))                                          # F1
    var = ((x - mean)**2).mean(axis=(0, 1))                             # F2
    xhat = (x - mean) / np.sqrt(var + eps)                              # F3
    return gamma * xhat + beta                                          # F4


def batchnorm_backward(dy, cache):
    """dy (T, B, N), cache of xhat (T, B, N), s (N,), gamma (N,)  ->  dx (T, B, N), dgamma (N,), dbeta (N,).

    B2  dbeta  = sum of dy                           from F4; all sums over t and b
    B3  dgamma = sum of dy * xhat                    from F4
    B4  dx     = gamma s (dy - sum(dy) / count - xhat sum(dy * xhat) / count)
                 from F3 and through F1, F2: mean and var depend on x
    """
    xhat, s, gamma = cache
    count = dy.shape[0] * dy.shape[1]
    dbeta = dy.sum(axis=(0, 1))                                         # B2
    dgamma = (dy * xhat).sum(axis=(0, 1))                               # B3
    dx = gamma * s * (dy - dbeta / count - xhat * dgamma / count)       # B4
    return dx, dgamma, dbeta
