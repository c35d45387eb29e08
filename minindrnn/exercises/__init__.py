"""Homework: write a backward pass, and have it checked.

    templates   the functions to write
    expected    the questions of the exercises, and the right answers
    checker     finds the first wrong number

Exercises import from `core`, `ops` and `networks`.
"""
