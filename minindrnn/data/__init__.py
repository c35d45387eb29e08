"""Data sets, as plain arrays.

    adding, digits, mnist, motion, text   one data set each
    user_file                             sequences of one's own
    download                              files that are found or fetched, and known by their hash

Data imports from `core`.
"""
