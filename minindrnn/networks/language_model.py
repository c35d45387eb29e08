"""A language model: it predicts the next token after each token.

    F1  x = E[tokens]                     embedding, see `embedding`
    F2  h = body(x)                       any layers whose last width is that of E
    F3  y = E h + b                       decoder: the same E, so tokens with similar use get similar vectors
    B1  dh, dE', db = of F3               as for `linear`, with W = E
    B2  dx = body'(dh)
    B3  dE = dE' + dE of F1               E is used twice

Source: arXiv 1910.06251, section 5; tied weights: Press and Wolf, arXiv 1608.05859.
"""
from typing import NamedTuple

import numpy as np

from ..core.layer import Layer, Parameter, expect_branches
from ..ops.embedding import Embedding
from ..ops.linear import linear_backward, linear_forward


class LanguageModel(Layer):
    """tokens (T, B)  ->  y (T, B, V), unnormalised log probabilities of the next token.

    tokens, channels   V and the width of E
    body               a layer (T, B, channels) -> (T, B, channels)
    rng, p, width      as for `Embedding`
    bound              the largest |u| of the body

    Parameters E (V, channels), b (V,) and the body's. The state is {"body": the body's state}.
    """

    def __init__(self, tokens, channels, body, rng, *, bound=None, dtype=np.float32, **options):
        self.embedding, self.body, self.bound = Embedding(tokens, channels, rng, dtype=dtype, **options), body, bound
        self.b = Parameter(np.zeros(tokens, dtype), "bias")

    @property
    def parameters(self):
        return self.embedding.parameters | {"b": self.b, "body": self.body.parameters}

    @property
    def buffers(self):
        return {"body": self.body.buffers}

    class Cache(NamedTuple):
        of_embedding: tuple
        of_body: tuple | list
        of_decoder: tuple

    def forward(self, x, state=None, *, lengths=None, **how):
        state = {"body": None} if state is None else state
        expect_branches("state", {"body": None}, state)
        x, of_embedding = self.embedding.forward(x, lengths=lengths, **how)                        # F1
        h, of_body = self.body.forward(x, state["body"], lengths=lengths, **how)                   # F2
        y, of_decoder = linear_forward(h, self["E"], self["b"], lengths=lengths)                   # F3
        return y, self.Cache(of_embedding, of_body, of_decoder)

    def backward(self, dy, cache, *, overwrite=False):
        of_embedding, of_body, of_decoder = cache
        dh, dE, db = linear_backward(dy, of_decoder)                                               # B1
        dx, body = self.body.backward(dh, of_body, overwrite=True)                                                 # B2
        dx, grads = self.embedding.backward(dx, of_embedding)
        return dx, {"E": dE + grads["E"], "b": db, "body": body}                                   # B3

    def last_state(self, cache):
        return {"body": self.body.last_state(cache.of_body)}

    def absorb(self, cache, *, average=False):
        self.body.absorb(cache.of_body, average=average)
