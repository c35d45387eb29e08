"""The backward pass of the LSTM."""
import numpy as np


def lstm_backward(dh, cache):
    """dh (T, B, N), cache of U (4 N, N), s0 (2, B, N), gates (T, B, 4 N), h, c (T, B, N)
    ->  da (T, B, 4 N), dU (4 N, N), ds0 (2, B, N).

    B1  dh   = dh[t] + carry_h                        carries are 0 after the last step
    B2  dc   = dh * o * (1 - tanh(c[t])^2) + carry_c  from F4 and, at the next step, F3
    B3  do   = dh * tanh(c[t])                        from F4
    B4  di, df, dg = dc * g, dc * c[t-1], dc * i      from F3
    B5  dz   = di i (1 - i), df f (1 - f), dg (1 - g^2), do o (1 - o)     from F2
    B6  carry_c = dc * f         carry_h = U' dz      from F3 and F1
    B7  da[t]   = dz             dU = sum over t and b of dz[t] h[t-1]'
    B8  ds0  = the carries after t = 0
    """
    U, s0, gates, h, c = cache
    da, dU, (carry_h, carry_c) = np.empty_like(gates), np.zeros_like(U), np.zeros_like(s0)
    for t in reversed(range(len(dh))):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        before, cell = (h[t - 1], c[t - 1]) if t > 0 else s0
        total, r = dh[t] + carry_h, np.tanh(c[t])                       # B1
        dc = total * o * (1 - r**2) + carry_c                           # B2
        do, di, df, dg = total * r, dc * g, dc * cell, dc * i           # B3, B4
        da[t] = np.concatenate([di * i * (1 - i), df * f * (1 - f),
                                dg * (1 - g**2), do * o * (1 - o)], axis=1)   # B5, B7
        carry_h, carry_c = da[t] @ U, dc * f                            # B6
        dU += da[t].T @ before                                          # B7
    return da, dU, np.stack([carry_h, carry_c])                         # B8
