"""Faults of minindrnn/tasks/task.py; `mutation` says what a row is."""

TESTS = [
    "test_published.py",
]

OTHER = [
    ("Task.larger", None, "smaller is better", "True", "False"),
    ("Task.metric", None, "the loss is watched", '"validation_accuracy"', '"validation_loss"'),
    ("Task.defaults", None, "a baseline as an IndRNN",
     "cls.of_baseline if MODELS[model].baseline else cls.of_indrnn", "cls.of_indrnn"),
    ("Task.defaults", None, "no settings of a model's own", "| cls.of_model.get(model, {})", ""),
    ("Task.initial", None, "one network for all seeds", "self.settings.seed, NETWORK", "0, NETWORK"),
    ("Task.every", None, "evaluations a tenth as often", "// 40", "// 4"),
    ("Task.schedule", None, "warm-up of half a run",     "s.updates // 10", "s.updates // 2"),
    ("Task.schedule", None, "patience ignored",          "patience=s.plateau", "patience=100"),
    ("Task.schedule", None, "smaller or larger ignored", "larger=self.larger", "larger=True"),
    ("Task.schedule", None, "another factor for all",    "factor=self.factor", "factor=0.1"),
    ("Task.schedule", None, "another rate",              "cosine(s.rate,", "cosine(10 * s.rate,"),
    ("Task.run", None, "--decay does nothing",
     "Adam(network.parameters, decay=s.decay)", "Adam(network.parameters)"),
    ("Task.run", None, "--penalty does nothing",       "penalty=s.penalty", "penalty=0.0"),
    ("Task.run", None, "no bound",                     "bound=network.bound,", "bound=None,"),
    ("Task.run", None, "one dropout for all updates",  "[s.seed, NOISE, update]", "[s.seed, NOISE]"),
    ("Task.run", None, "dropout drawn as batches are", "[s.seed, NOISE, update]", "[s.seed, 1, update]"),
    ("fingerprint", None, "the first array only", "for array in arrays:", "for array in arrays[:1]:"),
    ("fingerprint", None, "a few digits",         "return found.hexdigest()", "return found.hexdigest()[:8]"),
    ("parts", None, "overlapping pieces", "x[:, i:i + at_most]", "x[:, i:i + at_most + 1]"),
    ("by_all_statistics", None, "population by the batch",
     'evaluate(network, "running").items()', 'evaluate(network, "batch").items()'),
    ("by_all_statistics", None, "the batch by the running averages",
     'evaluate(network, "batch").items()', 'evaluate(network, "running").items()'),
    ("by_all_statistics", None, "statistics of the population stay first",
     'result = evaluate(network, "running")', 'result = evaluate(network, "batch")'),
]
