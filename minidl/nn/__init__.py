"""Layers, containers and initialization."""

from minidl.nn import init
from minidl.nn.activation import (
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardtanh,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minidl.nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from minidl.nn.container import ModuleDict, ModuleList, Sequential
from minidl.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from minidl.nn.drop_block import DropBlock2d, DropBlockSchedule
from minidl.nn.drop_connect import DropConnect
from minidl.nn.dropout import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    GaussianDropout,
    RecurrentDropout,
)
from minidl.nn.embedding import Embedding
from minidl.nn.fold import Folded, fold_batch_norm, fold_batch_norms, scale_and_shift
from minidl.nn.freezing import freeze, unfreeze
from minidl.nn.group_norm import GroupNorm, LayerNorm
from minidl.nn.instance_norm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from minidl.nn.layer_norm_lstm import LayerNormLSTM, LayerNormLSTMCell
from minidl.nn.linear import Flatten, Identity, Linear
from minidl.nn.local_response_norm import LocalResponseNorm
from minidl.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from minidl.nn.lp_batch_norm import LpBatchNorm
from minidl.nn.module import Module, Parameter
from minidl.nn.noise import BinaryStochastic, GaussianNoise, WeightNoise
from minidl.nn.pool import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    GlobalAvgPool1d,
    GlobalAvgPool2d,
    GlobalMaxPool1d,
    GlobalMaxPool2d,
    MaxPool1d,
    MaxPool2d,
)
from minidl.nn.population import population_statistics
from minidl.nn.recurrent import GRU, LSTM, RNN
from minidl.nn.recurrent_cell import GRUCell, LSTMCell, RNNCell
from minidl.nn.standout import Standout
from minidl.nn.summary import summary
from minidl.nn.upsample import Upsample
from minidl.nn.weight_norm import (
    init_weight_norm,
    remove_weight_norm,
    weight_norm,
    weight_norm_state,
)

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BinaryStochastic",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "DropBlock2d",
    "DropBlockSchedule",
    "DropConnect",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "Flatten",
    "Folded",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAvgPool1d",
    "GlobalAvgPool2d",
    "GlobalMaxPool1d",
    "GlobalMaxPool2d",
    "GroupNorm",
    "Hardsigmoid",
    "Hardtanh",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LayerNormLSTM",
    "LayerNormLSTMCell",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSoftmax",
    "LpBatchNorm",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "RNNCell",
    "ReLU",
    "RecurrentDropout",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Standout",
    "Tanh",
    "Upsample",
    "WeightNoise",
    "fold_batch_norm",
    "fold_batch_norms",
    "freeze",
    "init",
    "init_weight_norm",
    "population_statistics",
    "remove_weight_norm",
    "scale_and_shift",
    "summary",
    "unfreeze",
    "weight_norm",
    "weight_norm_state",
]
