"""Words in, words and pictures out.

    parser         the words of the command line
    commands       what each command does
    finished_run   a run that was made, looked at again
    plots          curves, half-lives, confusion

The command line imports from all rooms; nothing imports from it.
"""
