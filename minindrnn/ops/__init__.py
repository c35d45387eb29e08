"""One operation, one file: letters, equations, forward, backward, kernels, and a thin layer. Start with `recurrence`.

    recurrence      h[t] = act(a[t] + u h[t-1]), the subject of the package; the fast form, to be read later, is
                    `recurrence_kernels`
    activations     relu, tanh, sigmoid, identity, and their derivatives from the output; `tanh_sigmoid`: arithmetic
    linear          W x + b, all steps in one matrix product
    bounds          the range of u: memory and explosion
    batchnorm       batch normalisation over time and per step
    layernorm       layer normalisation
    dropout         one mask for a whole sequence
    embedding       vectors for tokens
    deltas          features and their differences from step to step
    losses          mean squared error, softmax cross-entropy
    rnn, lstm, gru  the baselines; skip them on first reading

Operations import only from `core` and from each other.

To add an operation
    1  copy `layernorm.py`, the shortest complete operation, to `NAME.py`; name it in the list above
    2  docstring: letters with their shapes, F1.., B1.., the cache, the source
    3  `Cache`, a named tuple of the values that backward needs
    4  NAME_forward checks every array with `expect` and returns the result and the cache
    5  NAME_backward takes the gradient and the cache; each line ends with the number of its equation
    6  loops over steps are functions with @kernel; sums over steps and sequences are in float64
    7  the `Layer` holds the parameters, each with its role, and calls the two
    8  minindrnn/__init__.py: import the pair and the layer, and name them in __all__
    9  checks/cases.py: a problem for the pair and one for the layer, in PROBLEMS; now `gradcheck` checks them
   10  tests/mutants/ops: three faults for each, which the case must catch
   11  tests/ops: compare the forward pass with an independent oracle
   12  for CUDA: the same equations in gpu/NAME.py, and the layer in gpu/twin.py

To add an activation
    1  its derivative must follow from its output h; give both in the docstring of `activations`
    2  `activations`: a number in KIND, the pair for arrays in OBVIOUS, the scalar forms in `activate`, `differentiate`
    3  gpu/recurrence.py: the pair of scalar functions, in PAIRS
    4  tests/reference.py, tests/ops/test_recurrence.py: its value in SCALAR, its slope in SLOPE
    5  `grep -rn "identity"` finds all lists of names: docstrings here and in networks/indrnn.py, messages in tests
    6  tests/mutants/ops/activations.py: a fault of `activate`
The problems in checks/cases.py, --activation, and the contract tests of every backend read KIND.
"""
