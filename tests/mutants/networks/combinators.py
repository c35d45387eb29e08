"""Faults of minindrnn/networks/combinators.py; `mutation` says what a row is."""

BACKWARD = {
    "Residual": [
        ("Residual.backward", None, "skip forgotten",   "np.add(dy, dx, out=empty_like(dy))", "dx"),
        ("Residual.backward", None, "branch forgotten", "np.add(dy, dx, out=empty_like(dy))", "dy.copy()"),
        ("Residual.backward", None, "gradient of the padding",
         "without_padding(np.add(dy, dx, out=empty_like(dy)), lengths, overwrite=True)", "dy + dx"),
    ],
    "Concatenate": [
        ("Concatenate.backward", None, "gradient of the padding",
         "without_padding(np.add(dskip, dx, out=empty_like(dx)), lengths, overwrite=True)", "dskip + dx"),
        ("Concatenate.backward", None, "the other half", "dy[:, :, M:]", "dy[:, :, :-M]"),
        ("Concatenate.backward", None, "skip forgotten", "np.add(dskip, dx, out=empty_like(dx))", "dx"),
    ],
    "Chain": [
        ("Chain.backward", None, "gradients left in reverse order", "grads[::-1]", "grads"),
        ("Chain.backward", None, "caches in forward order",
         "zip(reversed(self.layers), reversed(caches))", "zip(reversed(self.layers), caches)"),
    ],
    "AtLastStep": [
        ("AtLastStep.backward", None, "the last step of the array",
         "dx[steps - 1, np.arange(len(steps))] = dlast[0]", "dx[-1] = dlast[0]"),
        ("AtLastStep.backward", None, "every step",
         "dx[steps - 1, np.arange(len(steps))] = dlast[0]", "dx[:] = dlast[0]"),
    ],
}

TESTS = [
    "test_every_normalisation_absorbs_what_it_has_seen",
    "test_step_by_step_equals_one_pass",
]

LONG = [
    "test_equals_the_symbolic_derivative_of_a_residual_block",
]

OTHER = [
    ("Chain.buffers", None, "those of the first layer only",
     "for layer in self.layers]", "for layer in self.layers[:1]]"),
    ("Chain.forward", None, "states of the layers before",
     "zip(self.layers, self._states(state))", "zip(self.layers, [None] + self._states(state)[:-1])"),
    ("Chain.backward", None, "writes over what is the caller's", "overwrite or dx is not dy", "True"),
    ("Chain.step", None, "steps are not counted", "start=start)", "start=0)"),
    ("Chain.last_state", None, "nothing is carried", "layer.last_state(cache) for", "None for"),
    ("Chain.absorb", None, "the first layer only",    "zip(self.layers, caches)", "zip(self.layers[1:], caches[1:])"),
    ("Chain.absorb", None, "a plain average is none", "layer.absorb(cache, average=average)", "layer.absorb(cache)"),
    ("Around.buffers", None, "statistics are not in the tree", "self.layer.buffers", "{}"),
    ("Around.absorb", None, "nothing is absorbed", "self.layer.absorb(cache.of_layer, average=average)", "pass"),
    ("Residual.forward", None, "no skip", "np.add(x, y, out=empty_like(x))", "y"),
    ("Residual.forward", None, "padding stays",
     "without_padding(np.add(x, y, out=empty_like(x)), lengths, overwrite=True)", "np.add(x, y, out=empty_like(x))"),
    ("Residual.step", None, "no skip", "return x + y, state", "return y, state"),
    ("Concatenate.forward", None, "the other order", "[x, y], axis=2", "[y, x], axis=2"),
    ("Concatenate.step", None, "the other order",         "[x, y], axis=1", "[y, x], axis=1"),
    ("Concatenate.step", None, "every step is the first", "state, start=start)", "state)"),
    ("AtLastStep.forward", None, "the last step of the array",
     "expect_lengths(lengths, T, B)", "expect_lengths(None, T, B)"),
    ("AtLastStep.forward", None, "the step before", "steps - 1", "steps - 2"),
]
