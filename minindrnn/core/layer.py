"""The contract of a layer, its parameters and its states.

A layer computes  y, cache = forward(x)  and  dx, grads = backward(dy, cache).  dx means dL/dx, the gradient of the
scalar loss, and has the shape of x. The layer stores nothing: the cache holds all that backward needs,
and calling backward twice gives the same result twice.

A cache is a named tuple with the letters of the equations. A layer that only calls an operation returns the cache of
the operation. A layer made of others calls the caches of its parts `of_linear`, `of_unit`, ...; the cache of a `Chain`
is the list of its layers' caches. A loss has no cache: it returns its gradient at once.

Parameters are a tree: a dict of named `Parameter`s in a single layer, a list of trees in a composition.
`grads` is the same tree with arrays as leaves; if a recurrence started from a state h0, it also has "h0"
beside "u". States are trees of the same structure: an array (B, N) at a recurrence, None elsewhere.
"""
from dataclasses import dataclass

import numpy as np

from .expect import FLOATS, expect_choice, expect_generator, expect_writable
from .ranks import ALONE

ROLES = ("weight", "bias", "gain", "recurrent")


@dataclass
class Parameter:
    """A learned array and its role.

    Decay, projection and initialisation select by role, never by name: "weight" (the only role with decay),
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
    """The base of all layers: a tree of parameters and, if it is recurrent, a state.

    buffers are arrays that training changes without a gradient, the running statistics of batch normalisation. Their
    tree has the structure of the parameters. A constructor raises a TypeError or ValueError that names the bad
    argument.
    """

    parameters, buffers = {}, {}

    def __getitem__(self, name):
        return self.parameters[name].value

    def forward(self, x, state=None, *, lengths=None, statistics="running", start=0, rng=None, ranks=ALONE):
        """x (T, B, M)  ->  y, cache.

        state        start of the recurrences: a tree of arrays (B, N), as from `last_state`; None is zero
        lengths      (B,) integers in 1..T: later steps of a sequence change nothing
        statistics   "running" or "batch": batch normalisation uses its running statistics or those of the batch
        start        position of the first step in a sequence that was cut; for batch normalisation per step
        rng          a `numpy.random.Generator` for dropout; None means no dropout
        ranks        if x holds a part of the sequences of a batch: sums over all of them, see `core.ranks`

        x and y have the dtype of the parameters, float32 or float64. Raises TypeError or ValueError naming the
        array. A layer takes all these keywords, names those that it uses, and refuses any other: see `expect_known`.
        """
        raise NotImplementedError

    def backward(self, dy, cache, *, overwrite=False):
        """dy, the gradient with respect to y, and the cache  ->  dx, grads.

        overwrite   dx may be written over dy, which saves memory and time; else dx is dy itself or a new array
        """
        raise NotImplementedError

    def last_state(self, cache):
        """The state after each sequence's last step, where the next segment starts."""
        return None

    def step(self, x, state=None, *, start=0):
        """One time step of a trained network; memory does not grow with the number of steps.

        x (B, M), state, start: the number of earlier steps  ->  y (B, K), the next state
        """
        if not isinstance(x, np.ndarray):
            raise TypeError(f"x: expected a NumPy array, got {type(x).__name__}")
        y, cache = self.forward(x[np.newaxis], state, start=start)
        return y.reshape(len(x), -1), self.last_state(cache)

    def absorb(self, cache, *, average=False):
        """Move the buffers towards the statistics of a training pass; forward itself changes nothing.

        average   give equal weight to all passes since the buffers' `updates` were 0
        """


def expect_known(unused):
    """Raise TypeError unless the keywords that a layer does not use are those of `Layer.forward`.

    >>> expect_known({"lenghts": [3, 1]})
    Traceback (most recent call last):
    TypeError: forward: expected some of lengths, statistics, start, rng, ranks, got lenghts
    """
    known = Layer.forward.__kwdefaults__
    for name in unused:
        if name not in known:
            raise TypeError(f"forward: expected some of {', '.join(known)}, got {name}")


def reset(state, sequences):
    """Set the state of some sequences, given by a mask (B,) or by indices, to zero in place."""
    for path, h in leaves(state):
        if h is not None:
            expect_writable(path or "state", h)
            h[..., sequences, :] = 0


def drawn(rng, distribution, *arguments, dtype):
    """Values for a new parameter: rng.uniform(...) or rng.normal(...), whose last argument is the shape.
    Without a generator, a placeholder of that shape that takes no memory, enough to describe a network."""
    if rng is None:
        return np.broadcast_to(np.zeros((), dtype), arguments[-1])
    expect_generator(rng, none=True)
    return getattr(rng, distribution)(*arguments).astype(dtype)


def leaves(tree, *others, path=""):
    """Yield (path, leaf, ...) for every leaf of the tree, in order, with the leaves of the other trees at the
    same path. Names that only the others have, such as a state's, are skipped; a list must have the same length in all
    trees. Leaves are of any kind: Parameters, arrays of any shape, (N,), and dtype, or None.
    Raises ValueError, naming the path, if the trees do not fit.

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
        else:                                             # a generator per leaf would take twice as long
            yield here, branch, *there


def expect_branches(name, tree, other):
    """Raise ValueError unless the other tree, called name, has all branches of this one.

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
    """The number of elements in a tree of parameters."""
    return sum(parameter.value.size for _, parameter in leaves(tree))
