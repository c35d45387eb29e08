"""The affine map W x + b, forward and backward."""


def linear_forward(x, W, b):
    """x (T, B, M), W (N, M), b (N,)  ->  y (T, B, N)."""
    return x @ W.T + b                                                  # F1


def linear_backward(dy, cache):
    """dy (T, B, N), cache of x (T, B, M), W (N, M)  ->  dx (T, B, M), dW (N, M), db (N,).

    B1  dx[t] = W' dy[t]                            from F1, argument x[t]
    B2  dW    = sum over t and b of dy[t] x[t]'     from F1, argument W, shared by all t and b
    B3  db    = sum over t and b of dy[t]           from F1, argument b
    """
    x, W = cache
    rows, x = dy.reshape(-1, dy.shape[2]), x.reshape(-1, x.shape[2])
    return dy @ W, rows.T @ x, rows.sum(axis=0)                         # B1, B2, B3
