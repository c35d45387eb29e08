"""Numbers of a kernel: 0 and 1 of its own type, and a sum that carries its rounding errors along."""
import numpy as np
from numba import config, cuda

# Exact in both types, where a Python float would turn float32 into float64; in the simulator it is the other way round.
ZERO, ONE = (0.0, 1.0) if config.ENABLE_CUDASIM else (np.float32(0), np.float32(1))


@cuda.jit(device=True)
def add(total, lost, term):
    """total + term, and what rounding has put too much into it so far; nothing once it is infinite."""
    term -= lost
    larger = total + term
    error = (larger - total) - term
    return larger, error if error == error else ZERO
