"""Layers, containers and initialization."""

from minidl.nn import init
from minidl.nn.activation import ReLU, Sigmoid, Tanh
from minidl.nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from minidl.nn.container import ModuleDict, ModuleList, Sequential
from minidl.nn.conv import Conv2d
from minidl.nn.dropout import DropBlock2d, DropBlockSchedule, Dropout
from minidl.nn.embedding import Embedding
from minidl.nn.fold import Folded, fold_batch_norm, fold_batch_norms, scale_and_shift
from minidl.nn.group_norm import GroupNorm, LayerNorm
from minidl.nn.instance_norm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from minidl.nn.linear import Flatten, Identity, Linear
from minidl.nn.local_response_norm import LocalResponseNorm
from minidl.nn.loss import CrossEntropyLoss
from minidl.nn.module import Module, Parameter
from minidl.nn.pool import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from minidl.nn.population import population_statistics
from minidl.nn.recurrent import GRU, LSTM, RNN
from minidl.nn.recurrent_cell import GRUCell, LSTMCell, RNNCell
from minidl.nn.summary import summary

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv2d",
    "CrossEntropyLoss",
    "DropBlock2d",
    "DropBlockSchedule",
    "Dropout",
    "Embedding",
    "Flatten",
    "Folded",
    "GRUCell",
    "GroupNorm",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "fold_batch_norm",
    "fold_batch_norms",
    "init",
    "population_statistics",
    "scale_and_shift",
    "summary",
]
