"""Training loops, and what people do around them."""

from minidl.train.batches import join
from minidl.train.callback import Callback
from minidl.train.evaluation import Score, confusion_matrix, evaluate, predict
from minidl.train.history import Epoch, History
from minidl.train.loop import fit
from minidl.train.trainer import DivergenceError, Schedule, Trainer

__all__ = [
    "Callback",
    "DivergenceError",
    "Epoch",
    "History",
    "Schedule",
    "Score",
    "Trainer",
    "confusion_matrix",
    "evaluate",
    "fit",
    "join",
    "predict",
]
