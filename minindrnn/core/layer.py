"""The interface of a layer, and its parts: parameters, buffers, states.

A layer computes  y, cache = forward(x)  and  dx, grads = backward(dy, cache).  dx means dL/dx, the gradient of the
scalar loss, and has the shape of x. Nothing is stored on the layer: the cache holds all that backward needs,
and calling backward twice gives the same answer twice.

A cache is a named tuple, with the letters of the equations. A layer that only calls an operation returns the
operation's cache. A layer made of others calls their caches `of_linear`, `of_unit`, ...; the cache of a
`Chain` is the list of its layers' caches. A loss has none: it returns its gradient at once.

Parameters are a tree: a dict of named `Parameter`s in a single layer, a list of trees in a composition.
`grads` has the same tree, with arrays for leaves; where a recurrence started from a state h0, "h0" stands
beside "u". States are trees with the same places: an array (B, N) at a recurrence, None elsewhere.
"""
from dataclasses import dataclass

import numpy as np

from .expect import FLOATS, expect_choice, expect_generator, expect_writable
from .ranks import ALONE

ROLES = ("weight", "bias", "gain", "recurrent")


@dataclass
class Parameter:
    """An array that is learned, and the role it plays.

    Decay, projection and initialisation select by role, never by name: "weight" (the only one that decays),
    "bias", "gain", or "recurrent" (bounded, see `bounds`). value is float32 or float64, of any shape, (N,) or (N, M).
    TypeError for another dtype, ValueError for another role.
    """
    value: np.ndarray
    role: str

    def __post_init__(self):
        expect_choice("role", self.role, ROLES)
        if not hasattr(self.value, "dtype"):
            raise TypeError(f"value: expected an array, got {type(self.value).__name__}")
        if self.value.dtype not in FLOATS:
            raise TypeError(f"dtype: expected float32 or float64, got {self.value.dtype}")


class Layer:
    """The base of all layers: a tree of parameters and, if it remembers, a state.

    buffers are arrays that training changes without a gradient, the running statistics of batch normalisation,
    as a tree with the same places as the parameters. An invalid argument raises a TypeError or
    ValueError that names it.
    """

    parameters, buffers = {}, {}

    def __getitem__(self, name):
        return self.parameters[name].value

    def forward(self, x, state=None, *, lengths=None, statistics="running", start=0, rng=None, ranks=ALONE):
        """x (T, B, M)  ->  y, cache.

        state        where the recurrences start: a tree of arrays (B, N), as from `last_state`; None is zero
        lengths      (B,) integers in 1..T: later steps of a sequence change nothing
        statistics   "running" or "batch": the statistics that batch normalisation uses
        start        position of the first step in its sequence, if it was cut; for batch normalisation per step
        rng          a `numpy.random.Generator` to draw dropout from; None leaves everything in
        ranks        sums over all sequences of a batch of which x holds a part, see `core.ranks`

        x is of the dtype of the parameters, float32 or float64, and so is y. Raises TypeError or ValueError naming the
        array. A layer takes all these keywords, names those that it uses, and refuses any other: see `expect_known`.
        """
        raise NotImplementedError

    def backward(self, dy, cache, *, overwrite=False):
        """dy, the gradient with respect to y, and the cache  ->  dx, grads.

        overwrite   dx may be written over dy, which saves memory and time; else dx is dy itself or a fresh array
        """
        raise NotImplementedError

    def last_state(self, cache):
        """The state after each sequence's last step, to start the next segment from."""
        return None

    def step(self, x, state=None, *, start=0):
        """One time step of a trained network, in memory that does not grow with their number.

        x (B, M), state, the number of steps before this one  ->  y (B, K), the next state
        """
        if not isinstance(x, np.ndarray):
            raise TypeError(f"x: expected a NumPy array, got {type(x).__name__}")
        y, cache = self.forward(x[np.newaxis], state, start=start)
        return y.reshape(len(x), -1), self.last_state(cache)

    def absorb(self, cache, *, average=False):
        """Update the buffers with the statistics of a training pass; forward itself changes nothing.

        average   give the same weight to everything seen since the buffers' `updates` were 0
        """


def expect_known(unused):
    """Raise TypeError unless the keywords that a layer makes no use of are those of `Layer.forward`.

    >>> expect_known({"lenghts": [3, 1]})
    Traceback (most recent call last):
    TypeError: forward: expected some of lengths, statistics, start, rng, ranks, got lenghts
    """
    known = Layer.forward.__kwdefaults__
    for name in unused:
        if name not in known:
            raise TypeError(f"forward: expected some of {', '.join(known)}, got {name}")


def reset(state, sequences):
    """Zero the state of some sequences, given by a mask (B,) or by indices, in place: they start anew."""
    for path, h in leaves(state):
        if h is not None:
            expect_writable(path or "state", h)
            h[..., sequences, :] = 0


def drawn(rng, distribution, *arguments, dtype):
    """Values for a new parameter: rng.uniform(...) or rng.normal(...), whose last argument is the shape.
    Without a generator a blank of that shape which takes no memory, enough to describe a network."""
    if rng is None:
        return np.broadcast_to(np.zeros((), dtype), arguments[-1])
    expect_generator(rng, none=True)
    return getattr(rng, distribution)(*arguments).astype(dtype)


def leaves(tree, *others, path=""):
    """Yield (path, leaf, ...) for every leaf of the tree, in order, with the leaves of the other trees at the
    same places. Names that only the others have are passed over, as that of a state is; a list has the same length in
    all of them. Leaves are of any kind: Parameters, arrays of any shape, (N,), and dtype,
    or None. Raises ValueError, naming the path, where the trees do not fit.

    >>> [path for path, _ in leaves([{"W": 1, "b": 2}, {"u": 3}])]
    ['0.W', '0.b', '1.u']
    """
    if not isinstance(tree, (dict, list)):
        yield path, tree, *others
        return
    for other in others:
        expect_branches(path or "tree", tree, other)
    for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
        here, there = f"{path}.{key}" if path else str(key), [other[key] for other in others]
        if isinstance(branch, (dict, list)):
            yield from leaves(branch, *there, path=here)
        else:                                             # a generator for every leaf would take twice as long
            yield here, branch, *there


def expect_branches(name, tree, other):
    """Raise ValueError unless the other tree, of that name, has all branches that this one has.

    >>> expect_branches("state", [1, 2], [1])
    Traceback (most recent call last):
    ValueError: state: expected a list of 2, got a list of 1
    """
    if isinstance(tree, dict):
        fits = isinstance(other, dict) and tree.keys() <= other.keys()
    else:
        fits = isinstance(other, (list, tuple)) and len(other) == len(tree)
    if not fits:
        raise ValueError(f"{name}: expected {_branches(tree)}, got {_branches(other)}")


def _branches(tree):
    if isinstance(tree, dict):
        return f"{{{', '.join(map(str, tree))}}}"
    return f"a list of {len(tree)}" if isinstance(tree, (list, tuple)) else type(tree).__name__


def count(tree):
    """How many numbers a tree of parameters holds."""
    return sum(parameter.value.size for _, parameter in leaves(tree))
