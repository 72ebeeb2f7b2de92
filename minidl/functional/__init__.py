"""Differentiable operations on Tensors, one file for each family, forward beside backward."""

from minidl.functional.activation import log_softmax, relu, sigmoid, softmax, tanh
from minidl.functional.arithmetic import (
    absolute,
    add,
    clip,
    div,
    exp,
    log,
    maximum,
    mul,
    neg,
    power,
    sqrt,
    sub,
    where,
)
from minidl.functional.batch_norm import batch_norm
from minidl.functional.conv import conv2d
from minidl.functional.dropout import drop_block, dropout
from minidl.functional.embedding import embedding
from minidl.functional.group_norm import group_norm, instance_norm, layer_norm
from minidl.functional.gru import gru
from minidl.functional.linear import linear, matmul
from minidl.functional.local_response_norm import local_response_norm
from minidl.functional.loss import cross_entropy
from minidl.functional.lstm import lstm
from minidl.functional.padding import pad
from minidl.functional.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minidl.functional.recurrent import rnn
from minidl.functional.reduction import mean, var
from minidl.functional.shape import (
    broadcast_to,
    concatenate,
    flatten,
    getitem,
    reshape,
    stack,
    transpose,
)

__all__ = [
    "absolute",
    "adaptive_avg_pool2d",
    "add",
    "avg_pool2d",
    "batch_norm",
    "broadcast_to",
    "clip",
    "concatenate",
    "conv2d",
    "cross_entropy",
    "div",
    "drop_block",
    "dropout",
    "embedding",
    "exp",
    "flatten",
    "getitem",
    "group_norm",
    "gru",
    "instance_norm",
    "layer_norm",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "lstm",
    "matmul",
    "max_pool2d",
    "maximum",
    "mean",
    "mul",
    "neg",
    "pad",
    "power",
    "relu",
    "reshape",
    "rnn",
    "sigmoid",
    "softmax",
    "sqrt",
    "stack",
    "sub",
    "tanh",
    "transpose",
    "var",
    "where",
]
