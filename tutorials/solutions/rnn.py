"""The backward pass of a recurrence with a full matrix, with tanh."""
import numpy as np


def rnn_backward(dh, cache):
    """dh (T, B, N), cache of U (N, N), h0 (B, N), h (T, B, N)  ->  da (T, B, N), dU (N, N), dh0 (B, N).

    B1  dz[t] = (dh[t] + carry) * (1 - h[t]^2)        from F2; carry = 0 after the last step
    B2  carry = U' dz[t]                              from F1, argument h[t-1]
    B3  da[t] = dz[t]                                 from F1, argument a[t]
    B4  dU    = sum over t and b of dz[t] h[t-1]'     from F1, argument U
    B5  dh0   = carry after t = 0
    """
    U, h0, h = cache
    da, dU, carry = np.empty_like(dh), np.zeros_like(U), np.zeros_like(h0)
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + carry) * (1 - h[t]**2)                         # B1, B3
        carry = da[t] @ U                                               # B2
        before = h[t - 1] if t > 0 else h0
        dU += da[t].T @ before                                          # B4
    return da, dU, carry                                                # B5
