"""Layers made of layers; no equation here that is not a composition.

    indrnn           the recurrent unit, and the IndRNN layer; `fused`: the same in fewer passes over the memory
    combinators      Chain, Residual, Concatenate, AtLastStep
    stacked          the basic deep network
    residual         the residual network
    dense            the densely connected network
    bidirectional    a second layer that reads from the end
    language_model   embedding, body, and a decoder tied to the embedding
    papers           the papers' networks by name

Networks import from `core` and `ops`, and know nothing of training.
"""
