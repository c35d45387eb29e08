"""How functions are timed beside each other on a machine that is never quiet.

All of them in turn, round by round, in an order drawn anew; each timed call follows untimed ones, two unless fewer are
asked for, so that it finds its own data in the caches. A ratio is the median over the rounds, with the
middle half of them in brackets: the noise of the machine.
"""
import time

import numpy as np


def wall(function):
    """Seconds of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def interleaved(functions, rounds=25, untimed=2, clock=wall):
    """{name: seconds (rounds,)}, one timed call of each function a round, in an order drawn anew."""
    seconds, rng = {name: np.empty(rounds) for name in functions}, np.random.default_rng(0)
    for r in range(rounds):
        for name in rng.permutation(list(functions)):
            for _ in range(untimed if r else 2):
                functions[name]()
            seconds[name][r] = clock(functions[name])
    return seconds


def spread(values):
    """The median with the quartiles, as {"median", "low", "high"}."""
    low, median, high = (float(value) for value in np.percentile(values, [25, 50, 75]))
    return {"median": median, "low": low, "high": high}


def row(what, values, unit, digits=2):
    """One line of a report: what was measured, {"median", "low", "high"} and the unit."""
    return {"what": what, "unit": unit, "digits": digits} | spread(np.atleast_1d(values))


def line(measured):
    """A row as text."""
    number = f"{{:.{measured['digits']}f}}".format
    noise = "" if measured["low"] == measured["high"] else f"({number(measured['low'])} to {number(measured['high'])})"
    return f"  {measured['what']:<62} {number(measured['median']):>9} {measured['unit']:<13} {noise}"
