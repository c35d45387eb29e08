"""minindrnn.gpu: IndRNN on CUDA, the recurrence alone and whole updates.

The two functions here do the same as those of `minindrnn`; their arrays may be on the device. The other files are
twins of the files with the same name in `minindrnn`: same equations, same letters, arrays on the device. `twin.Twin`
trains a network there, as `python -m minindrnn train --device cuda` does.

Importing needs no GPU, driver or CUDA packages. Calls need a GPU, or Numba's simulator (environment variable
NUMBA_ENABLE_CUDASIM=1), which runs the kernels as Python on the CPU. All of it has run on an NVIDIA H200. Without a
GPU, tests/gpu simulates the kernels, compiles them, and executes them instruction by instruction on the CPU.

In PyTorch this class makes the recurrence a function with a gradient:

    import torch
    from minindrnn.gpu import indrnn_backward, indrnn_forward

    class Recurrence(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, u, h0, activation="relu"):
            h, cache = indrnn_forward(a.detach(), u.detach(), h0.detach(), activation=activation)
            ctx.save_for_backward(u, h0, h)
            ctx.cache = cache._replace(u=None, h0=None, h=None)
            return h

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, dh):
            u, h0, h = (tensor.detach() for tensor in ctx.saved_tensors)
            return *indrnn_backward(dh.contiguous(), ctx.cache._replace(u=u, h0=h0, h=h)), None

    h = Recurrence.apply(a, u, h0)
"""
from .recurrence import indrnn_backward, indrnn_forward

__all__ = ["indrnn_backward", "indrnn_forward"]
