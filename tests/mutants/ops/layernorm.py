"""Faults of minindrnn/ops/layernorm.py; `mutation` says what a row is."""

BACKWARD = {
    "layer normalisation": [
        ("spread", "B3", "mean taken for a constant",     "- total / N - xhat", "- xhat"),
        ("spread", "B3", "variance taken for a constant", "- xhat * product / N)", ")"),
        ("spread", "B2", "gamma after the means",         "total += gamma[n] * dy[t, b, n]", "total += dy[t, b, n]"),
        ("spread", "B3", "scale forgotten",               "dx[t, b, n] = s[t, b] * (", "dx[t, b, n] = ("),
        ("spread", None, "dgamma of the last row only",
         "dgamma[n] += dy[t, b, n] * xhat", "dgamma[n] = dy[t, b, n] * xhat"),
        ("spread", None, "gradient of the padding",       "if t < steps[b]:", "if True:"),
        ("spread", "B1", "dbeta of the last row only", "dbeta[n] += dy", "dbeta[n] = dy"),
    ],
    "IndRNN": [
        ("LayerNorm.backward", None, "dbeta for dgamma", '"gamma": dgamma', '"gamma": dbeta'),
    ],
}

TESTS = [
    "test_every_parameter_has_the_role_of_its_name",
]

OTHER = [
    ("LayerNorm.__init__", None, "gain ignored", "np.full(channels, gain, dtype)", "np.ones(channels, dtype)"),
    ("LayerNorm.__init__", None, "gamma decays", '"gain")', '"weight")'),
    ("LayerNorm.forward", None, "eps ignored", ", eps=self.eps)", ")"),
    ("normalise", None, "unbiased",                   "np.sqrt(second / N + eps)", "np.sqrt(second / (N - 1) + eps)"),
    ("normalise", None, "no eps",                     "second / N + eps", "second / N"),
    ("normalise", "F2", "no gamma",                   "gamma[n] * (", "("),
    ("normalise", None, "mean of the first channels", "first += x[t, b, n]", "first = x[t, b, n]"),
    ("layernorm_forward", None, "every step of every sequence",
     "expect_lengths(lengths, T, B)", "expect_lengths(None, T, B)"),
]
