"""The range of u: its bound, the projection, the half-life."""
import numpy as np


def largest(T, gamma):
    """The largest |u| with |u|^T <= gamma."""
    return gamma ** (1 / T)


def project(u, bound):
    """u (N,), bound a number  ->  the nearest vector (N,) within -bound and bound."""
    return np.clip(u, -bound, bound)


def half_life(u):
    """u (N,)  ->  t (N,) with |u|^t = 1/2: t = log(1/2) / log|u|, 0 for u = 0, infinite from |u| = 1 on."""
    t = np.full_like(u, np.inf)
    t[u == 0] = 0
    between = (u != 0) & (abs(u) < 1)
    t[between] = np.log(0.5) / np.log(abs(u[between]))
    return t
