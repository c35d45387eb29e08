"""Faults of minindrnn/networks/papers.py; `mutation` says what a row is."""

TESTS = [
    "test_texts_have_statistics_for_every_step_of_two_segments_and_the_rest",
]

OTHER = [
    ("MNIST", None, "gamma 2 for 5",     "gamma=5.0", "gamma=2.0"),
    ("MNIST", None, "normalised before", 'norm="after"', 'norm="before"'),
    ("MNIST", None, "another length",    "length=784", "length=28"),
    ("NTU", None, "gamma 2 for 5", "gamma=5.0", "gamma=2.0"),
    ("MNIST_DENSE", None, "dropout", "first=0.2", "first=0.1"),
    ("NTU_DENSE", None, "dropout", "transition=0.3", "transition=0.4"),
    ("BOUND", None, "|u| up to 1.00 for 0.99", "0.99", "1.00"),
    ("RANGE", None, "u starts negative too", "u=(0.0, BOUND), u_last", "u=(-BOUND, BOUND), u_last"),
    ("PTB_DENSE", None, "dropout", "dense=0.5", "dense=0.4"),
    ("DENSE_TEXT_W", None, "W of dense texts as that of images", "kaiming(0)", "kaiming(8)"),
    ("per_step", None, "rows of one segment", "2 * segment + 1", "segment + 1"),
    ("PER_STEP", None, "fewer rows", "per_step(SEGMENT)", "per_step(SEGMENT // 2)"),
    ("layers_of_2000", None, "seven layers for six", "2000, 6, rng", "2000, 7, rng"),
    ("layers_of_2000", None, "the last unit starts elsewhere",
     "blocks, rng, u=u, u_last=u,", "blocks, rng, u=u, u_last=(0.5, 1.0),"),
    ("ptb_words", None, "dropout of tokens", "p=0.2", "p=0.1"),
    ("ptb_words", None, "normalised after",  'norm="before"', 'norm="after"'),
    ("ptb_words", None, "the narrow unit starts elsewhere",
     "IndRNN(2000, EMBEDDED, rng, u=(0.0, BOUND)", "IndRNN(2000, EMBEDDED, rng, u=(0.5, BOUND)"),
    ("ptb_words", None, "|u| has no bound",  "bound=BOUND)", "bound=1.0)"),
    ("ptb_dense", None, "gain 1 for 0.1",                      "gain=0.1", "gain=1.0"),
    ("ptb_dense", None, "over time",                           "**PER_STEP), **RANGE", ") , **RANGE"),
    ("ptb_dense", None, "no normalisation before the decoder", "BatchNorm(EMBEDDED, **PER_STEP),", ""),
    ("ARCHITECTURES", None, "dropout of mnist-res",
     "ResidualIndRNN(1, 128, 5, 10, rng, dropout=0.1", "ResidualIndRNN(1, 128, 5, 10, rng, dropout=0.2"),
    ("ARCHITECTURES", None, "dropout of ntu-res",
     "ResidualIndRNN(150, 512, 5, 60, rng, dropout=0.5", "ResidualIndRNN(150, 512, 5, 60, rng, dropout=0.25"),
    ("ARCHITECTURES", None, "a layer less",
     "StackedIndRNN(150, 512, 4, 60", "StackedIndRNN(150, 512, 3, 60"),
    ("ARCHITECTURES", None, "no differences",             "differences=True,", ""),
    ("ARCHITECTURES", None, "dropout before the decoder", "rows=0.0, out=0.2", "rows=0.0, out=0.65"),
]
