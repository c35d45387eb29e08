"""Faults of minindrnn/training/checkpoint.py; `mutation` says what a row is."""

WITHOUT = [
    "test_whatever_bit_is_flipped_there_is_no_other_error",
]

OTHER = [
    ("alone", None, "temporary files of others go", "if HALF_WRITTEN.fullmatch(rubbish.name):", "if True:"),
    ("save", None, "no facts", '{"minindrnn": FORMAT} | facts', '{"minindrnn": FORMAT}'),
    ("load", None, "allow_pickle=True",  "allow_pickle=False", "allow_pickle=True"),
    ("load", None, "any format",         "if version != FORMAT:", "if False:"),
    ("load", None, "any earlier format", "if version != FORMAT:", "if version > FORMAT:"),
    ("restore", None, "as far as it fits",
     "got, expected = arrays[name], targets[name]",
     "got, expected = arrays[name], targets[name]\nif got.shape == expected.shape:\n    expected[...] = got"),
    ("restore", None, "any dtype",                    "or got.dtype != expected.dtype", ""),
    ("restore", None, "any shape that can be spread", "got.shape != expected.shape or", ""),
    ("restore", None, "what is missing stays",
     "if name not in arrays or name not in targets:", "if name not in arrays:\n    continue\nif name not in targets:"),
    ("restore", None, "what is too much is passed over",
     "sorted(arrays.keys() | targets.keys())", "sorted(targets.keys())"),
    ("restore", None, "nothing is copied",            "target[...] = arrays[name]", "target = arrays[name]"),
]
