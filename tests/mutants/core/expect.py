"""Faults of minindrnn/core/expect.py; `mutation` says what a row is."""

TESTS = [
    "test_errors_name_what_was_expected_and_what_was_got",
    "networks/test_indrnn.py::test_errors",
    "test_errors_of_the_layer",
    "test_gradients_that_do_not_fit_are_named_and_change_nothing",
    "test_what_comes_into_backward_is_checked_before_it_is_used",
]

OTHER = [
    ("expect", None, "the dtype that is there for the one expected",
     "expected {like[1].dtype} like", "expected {array.dtype} like"),
    ("_fits", None, "any dtype",   "(like is None or array.dtype == like[1].dtype)", "True"),
    ("_fits", None, "any strides", "and array.flags.c_contiguous and", "and"),
    ("_fits", None, "any size",    "like[1].shape[place] != size", "False"),
    ("_is_plain", None, "masked arrays too",
     "isinstance(array, np.ndarray) and not isinstance(array, UNPLAIN)", "isinstance(array, np.ndarray)"),
    ("expect_same", None, "any dtype", "shape == like.shape and dtype == like.dtype", "shape == like.shape"),
    ("expect_writable", None, "read-only ones too", "if not array.flags.writeable:", "if False:"),
    ("expect_out", None, "a part of what is read", "others[like[0]] = like[1]", "pass"),
    ("expect_generator", None, "None, always", "or none and rng is None", "or rng is None"),
    ("expect_lengths", None, "no step at all", "lengths.min() < 1 or lengths.max() > T", "lengths.max() > T"),
    ("expect_choice", None, "anything",       "if value not in choices:", "if False:"),
    ("expect_count", None, "one less",        "value < low", "value < low - 1"),
    ("expect_number", None, "however large",
     "np.isfinite(value) and low <= value <= high", "np.isfinite(value) and low <= value"),
]
