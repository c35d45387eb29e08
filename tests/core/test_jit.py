"""Kernels. Where they are kept: test_kept_kernels.py."""
import numba

from minindrnn.core.jit import kernel


def test_without_compilation_a_kernel_is_the_function(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)

    def double(x):
        return x + x
    assert kernel(double) is double
