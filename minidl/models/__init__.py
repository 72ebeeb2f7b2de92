"""Networks."""

from minidl.models.char_lstm import CharLSTM
from minidl.models.lenet import LeNet
from minidl.models.mlp import MLP
from minidl.models.resnet import BasicBlock, ResNet

__all__ = [
    "MLP",
    "BasicBlock",
    "CharLSTM",
    "LeNet",
    "ResNet",
]
