"""The backward pass of the recurrence of IndRNN, with relu."""
import numpy as np


def indrnn_backward(dh, cache):
    """dh (T, B, N), cache of u (N,), h0 (B, N), h (T, B, N)  ->  da (T, B, N), du (N,), dh0 (B, N).

    B1  dz[t] = (dh[t] + carry) * [h[t] > 0]          from F2; carry = 0 after the last step
    B2  carry = u * dz[t]                             from F1, argument h[t-1]
    B3  da[t] = dz[t]                                 from F1, argument a[t]
    B4  du    = sum over t and b of dz[t] * h[t-1]    from F1, argument u, shared by all t and b
    B5  dh0   = carry after t = 0
    """
    u, h0, h = cache
    da, du, carry = np.empty_like(dh), np.zeros_like(u), np.zeros_like(h0)
    for t in reversed(range(len(dh))):
        da[t] = (dh[t] + carry) * (h[t] > 0)                            # B1, B3
        carry = u * da[t]                                               # B2
        before = h[t - 1] if t > 0 else h0
        du += (da[t] * before).sum(axis=0)                              # B4
    return da, du, carry                                                # B5
