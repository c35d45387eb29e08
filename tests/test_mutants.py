"""Break every backward pass on purpose; the gradient check must notice each time.

A mutant is a copy of a module with one piece of its source replaced, or with a copy of its part, see `PARTS`. It runs without compilation, and with blocks
and sums so short that their borders lie inside the drawn problems. The score is printed by `pytest -s`; one survivor fails.
"""
import types
from pathlib import Path

import numba
import numpy as np
import pytest

from minindrnn.checks.cases import PROBLEMS
from minindrnn.checks.gradcheck import GradientError, check
from minindrnn.networks import fused, indrnn
from minindrnn.networks.combinators import Chain
from minindrnn.ops import recurrence, recurrence_kernels

DRAWS = 40
SMALL = {"BLOCK": 4, "TERMS": 6, "ROWS": 4, "SMALL": 9}

MUTANTS = [
    ("obvious recurrence", "drop the carry", "dact(dh[t] + carry, h[t])", "dact(dh[t], h[t])"),
    ("obvious recurrence", "carry without u", "carry = u * dz  ", "carry = dz  "),
    ("obvious recurrence", "carry with the sign turned", "carry = u * dz  ", "carry = -u * dz  "),
    ("obvious recurrence", "no derivative of the activation", "dact(dh[t] + carry, h[t])", "dh[t] + carry"),
    ("obvious recurrence", "the derivative of the step before", "dact(dh[t] + carry, h[t])", "dact(dh[t] + carry, h[t - 1])"),
    ("obvious recurrence", "h[t] for h[t-1] in du", "h[t - 1] if t > 0 else h0", "h[t]"),
    ("obvious recurrence", "h0 forgotten in du", "if t > 0 else h0)", "if t > 0 else 0 * h0)"),
    ("obvious recurrence", "mean for sum over the sequences", "np.sum(dz", "np.mean(dz"),
    ("obvious recurrence", "dh for dz in du", "np.sum(dz *", "np.sum(dh[t] *"),
    ("obvious recurrence", "forward in time", "in reversed(range(len(dh)))", "in range(len(dh))"),
    ("obvious recurrence", "dh0 forgotten", "du.astype(u.dtype), carry", "du.astype(u.dtype), 0 * carry"),
    ("recurrence", "drop the carry", "d + s[CARRY, k], h[1][k])", "d, h[1][k])"),
    ("recurrence", "drop the carry between passes", "d3 + carry, h4)", "d3, h4)"),
    ("recurrence", "drop the carry within a pass", "d2 + u * d3, h3)", "d2, h3)"),
    ("recurrence", "carry without u", "s[CARRY, k] = s[U, k] * d", "s[CARRY, k] = d"),
    ("recurrence", "carry without u within a pass", "d0 + u * d1, h1)", "d0 + d1, h1)"),
    ("recurrence", "carry without u between passes", "s[CARRY, k] = u * d0", "s[CARRY, k] = d0"),
    ("recurrence", "carry with the sign turned", "s[CARRY, k] = s[U, k] * d", "s[CARRY, k] = -s[U, k] * d"),
    ("recurrence", "no derivative of the activation", "d = differentiate(kind, d + s[CARRY, k], h[1][k])", "d = d + s[CARRY, k]"),
    ("recurrence", "the derivative of the step before", "d + s[CARRY, k], h[1][k])", "d + s[CARRY, k], h[0][k])"),
    ("recurrence", "the derivative of the step before, in a pass", "d3 + carry, h4)", "d3 + carry, h3)"),
    ("recurrence", "h[t] for h[t-1] in du", "s[DU, k] += d * h[0][k]", "s[DU, k] += d * h[1][k]"),
    ("recurrence", "h[t] for h[t-1] in du, in a pass", "d3 * h3 + d2 * h2 + d1 * h1 + d0 * h0", "d3 * h4 + d2 * h3 + d1 * h2 + d0 * h1"),
    ("recurrence", "one step left out of du", "d3 * h3 + d2 * h2 + d1 * h1 + d0 * h0", "d3 * h3 + d2 * h2 + d0 * h0"),
    ("recurrence", "dh for dz in du", "s[DU, k] += d * h[0][k]", "s[DU, k] += dz[k] * h[0][k]"),
    ("recurrence", "da in the wrong order", "dz[3][k] = d0, d1, d2, d3", "dz[3][k] = d3, d1, d2, d0"),
    ("recurrence", "h0 forgotten in du", "if t > 0 else h0[low:high]", "if t > 0 else 0 * h0[low:high]"),
    ("recurrence", "dh0 forgotten", "copy(s[CARRY, :n], dh0[low:high])", "dh0[low:high] = 0"),
    ("recurrence", "carry of the block before", "            s[CARRY:DB + 1] = 0\n", ""),
    ("recurrence", "u of the wrong neuron from the second block on", "n = low % u.size", "n = 0"),
    ("recurrence", "stale sum", "        part[k] = 0\n", ""),
    ("recurrence", "last terms of du lost", "if moved - t >= TERMS or t == 0", "if moved - t >= TERMS"),
    ("recurrence", "mean for sum over the sequences", "dub.sum(axis=1)", "dub.mean(axis=1)"),
    ("recurrence", "sum over the wrong axis", "dub.sum(axis=1)", "dub.sum(axis=2)"),
    ("recurrence", "gradient in the padding", "da[steps:, low:high] = 0", "pass"),
    ("recurrence", "backward through the padding", "backward(*columns, low * N, high * N, steps)", "backward(*columns, low * N, high * N, T)"),
    ("recurrence", "lengths of another pass", "backward_in_place(da, *cache)", "backward_in_place(da, *cache._replace(lengths=None))"),
    ("fused recurrence", "db of the first step of a pass lost", "s[DB, k] + d3 + d2 + d1 + d0", "s[DB, k] + d3 + d2 + d1"),
    ("fused recurrence", "db of the last step of a pass lost", "s[DB, k] + d3 + d2 + d1 + d0", "s[DB, k] + d2 + d1 + d0"),
    ("fused recurrence", "db of single steps lost", "s[DB, k] += d ", "s[DB, k] += 0 "),
    ("fused recurrence", "du for db", "return du, dh0, db", "return du, dh0, du"),
    ("fused recurrence", "db is never moved", "                    if biased:\n                        move(s[DB, :n], dub[1, low:high])\n", ""),
    ("fused recurrence", "no db", "biased=biased, pqmr=pqmr)            # B0", "pqmr=pqmr)            # B0"),
    ("fused recurrence", "no map", "biased=biased, pqmr=pqmr)            # B0", "biased=biased)            # B0"),
    ("fused recurrence", "h[t-1] for h[t] in the map", "s[Q, k] * (h[1][k]", "s[Q, k] * (h[0][k]"),
    ("fused recurrence", "r forgotten", "(h[1][k] - s[MEAN, k]) + s[R, k]", "(h[1][k] - s[MEAN, k])"),
    ("fused recurrence", "h[t-1] for h[t] in a pass", "p * d3 + q * (h4 - m)", "p * d3 + q * (h3 - m)"),
    ("fused recurrence", "m forgotten", "(h[1][k] - s[MEAN, k]) + s[R, k]", "h[1][k] + s[R, k]"),
    ("fused recurrence", "m forgotten in a pass", "q * (h2 - m)", "q * h2"),
    ("fused recurrence", "q for p", "p, q, m, r = s[P", "q, p, m, r = s[P"),
    ("fused recurrence", "the map of the first block", "copy(pqmr[row, low:high], s", "copy(pqmr[row, :high - low], s"),
    ("linear", "dx with |W|", "np.matmul(rows, W, out=dx", "np.matmul(rows, abs(W), out=dx"),
    ("linear", "dW of narrow inputs without x", "x[r, m] * dy[r, n]", "dy[r, n]"),
    ("linear", "dW of narrow inputs, of the last row only", "part[m, n] += x[r, m]", "part[m, n] = x[r, m]"),
    ("linear", "dx of narrow inputs with |W|", "total += W[m, n]", "total += abs(W[m, n])"),
    ("linear", "dx of narrow inputs, of the last neuron only", "total += W[m, n]", "total = W[m, n]"),
    ("linear", "db of the last row only", "part[M, n] += dy[r, n]   ", "part[M, n] = dy[r, n]   "),
    ("linear", "stale sum", "                part[m, n] = 0\n", ""),
    ("linear", "dW of the first rows only", "range(0, len(dy), rows)", "range(0, min(len(dy), rows), rows)"),
    ("linear", "mean for sum", "db.astype(W.dtype)", "(db / T).astype(W.dtype)"),
    ("linear", "gradient of the padding", "    dy = without_padding(dy, lengths)\n", ""),
    ("rnn", "drop the carry", "dh[b, n] + carry[b, n], h[b, n]", "dh[b, n], h[b, n]"),
    ("rnn", "U for U'", "np.matmul(da[t], U, out=carry)", "np.matmul(da[t], U.T, out=carry)"),
    ("rnn", "no derivative of the activation", "differentiate(kind, dh[b, n] + carry[b, n], h[b, n])", "dh[b, n] + carry[b, n]"),
    ("rnn", "h[t] for h[t-1] in dU", "h[:-1].reshape(-1, N)", "h[1:].reshape(-1, N)"),
    ("rnn", "h0 forgotten in dU", " + products(da[0], h0)", ""),
    ("rnn", "dU transposed", "return da, dU.astype", "return da, dU.T.astype"),
    ("rnn", "gradient in the padding", "dh, da, carry = without_padding(dh, lengths),", "dh, da, carry = dh,"),
    ("RNN", "dh0 lost", '"h0": dh0', '"h0": 0 * dh0'),
    ("lstm", "drop the carry of h", "carry_h[b, n] += dh[b, n]", "carry_h[b, n] = dh[b, n]"),
    ("lstm", "drop the carry of c", "carry_c[b, n] += carry_h", "carry_c[b, n] = carry_h"),
    ("lstm", "cell kept without its gate", "carry_c[b, n] *= f", "carry_c[b, n] *= ONE"),
    ("lstm", "tanh of the cell not differentiated", " * o * (ONE - r * r)", " * o"),
    ("lstm", "c[t] for c[t-1] in df", " * before[b, n] * (f", " * c[b, n] * (f"),
    ("lstm", "i and g exchanged", " * g * (i * (ONE", " * i * (i * (ONE"),
    ("lstm", "sigmoid's derivative for tanh's", " * i * (ONE - g * g)", " * i * (g * (ONE - g))"),
    ("lstm", "cell for its tanh in do", " * r * (o * (ONE", " * c[b, n] * (o * (ONE"),
    ("lstm", "s0 forgotten in dU", " + products(da[0], s0[0])", ""),
    ("lstm", "c[-1] taken for zero", "c[t - 1] if t else s0[1]", "c[t - 1] if t else 0 * s0[1]"),
    ("lstm", "gradient of the padding", "dh, da, ds0 = without_padding(dh, lengths),", "dh, da, ds0 = dh,"),
    ("LSTM", "another quarter of the bias", "neurons:2 * neurons] = 1", "neurons:2 * neurons] = 1\n\n    def backward(self, dy, cache):\n        dx, grads = super().backward(dy, cache)\n        return dx, grads | {'b': np.roll(grads['b'], 1)}"),
    ("gru", "drop the carry", "carry[b, n] += dh[b, n]", "carry[b, n] = dh[b, n]"),
    ("gru", "state kept without its gate", "carry[b, n] *= gates[b, N + n]", "carry[b, n] *= ONE"),
    ("gru", "only the kept part carried", "        carry += product                                                               # B5\n", ""),
    ("gru", "r forgotten in dp", "= da[b, 2 * N + n] * r  ", "= da[b, 2 * N + n]  "),
    ("gru", "z for 1 - z", "= carry[b, n] * (ONE - z)", "= carry[b, n] * z"),
    ("gru", "the new state for the candidate in dz", "(before[b, n] - candidate) * (z", "before[b, n] * (z"),
    ("gru", "da for dp in dU", "dp[1:].reshape", "da[1:].reshape"),
    ("gru", "h0 forgotten in dU", " + products(dp[0], h0)", ""),
    ("gru", "r forgotten in db_hn", "dp[:, :, 2 * N:].sum", "da[:, :, 2 * N:].sum"),
    ("gru", "db_hn of the first step lost", "dp[:, :, 2 * N:].sum", "dp[1:, :, 2 * N:].sum"),
    ("gru", "b_hn lost on the way back to r", "* pn[b, n] * (r", "* (pn[b, n] - 1) * (r"),
    ("GRU", "db_hn lost", '"b_hn": db_hn', '"b_hn": 0 * db_hn'),
    ("GRU", "dU of the last gate lost", '{"U": dU, "h0"', '{"U": np.append(dU[:-1], 0 * dU[-1:], axis=0), "h0"'),
    ("layer normalisation", "mean taken for a constant", " - total / N - xhat", " - xhat"),
    ("layer normalisation", "variance taken for a constant", " - xhat * product / N)", ")"),
    ("layer normalisation", "gamma after the means", "total += gamma[n] * dy[t, b, n] ", "total += dy[t, b, n] "),
    ("layer normalisation", "scale forgotten", "dx[t, b, n] = s[t, b] * (", "dx[t, b, n] = ("),
    ("layer normalisation", "dgamma of the last row only", "dgamma[n] += dy[t, b, n] * xhat", "dgamma[n] = dy[t, b, n] * xhat"),
    ("layer normalisation", "gradient of the padding", "            if t < steps[b]:\n                total,", "            if True:\n                total,"),
    ("embedding", "no mask", "mask[seen, np.newaxis] * total", "total"),
    ("embedding", "a token counted once", "total[place[r], m] += dx[r, m]", "total[place[r], m] = dx[r, m]"),
    ("embedding", "gradient of the padding", "without_padding(dx, lengths).reshape", "dx.reshape"),
    ("differences", "the step after forgotten", "    dx[:-1] -= dq[1:]  ", "    pass  "),
    ("differences", "one step too early", "dx[:-1] -= dq[1:]", "dx[1:] -= dq[:-1]"),
    ("differences", "dx0 with the sign turned", "return dx, -dq[0]", "return dx, dq[0]"),
    ("differences", "gradient of the padding", "np.split(without_padding(dy, lengths), 2", "np.split(dy, 2"),
    ("mean squared error", "factor 2 forgotten", "2 * error / error", "error / error"),
    ("mean squared error", "divided by B only", "error.dtype.type(error.size)", "error.dtype.type(len(error))"),
    ("cross-entropy", "right class forgotten", "    dy[right] -= 1\n", ""),
    ("cross-entropy", "sum for mean", "dy / y.dtype.type(R)", "dy"),
    ("cross-entropy", "mean over all, also what is not counted", "dy / y.dtype.type(R)", "dy / y.dtype.type(target.size)"),
    ("cross-entropy", "gradient where nothing counts", "np.where((target >= 0)[..., np.newaxis], np.exp(log_p), y.dtype.type(0))", "np.exp(log_p)"),
    ("penalty on u", "sign of u forgotten", "np.sign(u) * excess", "excess"),
    ("penalty on u", "not divided by the norm", "excess / norm if", "excess if"),
    ("Linear", "db with the sign turned", '{"W": dW, "b": db}', '{"W": dW, "b": -db}'),
    ("batch normalisation", "mean taken for a constant", "(d - total[g, n] - (x", "(d - (x"),
    ("batch normalisation", "variance taken for a constant", " - (x[t, b, n] - mean[g, n]) * slope[g, n])", ")"),
    ("batch normalisation", "given statistics differentiated", "share = (own / np", "share = (1 / np"),
    ("batch normalisation", "divided by T * B, padding and all", "np.maximum(count, 1))[:, None]                 #",
     "np.maximum(x[:, :, 0].size / len(count), 1))[:, None]                 #"),
    ("batch normalisation", "gamma forgotten", "spread(dx, x, mean, gamma * s,", "spread(dx, x, mean, s,"),
    ("batch normalisation", "scale forgotten", "spread(dx, x, mean, gamma * s,", "spread(dx, x, mean, gamma + 0 * s,"),
    ("batch normalisation", "dgamma of x less its mean only", "product = s * (product", "product = (product"),
    ("batch normalisation", "mask forgotten in the sums", "np.float64(mask[row, n] * dy[t, b, n])", "np.float64(dy[t, b, n])"),
    ("batch normalisation", "mask forgotten in dx", "d = mask[row, n] * dx[t, b, n]", "d = dx[t, b, n]"),
    ("batch normalisation", "mask of the first sequence for all", "row = b * (len(mask) > 1)\n            if t < steps[b]:\n                for n in range(N):\n                    d = mask[row, n] * dx", "row = 0\n            if t < steps[b]:\n                for n in range(N):\n                    d = mask[row, n] * dx"),
    ("batch normalisation", "dbeta of the last row only", "total[g, n] += d", "total[g, n] = d"),
    ("batch normalisation", "dgamma of the last row only", "product[g, n] += d", "product[g, n] = d"),
    ("batch normalisation", "dgamma of one group", "product.sum(axis=0)", "product[0]"),
    ("batch normalisation", "gradient in the padding", "dx[t, b, n] = 0", "pass"),
    ("dropout", "no mask", "else dy * mask", "else dy"),
    ("dropout", "mask without its factor", "else dy * mask", "else dy * (mask > 0)"),
    ("Dropout", "gradient of the padding", "    dy = without_padding(dy, lengths)\n", ""),
    ("IndRNN", "dy for da into the affine map", "self.linear.backward(da, of_linear)", "self.linear.backward(dy.copy(), of_linear)"),
    ("IndRNN", "dh0 lost", '{"u": du, "h0": dh0} | grads', '{"u": du, "h0": 0 * dh0} | grads'),
    ("IndRNN", "dropout passed over", "dy = dropout_backward(dy, of_dropout)\n        if", "pass\n        if"),
    ("IndRNN", "normalisation before passed over", "da, grads = self.norm.backward(da, of_norm, overwrite=True)", "_, grads = self.norm.backward(da.copy(), of_norm)"),
    ("IndRNN", "normalisation after passed over", "dy, grads = self.norm.backward(dy, of_norm,", "_, grads = self.norm.backward(dy.copy(), of_norm,"),
    ("IndRNN", "dy of the user written over", "out=dy if overwrite or dy is not given else None", "out=dy"),
    ("IndRNN", "fused: dy for da into the affine map", "linear_backward(da, of_linear)", "linear_backward(dy.copy(), of_linear)"),
    ("IndRNN", "fused: dh0 lost", 'grads | {"u": du, "h0": dh0}', 'grads | {"u": du, "h0": 0 * dh0}'),
    ("IndRNN", "fused: dropout passed over", "dy = dropout_backward(dy, of_dropout)\n    elif", "pass\n    elif"),
    ("IndRNN", "fused: no map of the normalisation", "pqmr, grads = unit.norm.backward_map(dy, of_norm)", "_, grads = unit.norm.backward_map(dy, of_norm)"),
    ("IndRNN", "fused: normalisation per step passed over", "dy, grads = unit.norm.backward(dy, of_norm,", "_, grads = unit.norm.backward(dy.copy(), of_norm,"),
    ("IndRNN", "fused: db lost where the recurrence adds b", '({"b": db} if', '({"b": 0 * db} if'),
    ("IndRNN", "fused: db lost where the affine map adds b", '{"W": dW, "b": db} if', '{"W": dW, "b": 0 * db} if'),
    ("IndRNN", "fused: dy of the user written over", "out = dy if overwrite or dy is not given else None", "out = dy"),
    ("Residual", "skip forgotten", "np.add(dy, dx, out=empty_like(dy))", "dx"),
    ("Residual", "branch forgotten", "np.add(dy, dx, out=empty_like(dy))", "dy.copy()"),
    ("Residual", "gradient of the padding", "without_padding(np.add(dy, dx, out=empty_like(dy)), lengths, overwrite=True)", "dy + dx"),
    ("Concatenate", "gradient of the padding", "without_padding(np.add(dskip, dx, out=empty_like(dx)), lengths, overwrite=True)", "dskip + dx"),
    ("Concatenate", "the other half", "dy[:, :, M:]", "dy[:, :, :-M]"),
    ("Concatenate", "skip forgotten", "np.add(dskip, dx, out=empty_like(dx))", "dx"),
    ("Chain", "gradients left in reverse order", "grads[::-1]", "grads"),
    ("Chain", "caches in forward order", "zip(reversed(self.layers), reversed(caches))", "zip(reversed(self.layers), caches)"),
    ("Bidirectional", "dy not turned round", "dz = reverse(dy[:, :, N:].copy(), lengths)", "dz = dy[:, :, N:].copy()"),
    ("Bidirectional", "dx not turned back", "dx + reverse(dz, lengths)", "dx + dz"),
    ("Bidirectional", "lengths forgotten on the way back", "dx + reverse(dz, lengths)", "dx + reverse(dz)"),
    ("Differences", "dh0 lost", '"h0": dx0', '"h0": 0 * dx0'),
    ("LanguageModel", "E of the decoder only", "dE + grads", "dE + 0 * grads"),
    ("LanguageModel", "E of the embedding only", "dE + grads", "grads"),
    ("LanguageModel", "the body passed over", "dx, body = self.body.backward(dh, of_body, overwrite=True)", "_, body = self.body.backward(dh, of_body); dx = dh"),
    ("AtLastStep", "the last step of the array", "dx[steps - 1, np.arange(len(steps))] = dlast[0]", "dx[-1] = dlast[0]"),
    ("AtLastStep", "every step", "dx[steps - 1, np.arange(len(steps))] = dlast[0]", "dx[:] = dlast[0]"),
]


