"""Optimizers."""

from minidl.optim.adam import Adam, Adamax, AdamW
from minidl.optim.optimizer import Optimizer
from minidl.optim.rmsprop import Adadelta, Adagrad, RMSprop
from minidl.optim.sgd import SGD, Momentum

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Momentum",
    "Optimizer",
    "RMSprop",
]
