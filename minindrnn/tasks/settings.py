"""The settings of a run, and the purpose of each of its random generators."""
from dataclasses import asdict, dataclass

# What a generator is for: it is seeded with [seed, purpose, number]. Zeros at the end of such a list do not count.
NETWORK, BATCH, EVALUATION, NOISE, SPLIT = range(5)

ADDED = {"activation": "relu"}           # settings that runs of earlier versions do not name, and what theirs were


@dataclass(frozen=True)
class Settings:
    """The settings of a run; `registry.settings` adds the defaults of its task and model."""
    task: str
    layers: int
    hidden: int
    updates: int
    batch: int
    rate: float
    seed: int
    gamma: float
    penalty: float
    length: int
    model: str = "indrnn"
    norm: str = "none"
    dropout: float = 0.0
    decay: float = 0.0
    plateau: int = 0
    fold: int = 0
    data: str = ""
    activation: str = "relu"

    def worth_saying(self):
        """{name: value} of all that is not 0, off or as it nearly always is."""
        return {name: value for name, value in asdict(self).items() if value not in (0, "", "none", "relu")}
