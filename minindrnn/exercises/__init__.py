"""Homework: write a backward pass, and have it checked.

    templates   what a learner starts from
    expected    what the exercises ask, and the right answers
    checker     which number of which array is wrong first

Exercises import from `core`, `ops` and `networks`.
"""
