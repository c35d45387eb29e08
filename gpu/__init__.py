"""minindrnn.gpu: the recurrence on CUDA, one thread per neuron of each sequence.

The two functions mean the same as those of `minindrnn`. Importing needs no GPU, driver or CUDA packages; calling needs
a GPU, or Numba's simulator (environment variable NUMBA_ENABLE_CUDASIM=1), which runs the kernels as Python on the CPU.
"""
from .recurrence import indrnn_backward, indrnn_forward

__all__ = ["indrnn_backward", "indrnn_forward"]
