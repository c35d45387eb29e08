"""Checks of gradients.

    gradcheck        finite differences along random directions
    cases            a problem for every operation, layer and network
    gradient_flow    how far gradients reach in deep networks

Checks import from `core`, `ops` and `networks`.
"""
