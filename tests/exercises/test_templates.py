import numpy as np

import minindrnn
from minindrnn.exercises import templates


def test_given_functions_are_those_of_the_package(rng):
    a, h0, s0 = rng.normal(size=(7, 3, 8)), rng.normal(size=(3, 8)), rng.normal(size=(2, 3, 2))
    u, U = rng.normal(size=8), rng.normal(size=(8, 8))
    for given, ours in ((templates.indrnn_forward(a, u, h0), minindrnn.indrnn_forward(a, u, h0)),
                        (templates.rnn_forward(a, U, h0), minindrnn.rnn_forward(a, U, h0)),
                        (templates.lstm_forward(a, U[:, :2].copy(), s0),
                         minindrnn.lstm_forward(a, U[:, :2].copy(), s0))):
        np.testing.assert_allclose(given[0], ours[0], rtol=0, atol=1e-13)
        for mine, theirs in zip(given[1], ours[1]):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-13)
