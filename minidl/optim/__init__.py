"""Optimizers, schedules of the learning rate, clipping, regularization."""

from minidl.optim import lr_scheduler
from minidl.optim.adam import Adam, Adamax, AdamW
from minidl.optim.clip import clip_grad_norm_, clip_grad_value_
from minidl.optim.groups import decay_groups, named_weights
from minidl.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    InverseTimeLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    NaturalExpLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from minidl.optim.newton import Newton
from minidl.optim.optimizer import Optimizer
from minidl.optim.regularization import (
    L1,
    L2,
    ElasticNet,
    GaussianPrior,
    Lagrangian,
    LaplacePrior,
    MaxNorm,
    NormBall,
    Penalty,
)
from minidl.optim.rmsprop import Adadelta, Adagrad, RMSprop
from minidl.optim.sgd import SGD, Momentum

__all__ = [
    "L1",
    "L2",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ElasticNet",
    "ExponentialLR",
    "GaussianPrior",
    "InverseTimeLR",
    "LRScheduler",
    "Lagrangian",
    "LambdaLR",
    "LaplacePrior",
    "LinearLR",
    "MaxNorm",
    "Momentum",
    "MultiStepLR",
    "MultiplicativeLR",
    "NaturalExpLR",
    "Newton",
    "NormBall",
    "Optimizer",
    "Penalty",
    "PolynomialLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "decay_groups",
    "lr_scheduler",
    "named_weights",
]
