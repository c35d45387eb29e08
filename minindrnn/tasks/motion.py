"""Recordings of a watch: which exercise does a person perform who is not in the training set?"""
from ..data.motion import EXERCISES, load_motion
from .classification import Standardised


class Motion(Standardised):
    """Say which exercise a person does, from windows of 4 seconds (T = 200) or, with length 0, whole recordings."""

    name = word = "motion"
    help = "name the exercise of a person with a smartwatch"
    takes, stands_for = {"train": {"length", "whole", "fold", "data"}}, {"whole": {"length": 0}}
    length, names = 200, EXERCISES

    @property
    def unit(self):
        return "windows" if self.settings.length else "recordings"

    def load(self):
        return load_motion(self.settings.fold, self.settings.length, self.settings.data or None)
