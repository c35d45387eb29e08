"""What one can train on: data, network, settings that work, how it is judged.

    registry         all tasks and their settings; the adding problem
    recognition      digits, MNIST, motion, sequences of one's own
    classification   what those have in common
    characters       language modelling by characters
    recipe           settings, networks by the name of a model, the run

Tasks import from `core`, `ops`, `networks`, `training` and `data`.
"""
