"""Two combinators: x + F(x), and [x, F(x)]."""
import numpy as np


def residual_forward(x, F):
    """x (T, B, N), F  ->  y (T, B, N)."""
    return x + F(x)                                                     # F1


def residual_backward(dy, F_backward):
    """dy (T, B, N), F_backward  ->  dx (T, B, N): x acts on y along both ways, and its gradients add up."""
    return dy + F_backward(dy)


def concatenate_forward(x, F):
    """x (T, B, M), F  ->  y (T, B, M + N)."""
    return np.concatenate([x, F(x)], axis=2)                            # F2


def concatenate_backward(dy, M, F_backward):
    """dy (T, B, M + N), M, F_backward  ->  dx (T, B, M): each part of dy goes back the way its part of y came."""
    return dy[:, :, :M] + F_backward(dy[:, :, M:])
