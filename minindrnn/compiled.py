"""How every CPU kernel is compiled.

Serial, so that the matrix products keep both the cores and the memory bus to themselves; without the
interpreter lock; kept on disk. `contract` allows fused multiply-add, `nsz` lets zeros lose their sign;
nothing else of "fast math" is on, so NaN and inf behave, and sums keep their order but in a kernel `reordered`.
"""
from numba import njit

OPTIONS = dict(cache=True, nogil=True, error_model="numpy")
kernel = njit(**OPTIONS, fastmath={"contract", "nsz"})
reordered = njit(**OPTIONS, fastmath={"contract", "nsz", "reassoc"})      # a sum along n by several lanes at once
unfused = njit(**OPTIONS, fastmath={"nsz"})      # every product is rounded before it is added
