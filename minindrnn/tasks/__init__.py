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

Tasks import from `core`, `ops`, `networks`, `training` and `data`.

To add a task
    1  data/NAME.py returns its arrays; name it in data/__init__.py. A test reads a small file of that kind
    2  `NAME.py` here: a subclass of `Task`, or of `Classification` if it asks for a class after each sequence
    3  what it says of itself: name, word, help, usual settings, and the options it takes; see `Task`
    4  what it does: network, batch, evaluate; and result, report, predict of a trained network
    5  list it in `registry`, and name it above
    6  tests/test_published.py: its settings, worked out by hand, in SETTINGS, and its run in RUNS
    7  tests/tasks: what it trains on, what it counts and what it says, from data small enough to check by eye
Command line, checkpoints, report and predict take the rest from the class.
"""
