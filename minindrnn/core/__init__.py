"""The base of the package. It knows the contract of a layer, but no particular layer.

    layer          what a layer is: forward, backward, trees of parameters and their roles
    expect         checks of arguments, and their error messages
    padding        the time steps after the end of a shorter sequence
    jit            how kernels are compiled
    kept_kernels   where compiled kernels are kept, and when they are compiled again
    memory_pool    large arrays in memory that is used again
    ranks          several processes that train one network: parts of a batch, and sums over the whole batch
    mpi            processes that mpiexec has started
    threads        the threads of matrix products
    interrupt      how Ctrl-C is handled
    terminal       output to the terminal; streams that are closed or full
    atomic_file    files that are written whole or not at all
"""
