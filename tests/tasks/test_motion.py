import numpy as np

from minindrnn.tasks.motion import Motion
from minindrnn.tasks.registry import TASKS, settings


def test_what_is_counted_is_called_by_its_name():
    units = {length: TASKS["motion"](settings("motion", length=length), {"T": 9, "M": 6, "K": 7}).unit
             for length in (0, 200)}
    assert units == {0: "recordings", 200: "windows"}


SEEN = {"T": 200, "M": 6, "K": 7, "mean": [2.0] * 6, "deviation": [0.5] * 5 + [0]}


def test_classes_are_called_by_their_exercise():
    assert Motion(settings("motion"), SEEN).called()[6] == "upright row"


def test_a_channel_that_does_not_vary_is_not_divided():
    scaled = Motion(settings("motion"), SEEN).scale(np.full((1, 1, 6), 3.0))
    np.testing.assert_array_equal(scaled, np.float32([[[2, 2, 2, 2, 2, 1]]]))
