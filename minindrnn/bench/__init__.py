"""How fast, beside the limits of the machine.

    sections          what is measured
    ranks             several processes beside one
    timing            how functions are timed beside each other
    other_libraries   what PyTorch and JAX make of the same task

The bench imports from all rooms but `cli`.
"""
