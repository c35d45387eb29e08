"""The foundation of all rooms; it knows no particular layer.

    layer          the interface of a layer: forward, backward, trees of parameters and their roles
    expect         checks of arguments, and the wording of errors
    padding        the steps after the end of a shorter sequence
    jit            how a kernel is compiled
    kept_kernels   where compiled kernels are kept, and when they are compiled again
    memory_pool    large arrays in reused memory
    ranks          several processes that train one network: parts of a batch, and sums over all of it
    mpi            processes started by mpiexec
    threads        threads of matrix products
    interrupt      handling of Ctrl-C
    terminal       output to the terminal; streams that are closed or full
    atomic_file    files that are complete or absent
"""
