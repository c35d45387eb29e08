"""What every test relies on: a seeded, unhurried Hypothesis; the installed package."""
import importlib.util

import hypothesis
import numba
import numba.cuda
import numpy as np
import pytest

hypothesis.settings.register_profile("minindrnn", deadline=None, derandomize=True,
                                     max_examples=15 if numba.config.ENABLE_CUDASIM else 60,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("minindrnn")

if importlib.util.find_spec("minindrnn") is None or importlib.util.find_spec("minindrnn.gpu") is None:
    raise pytest.UsageError("minindrnn.gpu is not importable: run  pip install -e '.[plots,test]'  first")


def pytest_collection_modifyitems(items):
    """What is marked gpu runs on hardware or not at all; what is marked once or compiled does not run without
    compilation."""
    for mark, why_not in (("gpu", _no_gpu), ("once", _uncompiled), ("compiled", _slow_without)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and (reason := why_not()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def _no_gpu():
    if numba.config.ENABLE_CUDASIM:
        return "the simulator is no GPU"
    if not numba.cuda.is_available():
        return "no NVIDIA GPU, or no driver or CUDA packages (extra cuda12 or cuda13)"


def _uncompiled():
    return "the same with and without compilation" if numba.config.DISABLE_JIT else None


def _slow_without():
    return "too much arithmetic for kernels that are not compiled" if numba.config.DISABLE_JIT else None


@pytest.fixture
def rng():
    return np.random.default_rng(0)
