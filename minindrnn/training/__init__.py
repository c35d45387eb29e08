"""From gradients to a trained network; knows the interface of a layer and nothing else.

    step                    one update: forward, loss, backward, clip, optimiser, projection
    optim                   SGD, Adam, clipping
    schedules               the learning rate over the updates
    run                     many updates, that stop and continue
    checkpoint              a run on the disk
    population_statistics   statistics of batch normalisation by a pass over the data
    dynamic_evaluation      language models that learn from the text they are tested on

Training imports from `core` and `ops`.
"""
from .step import train_step

__all__ = ["train_step"]
