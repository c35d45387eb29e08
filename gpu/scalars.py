"""Numbers for kernels: 0 and 1 that keep float32, and a sum with compensated rounding errors."""
import numpy as np
from numba import config, cuda

# Exact in both types; a Python float would turn float32 into float64. In the simulator it is the other way round.
ZERO, ONE = (0.0, 1.0) if config.ENABLE_CUDASIM else (np.float32(0), np.float32(1))


@cuda.jit(device=True)
def add(total, lost, term):
    """total + term, and lost, the rounding error that the sum has in excess so far; 0 once the sum is infinite."""
    term -= lost
    larger = total + term
    error = (larger - total) - term
    return larger, error if error == error else ZERO
