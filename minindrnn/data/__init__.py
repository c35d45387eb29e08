"""Data sets, as plain arrays.

    adding, digits, mnist, motion, text   one data set each
    user_file                             your own sequences
    download                              files that are found or downloaded, and verified by their hash

Data imports from `core`.
"""
