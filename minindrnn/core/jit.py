"""How every CPU kernel is compiled. `kept_kernels` keeps the compiled form on disk.

Kernels are serial, which leaves the other cores and the memory bus to the matrix products, and they release the
interpreter lock. `contract` allows fused multiply-add, `nsz` lets zeros lose their sign. No other "fast math" is on,
so NaN and inf behave, and sums keep their order, except in a `reordered` kernel.
"""
import numba

from .kept_kernels import Kept

OPTIONS = dict(nogil=True, error_model="numpy", no_cfunc_wrapper=True)      # no kernel is called from C


def compiler(*fastmath):
    """The decorator that compiles a function with these flags of "fast math"."""
    def decorate(function):
        kernel = numba.njit(**OPTIONS, fastmath=set(fastmath))(function)
        if function.__module__.startswith("minindrnn."):       # the stamp covers no other sources
            kernel._cache = Kept(function, fastmath)     # Numba reads it before it compiles, and writes it afterwards
        return kernel
    return decorate


kernel = compiler("contract", "nsz")
reordered = compiler("contract", "nsz", "reassoc")      # several SIMD lanes share a sum along n
unfused = compiler("nsz")                               # every product is rounded before the addition
inlined = numba.njit(**OPTIONS, inline="always")        # copied into the calling kernels: branches on their
                                                        # constants are removed before compilation
