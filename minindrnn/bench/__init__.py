"""How fast, beside the limits of the machine.

    sections          the measurements
    ranks             several processes beside one
    timing            how functions are timed beside each other
    other_libraries   the same task in PyTorch and JAX

The bench imports from all rooms but `cli`.
"""
