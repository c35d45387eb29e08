"""Every operation and layer is public and has a case; the case checks its gradient by finite differences, on sizes and
values that Hypothesis picks the seed of, and its cache is a named tuple."""
import importlib
import inspect
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from strategies import seeds

import minindrnn
from minindrnn.checks.cases import PROBLEMS
from minindrnn.checks.gradcheck import TOLERANCE, check
from minindrnn.core.layer import Layer

pytestmark = pytest.mark.tutorial7

ROOT = Path(minindrnn.__file__).parent
FORWARDS = [name for name in minindrnn.__all__ if name.endswith("_forward")]
LAYERS = {name: kind for name, kind in vars(minindrnn).items()
          if inspect.isclass(kind) and issubclass(kind, Layer) and kind is not Layer}
FILES = [path for room in ("ops", "networks") for path in sorted((ROOT / room).glob("[a-z]*.py"))]


@pytest.mark.parametrize("name", PROBLEMS)
@given(seed=seeds)
def test_gradients(name, seed):
    module, problem = PROBLEMS[name]
    rng = np.random.default_rng(seed)
    errors = check(problem(module, rng), rng)
    assert errors and max(errors.values()) <= TOLERANCE


def is_named(cache):
    """A named tuple, as all caches within it are, or a chain's list of them; a shape is a tuple of integers."""
    if isinstance(cache, list):
        return all(map(is_named, cache))
    parts = [part for part in cache if isinstance(part, (tuple, list)) and not all(isinstance(n, int) for n in part)]
    return isinstance(cache, tuple) and hasattr(cache, "_fields") and all(map(is_named, parts))


@pytest.fixture
def caches(monkeypatch):
    """{name: caches} of all public forward passes and layers that the cases run."""
    found = defaultdict(list)

    def recorded(forward, name=None):
        def run(*arguments, **options):
            y, cache = forward(*arguments, **options)
            found[name or type(arguments[0]).__name__].append(cache)
            return y, cache
        return run

    for name in FORWARDS:
        forward = getattr(minindrnn, name)
        monkeypatch.setattr(sys.modules[forward.__module__], name, recorded(forward, name))
    for kind in LAYERS.values():
        if "forward" in vars(kind):
            monkeypatch.setattr(kind, "forward", recorded(kind.forward))
    for module, problem in PROBLEMS.values():
        for seed in range(4):
            problem(module, np.random.default_rng(seed)).forward()
    return found


def test_every_operation_and_layer_has_a_case_and_a_cache_with_names(caches):
    for name in (*FORWARDS, *LAYERS):
        assert caches[name], f"checks/cases.py: no problem runs {name}: add one to PROBLEMS"
        chain = issubclass(LAYERS.get(name, object), minindrnn.Chain)
        for cache in caches[name]:
            assert is_named(cache) and isinstance(cache, list) == chain, f"{name}: expected a named tuple, got {cache}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_differentiated_is_public(path):
    """A layer, and in `ops` a backward pass that takes a cache, with its forward pass."""
    room, file = path.parent.name, f"{path.parent.name}/{path.name}"
    module = importlib.import_module(f"minindrnn.{room}.{path.stem}")
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(thing) and issubclass(thing, Layer) and thing.forward is not Layer.forward:
            assert name in minindrnn.__all__, f"{file}: expected {name} in minindrnn/__init__.py"
        if (room == "ops" and inspect.isfunction(thing) and name.endswith("_backward")
                and "cache" in inspect.signature(thing).parameters):
            for public in (name, name.replace("_backward", "_forward")):
                assert public in minindrnn.__all__, f"{file}: expected {public} in minindrnn/__init__.py"