PARTS = {recurrence: recurrence_kernels, fused: recurrence_kernels, indrnn: fused}     # module: where some of its work is done


def copy_of(module, old="", new=""):
    """The module from its source, uncompiled, with a copy of its part in place of that; old is replaced by new in one of the
    two."""
    sources = {each: Path(each.__file__).read_text() for each in (module, PARTS.get(module)) if each}
    count = sum(source.count(old) for source in sources.values())
    assert not old or count == 1, f"{old!r} stands {count} times in {' and '.join(each.__name__ for each in sources)}"
    copies = {each: executed(each, source.replace(old, new) if old else source) for each, source in sources.items()}
    copy = copies.pop(module)
    for part, fresh in copies.items():
        for name, value in vars(part).items():
            if vars(copy).get(name) is value:
                setattr(copy, name, getattr(fresh, name))
    return copy


def executed(module, source):
    copy = types.ModuleType(module.__name__)
    copy.__file__, copy.__package__ = module.__file__, module.__package__
    compiling, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, 1
    try:
        exec(compile(source, module.__file__, "exec"), copy.__dict__)
    finally:
        numba.config.DISABLE_JIT = compiling
    for name, value in SMALL.items():
        if hasattr(copy, name):
            setattr(copy, name, value)
    for decorator in ("kernel", "inlined", "unfused", "reordered"):               # of kernels that are made later
        setattr(copy, decorator, lambda function: function)
    return copy


