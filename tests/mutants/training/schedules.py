"""Faults of minindrnn/training/schedules.py; `mutation` says what a row is."""

TESTS = [
    "test_after_a_plateau_the_best_goes_on",
    "test_where_the_last_plateau_ends_the_best_is_kept",
]

OTHER = [
    ("staircase", None, "one update early",  "update // every", "(update + 1) // every"),
    ("staircase", None, "never",             "factor ** (update // every)", "factor ** 0"),
    ("staircase", None, "a line for stairs", "update // every", "update / every"),
    ("cosine.at", None, "the first update at rate 0", "(update + 1) / warmup", "update / warmup"),
    ("cosine.at", None, "up again after the end",    "if update >= updates:", "if False:"),
    ("cosine.at", None, "no warm-up",                 "if update < warmup:", "if False:"),
    ("cosine.at", None, "down to a half",             "math.pi *", "math.pi / 2 *"),
    ("cosine.at", None, "twice as high",              ") / 2", ")"),
    ("cosine.at", None, "counted from update 0",      "(update - warmup) /", "update /"),
    ("Plateau.__call__", None, "a tenth", "float(self.rate)", "float(self.rate) / 10"),
    ("Plateau.watch", None, "the arrays themselves are kept", "array.copy()", "array"),
    ("Plateau.observe", None, "the worst for the best",
     "if value > self.best:", "if value < self.best:"),
    ("Plateau.observe", None, "larger is always better",               "self.sign * row", "row"),
    ("Plateau.observe", None, "another best is not kept",              "self.kept[name][...] = array", "pass"),
    ("Plateau.observe", None, "the best is not noted",
     "self.best[...], self.waited[...] = value, 0", "self.waited[...] = 0"),
    ("Plateau.observe", None, "patience is not halved",                "self.phase *= 2", "pass"),
    ("Plateau.observe", None, "the last is kept at a plateau",         "self.back_to_the_best()", "pass"),
    ("Plateau.observe", None, "the rate does not fall",                "self.rate *= self.factor", "pass"),
    ("Plateau.observe", None, "patience over the number of the phase", "self.phase *= 2", "self.phase += 1"),
    ("Plateau.back_to_the_best", None, "nothing comes back",
     "array[...] = self.kept[name]", "self.kept[name][...] = array"),
    ("Plateau.over", None, "at half of it", "self.rate < self.smallest", "self.rate < self.smallest / 2"),
    ("Plateau.state", None, "the best is not saved",  ', "best": self.best', ""),
    ("Plateau.state", None, "the phase is not saved", ', "phase": self.phase', ""),
]
