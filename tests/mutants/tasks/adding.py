"""Faults of minindrnn/tasks/adding.py; `mutation` says what a row is."""

TESTS = [
    "test_published.py",
    "test_where_a_run_goes_if_nobody_says",
]

OTHER = [
    ("Adding.usual", None, "updates", "3 * EVERY", "60_000"),
    ("Adding.of_indrnn", None, "three layers", "layers=2", "layers=3"),
    ("Adding.of_baseline", None, "rate of tanh networks", "rate=2e-3", "rate=2e-4"),
    ("Adding.defaults", None, "IRNN as long as it is short", "if length < 500 else 1e-5", "if length < 5000 else 1e-5"),
    ("Adding.__init__", None, "tested on a batch of the training", "EVALUATION])", "BATCH, 0])"),
    ("Adding.__init__", None, "tested on fewer",                   "1000,", "100,"),
    ("Adding.label", None, "adding without its length", 'f"{self.name}-{self.T}"', "self.name"),
    ("Adding.network", None, "W ten times as small", "settings, 0.01)", "settings, 0.001)"),
    ("Adding.every", None, "evaluations a tenth as often", "return 100", "return 1000"),
    ("Adding.schedule", None, "falls at 20 000", "every=EVERY", "every=20_000"),
    ("Adding.batch", None, "the same numbers at every update", "BATCH, update]", "BATCH]"),
    ("Adding.evaluate", None, "by the batch's own statistics", "self.T), statistics,", 'self.T), "batch",'),
    ("Adding.result", None, "statistics of one batch", "range(20)", "range(1)"),
    ("Adding.report", None, "terms of the first sequence", "{x[t, b, 0]:.3f}", "{x[t, 0, 0]:.3f}"),
    ("Adding.predict", None, "the root of the error",
     "mean_squared_error(answers, y[:, np.newaxis].astype(np.float32))[0]:.5f",
     "mean_squared_error(answers, y[:, np.newaxis].astype(np.float32))[0]**0.5:.5f"),
    ("Adding.predict", None, "padding is read",
     "lengths=lengths[i * at_most:][:at_most]", "lengths=np.full(part.shape[1], len(part))"),
    ("Adding.predict", None, "lengths of the first piece for all",
     "lengths[i * at_most:][:at_most]", "lengths[:part.shape[1]]"),
]