def killed_by(name, module):
    """What the first draw that the copy fails says, or None."""
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        try:
            with np.errstate(all="ignore"):
                check(PROBLEMS[name][1](module, rng), rng)
        except (GradientError, ValueError, IndexError, KeyError) as error:
            return f"draw {draw + 1}, {error}"
    return None


@pytest.mark.once
@pytest.mark.parametrize("name", PROBLEMS)
def test_an_unchanged_copy_survives(name):
    assert killed_by(name, copy_of(PROBLEMS[name][0])) is None


def test_every_case_has_mutants():
    """But for a network that is nothing but a chain, which has no backward pass of its own."""
    without = []
    for name in PROBLEMS.keys() - {name for name, *_ in MUTANTS}:
        module = PROBLEMS[name][0]
        own = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
        kinds = [kind for kind in own if isinstance(kind, type)]
        if not kinds or not all(issubclass(kind, Chain) and "backward" not in vars(kind) for kind in kinds):
            without.append(name)
    assert not without, f"tests/test_mutants.py: expected faults of {' and '.join(sorted(without))} in MUTANTS"


@pytest.mark.once
def test_every_mutant_is_killed():
    verdicts = {f"{name}: {fault}": killed_by(name, copy_of(PROBLEMS[name][0], old, new)) for name, fault, old, new in MUTANTS}
    assert len(verdicts) == len(MUTANTS)
    print(f"\nmutants killed: {sum(map(bool, verdicts.values()))} of {len(verdicts)}, within {DRAWS} draws")
    for fault, verdict in verdicts.items():
        print(f"  {fault:<66} {verdict or 'SURVIVED'}"[:150])
    assert all(verdicts.values())
