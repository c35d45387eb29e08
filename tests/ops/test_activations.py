"""Every activation is there in all its forms: for arrays, for kernels, on the GPU; its slope is that of its values."""
import numpy as np
import pytest
from reference import SCALAR

from minindrnn.gpu.recurrence import PAIRS
from minindrnn.ops.activations import KIND, OBVIOUS, activate, differentiate

Z = np.linspace(-3, 3, 60)                  # 0, where relu has its kink, is not among them


@pytest.mark.parametrize("name", KIND | OBVIOUS | PAIRS)
def test_all_forms_of_an_activation_are_the_same(name):
    assert name in KIND, f"ops/activations.py: KIND has no {name}"
    assert name in OBVIOUS, f"ops/activations.py: OBVIOUS has no {name}"
    assert name in PAIRS, f"gpu/recurrence.py: PAIRS has no {name}"
    assert name in SCALAR, f"tests/reference.py: SCALAR has no {name}"
    act, dact = OBVIOUS[name]
    h, eps = act(Z), 1e-6
    slope = dact(np.ones_like(h), h)
    wanted = (act(Z + eps) - act(Z - eps)) / (2 * eps)
    np.testing.assert_allclose(slope, wanted, atol=1e-8, err_msg=f"ops/activations.py: OBVIOUS: the slope of {name}")
    kernels = (lambda z: activate(KIND[name], z)), (lambda dh, h: differentiate(KIND[name], dh, h))
    # Uncompiled, the GPU's ZERO and ONE make some of it float32.
    for where, (forward, backward), rtol in (("ops/activations.py: activate and differentiate", kernels, 1e-12),
                                             ("gpu/recurrence.py: PAIRS", PAIRS[name], 1e-6)):
        got = np.array([[forward(z), backward(dh, y)] for z, dh, y in zip(Z, np.full_like(Z, 2), h)])
        np.testing.assert_allclose(got[:, 0], h, rtol, err_msg=f"{where}: the values of {name}")
        np.testing.assert_allclose(got[:, 1], 2 * slope, rtol, err_msg=f"{where}: the slope of {name}")


@pytest.mark.parametrize("kind", KIND.values(), ids=KIND.keys())
def test_the_type_stays(kind):
    assert np.result_type(activate(kind, np.float64(0.5))) == np.float64
