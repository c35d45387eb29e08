"""The densely connected network. What it shares with the residual one: test_deep.py."""
import pytest
from reference import within

from minindrnn import DenseIndRNN, Unit

pytestmark = pytest.mark.tutorial5


def test_the_width_of_each_layer(rng):
    network = DenseIndRNN(8, 4, (2, 1), 10, rng, length=8)
    widths = [unit["u"].size for unit in within(network, Unit)]
    assert widths == [24, *[16, 4] * 2, 16, *[16, 4], 10]    # 6 k; 2 x (4 k, k); transition to half; (4 k, k); to half


@pytest.mark.parametrize("call, message", [
    (lambda rng: DenseIndRNN(2, 3, (), 1, rng, length=9), r"blocks: expected the number of dense layers .* got \(\)"),
    (lambda rng: DenseIndRNN(2, 3, (2, 0), 1, rng, length=9), r"blocks: .* at least 1, got \(2, 0\)"),
    (lambda rng: DenseIndRNN(2, 3, 3, 1, rng, length=9), "blocks: expected the number of dense layers .* got 3"),
    (lambda rng: DenseIndRNN(2, 3, (2, 1.5), 1, rng, length=9), r"blocks: .* at least 1, got \(2, 1.5\)"),
    (lambda rng: DenseIndRNN(2, 3, (2,), 1, rng, length=0), "length: expected an integer of at least 1, got 0"),
    (lambda rng: DenseIndRNN(2, 3, (2,), 1, rng, length=9, dropout={"firts": 0.1}),
     "dropout: expected some of first, .* got firts"),
])
def test_errors(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)
