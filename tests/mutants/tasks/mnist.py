"""Faults of minindrnn/tasks/mnist.py; `mutation` says what a row is."""

TESTS = [
    "test_published.py",
]

OTHER = [
    ("SequentialMNIST.initialisers", None, "none", "papers.STARTS", "{}"),
    ("SequentialMNIST.usual", None, "gamma 2 for 5",          'papers.MNIST["gamma"]', "2.0"),
    ("SequentialMNIST.usual", None, "rate ten times as high", "batch=32, rate=2e-4", "batch=32, rate=2e-3"),
    ("SequentialMNIST.usual", None, "patience",               "plateau=100", "plateau=20"),
    ("SequentialMNIST.usual", None, "decay of baselines",     "plateau=100,", "plateau=100, decay=1e-4,"),
    ("SequentialMNIST.of_indrnn", None, "no decay",          "decay=1e-4)", "decay=0.0)"),
    ("SequentialMNIST.of_indrnn", None, "normalised before", 'papers.MNIST["norm"]', '"before"'),
    ("SequentialMNIST.of_indrnn", None, "dropout",           "dropout=0.1", "dropout=0.2"),
    ("SequentialMNIST.of_model", None, "dropout of dense networks", "papers.MNIST_DENSE", "papers.NTU_DENSE"),
    ("SequentialMNIST.of_model", None, "rate of IRNN",              '"irnn": dict(rate=2e-4)', '"irnn": {}'),
    ("SequentialMNIST.every", None, "an evaluation every 17 000 updates", "return 1700", "return 17_000"),
    ("SequentialMNIST.scale", None, "from 0", "/ 128 - 1", "/ 256"),
    ("PermutedMNIST.arrange", None, "one order for all seeds", "self.settings.seed, SPLIT, 1", "0, SPLIT, 1"),
]
