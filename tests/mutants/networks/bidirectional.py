"""Faults of minindrnn/networks/bidirectional.py; `mutation` says what a row is."""

BACKWARD = {
    "Bidirectional": [
        ("Bidirectional.backward", None, "dy not turned round",
         "dz = reverse(dy[:, :, N:].copy(), lengths)", "dz = dy[:, :, N:].copy()"),
        ("Bidirectional.backward", "B1", "dx not turned back", "dx + reverse(dz, lengths)", "dx + dz"),
        ("Bidirectional.backward", "B1", "lengths forgotten on the way back",
         "dx + reverse(dz, lengths)", "dx + reverse(dz)"),
    ],
}

TESTS = [
    "test_every_normalisation_absorbs_what_it_has_seen",
]

OTHER = [
    ("reverse", None, "padding and all", "np.where(t < lengths, lengths - 1 - t, t)", "T - 1 - t + 0 * lengths"),
    ("Bidirectional.buffers", None, "those of the first direction only",
     "[self.onward.buffers, self.back.buffers]", "[self.onward.buffers, {}]"),
    ("Bidirectional.forward", None, "read once more from the front",
     "self.back.forward(reverse(x, lengths),", "self.back.forward(x,"),
    ("Bidirectional.forward", "F1", "not turned back", "[y, reverse(z, lengths)]", "[y, z]"),
    ("Bidirectional.absorb", None, "the first direction only",
     "self.back.absorb(cache.of_back, average=average)", "pass"),
    ("Bidirectional.last_state", None, "of both directions",
     "cache.of_onward), None]", "cache.of_onward), self.back.last_state(cache.of_back)]"),
    ("Bidirectional.last_state", None, "of none", "self.onward.last_state(cache.of_onward)", "None"),
]
