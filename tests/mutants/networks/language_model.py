"""Faults of minindrnn/networks/language_model.py; `mutation` says what a row is."""

BACKWARD = {
    "LanguageModel": [
        ("LanguageModel.backward", "B3", "E of the decoder only",   "dE + grads", "dE + 0 * grads"),
        ("LanguageModel.backward", "B3", "E of the embedding only", "dE + grads", "grads"),
        ("LanguageModel.backward", "B2", "the body passed over",
         "dx, body = self.body.backward(dh, of_body, overwrite=True)",
         "_, body = self.body.backward(dh, of_body); dx = dh"),
        ("LanguageModel.backward", "B1", "|dy| into the decoder", "linear_backward(dy,", "linear_backward(abs(dy),"),
        ("LanguageModel.backward", "B3", "db lost", '"b": db', '"b": 0 * db'),
    ],
}

TESTS = [
    "test_every_normalisation_absorbs_what_it_has_seen",
    "test_dynamic_evaluation_is_the_loop_that_carries_its_state",
]

OTHER = [
    ("LanguageModel.buffers", None, "statistics are not in the tree", '{"body": self.body.buffers}', "{}"),
    ("LanguageModel.forward", "F3", "b forgotten",
     'self["E"], self["b"], lengths=lengths)', 'self["E"], 0 * self["b"], lengths=lengths)'),
    ("LanguageModel.forward", "F2", "the body's state is not read",
     'self.body.forward(x, state["body"],', "self.body.forward(x, None,"),
    ("LanguageModel.last_state", None, "nothing is carried", "self.body.last_state(cache.of_body)", "None"),
    ("LanguageModel.absorb", None, "nothing is absorbed", "self.body.absorb(cache.of_body, average=average)", "pass"),
]
