"""What everything stands on; knows no layer in particular.

    layer          what a layer is: forward, backward, trees of parameters and their roles
    expect         checks of what comes in, and the wording of errors
    padding        what stands behind the end of a shorter sequence
    jit            how a kernel is compiled
    kept_kernels   where its compiled form is kept, and when it is compiled again
    memory_pool    large arrays out of memory that was used before
    ranks          several processes that train one network: parts of a batch, and sums over all of it
    mpi            processes that mpiexec has started
    threads        those of matrix products
    interrupt      what Ctrl-C does
    terminal       what ends up there; streams that are closed or full
    atomic_file    files that are whole or not there
"""
