"""Networks."""

from minidl.models.alexnet import AlexNet, alexnet
from minidl.models.autoencoder import AutoEncoder, ConvAutoEncoder
from minidl.models.char_lstm import CharLSTM
from minidl.models.lenet import LeNet
from minidl.models.mlp import MLP
from minidl.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet110,
)
from minidl.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)

__all__ = [
    "MLP",
    "VGG",
    "AlexNet",
    "AutoEncoder",
    "BasicBlock",
    "Bottleneck",
    "CharLSTM",
    "ConvAutoEncoder",
    "LeNet",
    "ResNet",
    "alexnet",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet110",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
