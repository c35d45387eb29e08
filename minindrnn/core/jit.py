"""How every CPU kernel is compiled. Its compiled form is kept on the disk: see `kept_kernels`.

Kernels are serial, so that the matrix products have the cores and the memory bus, and release the
interpreter lock. `contract` allows fused multiply-add, `nsz` lets zeros lose their sign;
nothing else of "fast math" is on, so NaN and inf behave, and sums keep their order, except in a `reordered` kernel.
"""
import numba

from .kept_kernels import Kept

OPTIONS = dict(nogil=True, error_model="numpy", no_cfunc_wrapper=True)      # no kernel is called from C


def compiler(*fastmath):
    """The decorator that compiles a function with these liberties of "fast math"."""
    def decorate(function):
        kernel = numba.njit(**OPTIONS, fastmath=set(fastmath))(function)
        if function.__module__.startswith("minindrnn."):       # the stamp does not cover other sources
            kernel._cache = Kept(function, fastmath)     # which Numba asks before it compiles, and tells afterwards
        return kernel
    return decorate


kernel = compiler("contract", "nsz")
reordered = compiler("contract", "nsz", "reassoc")      # a sum along n by several lanes at once
unfused = compiler("nsz")                               # every product is rounded before it is added
inlined = numba.njit(**OPTIONS, inline="always")        # part of the kernels that call it: its branches on their
                                                        # constants are gone before anything is compiled
