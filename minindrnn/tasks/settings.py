"""What defines a run: its settings, and what each of its random generators is for."""
from dataclasses import dataclass

# What a generator is for: it is seeded with [seed, purpose, number]. Zeros at the end of such a list do not count.
NETWORK, BATCH, EVALUATION, NOISE, SPLIT = range(5)


@dataclass(frozen=True)
class Settings:
    """What defines a run; `registry.settings` fills in what works for its task and model."""
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
