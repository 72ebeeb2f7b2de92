"""Training loops."""

from minidl.train.history import Epoch, History
from minidl.train.loop import DivergenceError, Schedule, Score, evaluate, fit

__all__ = ["DivergenceError", "Epoch", "History", "Schedule", "Score", "evaluate", "fit"]
