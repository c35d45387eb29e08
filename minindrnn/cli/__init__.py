"""Words in, words and pictures out.

    parser         the words of the command line
    commands       what each command does
    finished_run   reading the folder of a run
    plots          curves, half-lives, confusion

The command line imports from all rooms; nothing imports from it.
"""
