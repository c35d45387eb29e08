"""Layers made of layers; all equations here are compositions.

    indrnn           the recurrent unit and the IndRNN layer; `fused`: the same in fewer passes over memory
    combinators      Chain, Residual, Concatenate, AtLastStep
    stacked          the basic deep network
    residual         the residual network
    dense            the densely connected network
    bidirectional    a second layer reads the sequence from its end
    language_model   embedding, body, and a decoder tied to the embedding
    papers           the papers' networks by name

Networks import from `core` and `ops`, and know nothing of training.

To add a network, as --model
    1  `NAME.py` here: NAME_layers(inputs, ..., rng) returns its layers, and a subclass of `Chain` adds the readout;
       a baseline whose layers are in `ops` needs no file. Name it in the list above
    2  a layer with its own backward pass also needs `Cache`, a problem in checks/cases.py, faults in tests/mutants
    3  minindrnn/__init__.py: import the class, and name it in __all__
    4  checks/cases.py: a problem for the network, in PROBLEMS
    5  tasks/models.py: a row of MODELS: settings -> layers, a colour, and special options. Now all tasks have it
    6  if the settings of its kind do not suit it: `of_model` of the tasks
    7  tests: the number of its parameters, computed by hand
"""
