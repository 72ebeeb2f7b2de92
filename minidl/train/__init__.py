"""Training loops, and what people do around them."""

from minidl.train.averaging import EMA, SWA
from minidl.train.batches import join
from minidl.train.callback import Callback
from minidl.train.checkpoint import Checkpoint
from minidl.train.early_stopping import EarlyStopping, continue_training, retrain
from minidl.train.ensemble import (
    Ensemble,
    PickComparison,
    Snapshots,
    compare_with_random_pick,
    fit_ensemble,
)
from minidl.train.evaluation import Score, confusion_matrix, evaluate, predict
from minidl.train.history import Epoch, History
from minidl.train.loop import fit
from minidl.train.pretraining import greedy_pretrain
from minidl.train.rate_finder import RateCurve, find_lr
from minidl.train.search import SearchResult, Trial, log_uniform, search
from minidl.train.trainer import DivergenceError, Schedule, Trainer

__all__ = [
    "EMA",
    "SWA",
    "Callback",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "Ensemble",
    "Epoch",
    "History",
    "PickComparison",
    "RateCurve",
    "Schedule",
    "Score",
    "SearchResult",
    "Snapshots",
    "Trainer",
    "Trial",
    "compare_with_random_pick",
    "confusion_matrix",
    "continue_training",
    "evaluate",
    "find_lr",
    "fit",
    "fit_ensemble",
    "greedy_pretrain",
    "join",
    "log_uniform",
    "predict",
    "retrain",
    "search",
]
