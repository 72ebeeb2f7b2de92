"""Differentiable operations on Tensors, one file for each family, forward beside backward."""

from minidl.functional.activation import (
    elu,
    gelu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
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
from minidl.functional.conv import conv1d, conv2d, conv_transpose2d
from minidl.functional.drop_block import drop_block
from minidl.functional.drop_connect import (
    drop_connect,
    drop_connect_inference,
    drop_connect_moments,
)
from minidl.functional.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    gaussian_dropout,
)
from minidl.functional.embedding import embedding
from minidl.functional.group_norm import group_norm, instance_norm, layer_norm
from minidl.functional.gru import gru
from minidl.functional.layer_norm_lstm import layer_norm_lstm
from minidl.functional.linear import linear, matmul
from minidl.functional.local_response_norm import local_response_norm
from minidl.functional.loss import (
    cross_entropy,
    multi_margin_loss,
    nll_loss,
    smooth_labels,
)
from minidl.functional.lp_batch_norm import lp_batch_norm
from minidl.functional.lstm import lstm
from minidl.functional.noise import binary_stochastic, gaussian_noise
from minidl.functional.padding import pad
from minidl.functional.pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from minidl.functional.recurrent import rnn
from minidl.functional.reduction import mean, var
from minidl.functional.regression_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from minidl.functional.shape import (
    broadcast_to,
    concatenate,
    flatten,
    getitem,
    reshape,
    stack,
    transpose,
)
from minidl.functional.softmax import log_softmax, softmax
from minidl.functional.standout import standout
from minidl.functional.upsample import interpolate
from minidl.functional.weight_norm import weight_norm

__all__ = [
    "absolute",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "add",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_stochastic",
    "broadcast_to",
    "clip",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "div",
    "drop_block",
    "drop_connect",
    "drop_connect_inference",
    "drop_connect_moments",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "embedding",
    "exp",
    "flatten",
    "gaussian_dropout",
    "gaussian_noise",
    "gelu",
    "getitem",
    "group_norm",
    "gru",
    "hardsigmoid",
    "hardtanh",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "layer_norm_lstm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log",
    "log_softmax",
    "lp_batch_norm",
    "lstm",
    "matmul",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "mean",
    "mse_loss",
    "mul",
    "multi_margin_loss",
    "neg",
    "nll_loss",
    "pad",
    "power",
    "prelu",
    "relu",
    "reshape",
    "rnn",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "smooth_labels",
    "softmax",
    "softplus",
    "sqrt",
    "stack",
    "standout",
    "sub",
    "tanh",
    "transpose",
    "var",
    "weight_norm",
    "where",
]
