"""All tasks by name, and the settings that work for each."""
from .adding import Adding
from .characters import Characters
from .digits import Digits, DigitsByRows
from .mnist import FashionMNIST, PermutedMNIST, SequentialMNIST
from .motion import Motion
from .settings import Settings
from .user_file import UserFile

TASKS = {task.name: task for task in (Digits, DigitsByRows, Adding, SequentialMNIST, PermutedMNIST, FashionMNIST,
                                      Characters, Motion, UserFile)}


def settings(task, model=None, length=None, **given):
    """The Settings of a task, the defaults of its model wherever none are given."""
    kind = TASKS[task]
    model = kind.model if model is None else model
    length = kind.length if length is None else length
    given = {name: value for name, value in given.items() if value is not None}
    return Settings(**dict(penalty=0.0, seed=0, gamma=2.0) | kind.defaults(model, length) | given
                    | dict(task=task, model=model, length=length))
