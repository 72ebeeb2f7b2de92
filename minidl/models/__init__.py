"""Networks."""

from minidl.models.lenet import LeNet
from minidl.models.mlp import MLP
from minidl.models.resnet import BasicBlock, ResNet

__all__ = ["MLP", "BasicBlock", "LeNet", "ResNet"]
