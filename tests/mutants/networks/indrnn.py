"""Faults of minindrnn/networks/indrnn.py; `mutation` says what a row is."""

BACKWARD = {
    "IndRNN": [
        ("Unit.backward", None, "dh0 lost",
         '{"u": du, "h0": dh0} | grads', '{"u": du, "h0": 0 * dh0} | grads'),
        ("Unit.backward", None, "dropout passed over", "dy = dropout_backward(dy, of_dropout)", "pass"),
        ("Unit.backward", None, "normalisation before passed over",
         "da, grads = self.norm.backward(da, of_norm, overwrite=True)",
         "_, grads = self.norm.backward(da.copy(), of_norm)"),
        ("Unit.backward", None, "normalisation after passed over",
         "dy, grads = self.norm.backward(dy, of_norm,", "_, grads = self.norm.backward(dy.copy(), of_norm,"),
        ("Unit.backward", None, "dy of the user written over",
         "out=dy if overwrite or dy is not given else None", "out=dy"),
        ("IndRNN.backward", None, "dy for da into the affine map",
         "self.linear.backward(da, of_linear)", "self.linear.backward(dy.copy(), of_linear)"),
    ],
}

TESTS = [
    "test_every_parameter_has_the_role_of_its_name",
    "test_every_normalisation_absorbs_what_it_has_seen",
    "test_step_by_step_equals_one_pass",
    "test_where_the_weights_of_a_task_start",
]

OTHER = [
    ("Unit.__init__", None, "u starts anywhere", '"uniform", low, high', '"uniform", -high, high'),
    ("Unit.__init__", None, "u decays",          '"recurrent")', '"weight")'),
    ("Unit.forward", None, "normalised after for before", 'if self.order == "before":', 'if self.order == "never":'),
    ("Unit.forward", None, "not normalised after",        'if self.order == "after":', 'if self.order == "never":'),
    ("Unit.forward", None, "dropout within the recurrence",
     "return y, self.Cache", "of_recurrence.h[:] = y\nreturn y, self.Cache"),
    ("Unit.forward", None, "no dropout",
     "dropout_forward(y, self.dropout, rng,", "dropout_forward(y, 0.0, rng,"),
    ("Unit.forward", None, "the state is not read",
     'indrnn_forward(a, self["u"], state,', 'indrnn_forward(a, self["u"], None,'),
    ("Unit.step", None, "the state is not read",
     "np.zeros_like(a) if state is None else state", "np.zeros_like(a)"),
    ("Unit.step", None, "not normalised",
     'if self.order == "after" else h.copy(), h', 'if self.order == "never" else h.copy(), h'),
    ("Unit.step", None, "normalised by the first row",
     "self.norm.step(a, start=start)", "self.norm.step(a, start=0)"),
    ("Unit.step", None, "after the recurrence normalised by the first row", "step(h, start=start)", "step(h, start=0)"),
    ("Unit.last_state", None, "the last step of the array", "cache.of_recurrence.lengths)", "None)"),
    ("Unit.absorb", None, "after the recurrence only", "if self.order:", 'if self.order == "after":'),
    ("IndRNN.forward", None, "padding is read", "a, state, lengths=lengths,", "a, state, lengths=None,"),
    ("IndRNN.step", None, "b forgotten", "a, _ = self.linear.step(x)", 'a = x @ self["W"].T'),
    ("IndRNN.absorb", None, "nothing is absorbed", "self.unit.absorb(cache.of_unit, average=average)", "pass"),
]

RANKS = [
    ("Unit.forward", None, "statistics of its own, before",
     "a, of_norm = self.norm.forward(a, lengths=lengths, ranks=ranks,",
     "a, of_norm = self.norm.forward(a, lengths=lengths,"),
    ("Unit.forward", None, "dropout of its own",      "self.dropout, rng, ranks=ranks)", "self.dropout, rng)"),
]
