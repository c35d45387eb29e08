"""The unit and the IndRNN layer in fewer passes over the memory: what `indrnn` says, and that is the one to read first.

    unit     a -> recurrence of a + b -> batch normalisation, if any -> dropout
    IndRNN   x -> W x -> unit, which adds the b of the affine map

The recurrence is one pass over (T, B, N), and every other pass takes about as long. So what can be taken along is done
in a pass that is made anyway:

    the bias          in the recurrence            F1  z[t]  = a[t] + b + u * h[t-1]
    its gradient      in its backward pass         B6  db    = sum over t and b of dz[t]
    dropout           in the normalisation         F4 and B1 of `batchnorm`
    over time, dx of  in the backward pass of      B0  dh[t] = p * dy[t] + q * (h[t] - m) + r
    the normalisation the recurrence                   B4 of `batchnorm`: once its sums are known, an affine map of
                                                       each column, with p, q, m, r (B, N); m is the mean, as q * h
                                                       alone may be far larger than dh

h is written over a, and da over dy, where nobody else has them. The other equations are those of `recurrence`.
"""
import numpy as np

from ..core.expect import expect, expect_out, expect_same
from ..core.layer import expect_known
from ..core.ranks import ALONE
from ..ops.dropout import draw, dropout_backward, dropout_forward
from ..ops.linear import NARROW, linear_backward, linear_forward
from ..ops.recurrence import checked, copied
from ..ops.recurrence_kernels import backward_in_place, forward_in_place, step_in_place


def fused_forward(a, u, h0=None, *, b=None, activation="relu", lengths=None, out=None):
    """a (T, B, N), u (N,), h0 (B, N) or zero, b (N,) or None  ->  h (T, B, N), cache. As `indrnn_forward`."""
    if b is not None:
        like = ("a", a, "TBN")
        expect(*like)
        expect("b", b, "N", like)
        if out is not None:
            expect_out("out", out, "TBN", like, b=b)
    cache = checked(a, u, h0, activation, lengths, out)
    forward_in_place(*cache, b=b)                                                  # F1, F2
    return cache.h, cache


def fused_backward(dy, cache, *, biased=False, pqmr=None, out=None):
    """dy (T, B, N), cache  ->  da (T, B, N), du (N,), dh0 (B, N), db (N,). As `indrnn_backward`.

    biased   whether there was a b; else db is 0
    pqmr     (4, B, N): p, q, m, r of B0; without, dy is dh
    """
    like = ("h", cache.h, "TBN")
    expect("dy", dy, "TBN", like)
    if pqmr is not None:
        expect("pqmr", pqmr, "4BN", like)
    if out is not None:
        expect_out("out", out, "TBN", ("dy", dy, "TBN"), u=cache.u, h0=cache.h0, h=cache.h, pqmr=pqmr)
    da = copied(dy, out)
    return da, *backward_in_place(da, *cache, biased=biased, pqmr=pqmr)            # B0 to B6


def unit_forward(unit, a, state, *, b=None, overwrite=False, lengths=None, rng=None, ranks=ALONE, **how):
    """`Unit.forward`, if it is `fusible`; overwrite lets h be written over a."""
    expect_known(how)
    h, of_recurrence = fused_forward(a, unit["u"], state, b=b, activation=unit.activation, lengths=lengths,
                                     out=a if overwrite else None)
    if unit.order is None:
        y, of_dropout = dropout_forward(h, unit.dropout, rng, ranks=ranks)
        return y, unit.Cache(None, of_recurrence, of_dropout)
    mask = draw(h.shape[1:], unit.dropout, rng, h.dtype, ranks.first)
    y, of_norm = unit.norm.forward(h, lengths=lengths, mask=mask, ranks=ranks, **how)
    return y, unit.Cache(of_norm, of_recurrence, None)                             # the mask is of the normalisation


def unit_backward(unit, dy, cache, *, biased=False, overwrite=False):
    """`Unit.backward`, if it is `fusible`; biased: there was a b, and db (N,) is among the gradients."""
    of_norm, of_recurrence, of_dropout = cache
    given, grads, pqmr = dy, {}, None
    if unit.order is None:
        dy = dropout_backward(dy, of_dropout)
    elif unit.norm.per_step:                                                       # its p, q, r change with the step
        dy, grads = unit.norm.backward(dy, of_norm, overwrite=overwrite)
    else:
        pqmr, grads = unit.norm.backward_map(dy, of_norm)
    out = dy if overwrite or dy is not given else None
    da, du, dh0, db = fused_backward(dy, of_recurrence, biased=biased, pqmr=pqmr, out=out)
    return da, grads | {"u": du, "h0": dh0} | ({"b": db} if biased else {})


def layer_forward(layer, x, state, *, lengths=None, **how):
    """`IndRNN.forward`, if its unit is `fusible`."""
    W, b = layer["W"], layer["b"]
    of_affine, of_recurrence = (b, None) if narrow(layer) else (None, b)
    a, of_linear = linear_forward(x, W, of_affine, lengths=lengths)
    y, of_unit = unit_forward(layer.unit, a, state, b=of_recurrence, overwrite=True, lengths=lengths, **how)
    return y, layer.Cache(of_linear, of_unit)


def layer_backward(layer, dy, cache, *, overwrite=False):
    """`IndRNN.backward`, if its unit is `fusible`."""
    of_linear, of_unit = cache
    da, unit = unit_backward(layer.unit, dy, of_unit, biased=not narrow(layer), overwrite=overwrite)
    dx, dW, db = linear_backward(da, of_linear)
    linear = {"W": dW, "b": db} if narrow(layer) else {"W": dW}
    return dx, linear | unit


def layer_step(layer, x, state, *, start):
    """`IndRNN.step`, if its unit is `fusible`."""
    unit, W, b, u = layer.unit, layer["W"], layer["b"], layer["u"]
    expect("x", x, "BM", like=("W", W, "NM"))
    a = x @ W.T
    expect("a", a, "BN", like=("u", u, "N"))
    expect_same("b", b, "u", u)
    h, h0 = a, np.zeros_like(a) if state is None else state
    expect("h0", h0, "BN", like=("a", a, "BN"))
    step_in_place(u, h0, h, unit.activation, b=b)
    return unit.norm.step(h, start=start)[0] if unit.order else h.copy(), h


def narrow(layer):
    """Whether the affine map adds b: with so few inputs it has a pass of its own kind, in which b costs nothing."""
    return layer["W"].shape[1] <= NARROW
