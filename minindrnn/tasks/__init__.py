"""What one can train on: data, network, settings that work, how it is judged.

    settings         what defines a run
    models           the networks by the name of a model
    task             what all tasks share, and what a task says of itself
    adding           the adding problem
    classification   what the tasks with classes have in common
    digits           digits of 8 x 8 pixels, by pixels or by rows
    mnist            MNIST, permuted MNIST and Fashion-MNIST, pixel by pixel
    motion           exercises recorded by a watch
    user_file        sequences of one's own
    characters       language modelling by characters
    registry         all tasks by name, and their settings

To add a task: `data/NAME.py` returns its arrays, `NAME.py` here is a subclass of `Task` that says what it is, and
`registry` lists it. To add a network to all tasks: a row in `models`.

Tasks import from `core`, `ops`, `networks`, `training` and `data`.
"""
