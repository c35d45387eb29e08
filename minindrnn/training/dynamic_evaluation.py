"""Dynamic evaluation: a language model goes on learning from the test text, after each prediction.

Letters   g gradient of one segment, clamped to +-CLIP; rms root of the mean of g^2 over the training text; theta0 where
          evaluation began
    F1  D      = rms / mean of rms, at most 1 / decay         the mean over the parameters of the mean over each
    F2  theta += decay * D * (theta0 - theta) - rate * g / (rms + epsilon)

Parameters with large gradients in training move far here, and are pulled back strongly. Each segment is predicted
before the network learns from it. Source: Krause et al., arXiv 1709.07432, as used in arXiv 1910.06251, section 5; mean of
rms and clamping are those of the authors' code.
"""
import numpy as np

from ..core.expect import expect_number, expect_writable
from ..core.layer import leaves
from ..ops import bounds
from .optim import clip_values, matched

CLIP = 10.0


def gradients(network, loss, segments, learn=None):
    """Yield (loss, tree of gradients) for each (x, target), the state carried from segment to segment, detached.

    learn   called with each tree, before the next segment
    """
    state, start = None, 0
    for x, target in segments:
        y, cache = network.forward(x, state, start=start)
        value, dy = loss(y, target)
        _, grads = network.backward(dy, cache)
        state, start = network.last_state(cache), start + len(x)
        yield value, grads
        if learn is not None:
            learn(grads)


def mean_squares(network, loss, segments):
    """{path: mean of g^2} of every parameter, over the segments (x, target) of the training text."""
    total, count = {path: np.zeros(parameter.value.shape) for path, parameter in leaves(network.parameters)}, 0
    for _, grads in gradients(network, loss, segments):
        clip_values(network.parameters, grads, CLIP)
        count += 1
        for path, _, grad in matched(network.parameters, grads):
            total[path] += np.square(grad, dtype=np.float64)
    if not count:
        raise ValueError("segments: expected at least one, got none")
    return {path: squares / count for path, squares in total.items()}


class Adaptation:
    """F2, for a tree of parameters and the mean squares of their gradients.

    rate, decay   the papers' best for words: 2.4e-6 and 0.016
    bound         the largest |u|
    """

    def __init__(self, parameters, squares, *, rate, decay, epsilon=2e-5, bound=None):
        expect_number("rate", rate, 0)
        expect_number("decay", decay, 0, 1)
        for path, parameter in leaves(parameters):
            expect_writable(path, parameter.value)
            if np.shape(squares.get(path)) != parameter.value.shape:
                raise ValueError(f"squares of {path}: expected {parameter.value.shape} like {path}, "
                                 f"got {np.shape(squares.get(path))}")
        if unread := squares.keys() - {path for path, _ in leaves(parameters)}:
            raise ValueError(f"squares: expected those of the parameters only, got {', '.join(sorted(unread))} too")
        self.parameters, self.rate, self.epsilon, self.bound = parameters, rate, epsilon, bound
        self.rms = {path: np.sqrt(square) for path, square in squares.items()}
        mean = np.mean([rms.mean() for rms in self.rms.values()])
        self.pull = {path: np.minimum(decay * rms / mean, 1.0) for path, rms in self.rms.items()}        # F1
        self.origin = {path: parameter.value.copy() for path, parameter in leaves(parameters)}

    def update(self, grads):
        """Change the parameters, given gradients on the same tree."""
        clip_values(self.parameters, grads, CLIP)
        for path, parameter, grad in leaves(self.parameters, grads):
            back = self.pull[path] * (self.origin[path] - parameter.value)
            parameter.value += (back - self.rate * grad / (self.rms[path] + self.epsilon)).astype(grad.dtype)   # F2
        if self.bound is not None:
            bounds.project(self.parameters, self.bound)

    def undo(self):
        """Put the parameters back to where they began."""
        for path, parameter in leaves(self.parameters):
            parameter.value[...] = self.origin[path]


def evaluate_dynamically(network, loss, segments, squares, **options):
    """The losses of the segments (x, target), each before it is learned from; the network is left as it was.

    squares, options   as for `Adaptation`
    """
    adaptation = Adaptation(network.parameters, squares, bound=network.bound, **options)
    try:
        return [value for value, _ in gradients(network, loss, segments, adaptation.update)]
    finally:
        adaptation.undo()
