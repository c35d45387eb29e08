"""The tasks: data, network, settings that work, evaluation.

    settings         the names of the settings of a run; the values that work stand in the file of each task
    models           the networks by the name of a model
    task             the base of all tasks, and the declaration of a task
    adding           the adding problem
    classification   the base of the tasks with classes
    digits           digits of 8 x 8 pixels, by pixels or by rows
    mnist            MNIST, permuted MNIST and Fashion-MNIST, pixel by pixel
    motion           exercises recorded by a watch
    user_file        your own sequences
    characters       language modelling by characters
    registry         all tasks by name

Tasks import from `core`, `ops`, `networks`, `training` and `data`.

To add a task
    1  data/NAME.py returns its arrays; name it in data/__init__.py. A test reads a small file of that kind
    2  `NAME.py` here: a subclass of `Task`, or of `Classification` if it asks for a class after each sequence
    3  its declaration: name, word, help, usual settings, and the options it takes; see `Task`
    4  its methods: network, batch, evaluate; and result, report, predict of a trained network
    5  list it in `registry`, and name it above
    6  tests/test_published.py: its settings, worked out by hand, in SETTINGS, and its run in RUNS
    7  tests/tasks: its batches, its evaluation and its report, on data small enough to check by eye
Command line, checkpoints, report and predict take the rest from the class.
"""
