import numpy as np
import pytest

from minindrnn.ops.activations import KIND, activate


@pytest.mark.parametrize("kind", KIND.values(), ids=KIND.keys())
def test_the_type_stays(kind):
    assert np.result_type(activate(kind, np.float64(0.5))) == np.float64
