"""The libraries that are compared, behind one vocabulary.

minidl and PyTorch name their layers and optimizers alike, so a row is written once and runs on
both; what is spelled differently stands here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

import minidl
from minidl.tensor import Tensor
from minidl import backend, models, nn, optim

Call = Callable[[], object]


class NormReLU(nn.Module):
    """Batch normalization, an addition if there is something to add, and ReLU, in one call."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Return relu(norm(x) + residual)."""
        return self.norm(x, residual=residual, relu=True)


class Minidl:
    """minidl through its public interface."""

    name = "minidl"
    nn: Any = SimpleNamespace(**vars(nn), NormReLU=NormReLU)
    optim: Any = optim

    def limit_threads(self, count: int) -> None:
        """Use `count` threads."""
        minidl.set_num_threads(count)

    def set_precise(self, precise: bool) -> None:
        """Convolve by the direct method everywhere, or not."""
        vars(minidl)["set_precise"](precise)

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        """Return the array as a tensor of this library."""
        return Tensor(array, requires_grad)

    def array(self, tensor: Any) -> np.ndarray:
        """Return a tensor's values."""
        return tensor.data

    def set_gradient(self, parameter: Any, array: np.ndarray) -> None:
        """Give a parameter its gradient."""
        parameter.grad = array

    def gradients(self, y: Any, tensors: Sequence[Any], dy: Any, keep: bool = True) -> list[Any]:
        """Send dy back through y; return the gradients of `tensors`, and keep the tape or not."""
        y.backward(dy, retain_graph=keep)
        found = [t.grad for t in tensors]
        for t in tensors:
            t.grad = None
        return found

    def load(self, module: Any, state: dict[str, np.ndarray]) -> None:
        """Copy parameters and buffers into a module."""
        module.load_state_dict(state)

    def fused_adam(self, parameters: Any) -> Any:
        """Return Adam in one pass over all parameters."""
        return optim.Adam(parameters)

    def resnet20(self) -> Any:
        """Return the CIFAR ResNet of 20 layers."""
        return models.ResNet(rng=np.random.default_rng(0))

    def images(self, array: np.ndarray) -> Any:
        """Return images in the layout the networks of this library are fed with."""
        return self.tensor(array)


class Numpy(Minidl):
    """minidl on its NumPy specification alone."""

    name = "numpy"

    def limit_threads(self, count: int) -> None:
        """Use `count` threads, and NumPy kernels until the process ends."""
        super().limit_threads(count)
        self.used = backend.use("numpy")
        self.used.__enter__()


class Torch:
    """PyTorch, its CPU build."""

    name = "torch"

    def __init__(self, channels_last: bool = False) -> None:
        self.torch = importlib.import_module("torch")
        self.optim = self.torch.optim
        own = {"DropBlock2d": self._drop_block(), "NormReLU": self._norm_relu()}
        self.nn = SimpleNamespace(**vars(self.torch.nn), **own)
        self.channels_last = channels_last

    def limit_threads(self, count: int) -> None:
        """Use `count` threads."""
        self.torch.set_num_threads(count)

    def tensor(self, array: np.ndarray, requires_grad: bool = False) -> Any:
        """Return a copy of the array as a tensor of this library."""
        return self.torch.tensor(array, requires_grad=requires_grad)

    def array(self, tensor: Any) -> np.ndarray:
        """Return a tensor's values."""
        return tensor.detach().numpy()

    def set_gradient(self, parameter: Any, array: np.ndarray) -> None:
        """Give a parameter its gradient."""
        parameter.grad = self.torch.tensor(array)

    def gradients(self, y: Any, tensors: Sequence[Any], dy: Any, keep: bool = True) -> list[Any]:
        """Send dy back through y; return the gradients of `tensors`, and keep the tape or not."""
        return list(self.torch.autograd.grad(y, tensors, dy, retain_graph=keep))

    def load(self, module: Any, state: dict[str, np.ndarray]) -> None:
        """Copy parameters and buffers into a module."""
        module.load_state_dict({k: self.torch.tensor(v) for k, v in state.items()})

    def fused_adam(self, parameters: Any) -> Any:
        """Return Adam in one pass over all parameters."""
        return self.optim.Adam(parameters, fused=True)

    def resnet20(self) -> Any:
        """Return the CIFAR ResNet of 20 layers, under minidl's names."""
        network = torch_resnet(self.torch, 3, (3, 3, 3), (16, 32, 64))
        last = self.torch.channels_last
        return network.to(memory_format=last) if self.channels_last else network

    def images(self, array: np.ndarray) -> Any:
        """Return images in the layout the networks of this library are fed with."""
        x = self.tensor(array)
        return x.to(memory_format=self.torch.channels_last) if self.channels_last else x

    def _norm_relu(self) -> Any:
        """Batch normalization, an addition if there is something to add, and ReLU in place."""
        torch: Any = self.torch

        class NormReLU(torch.nn.Module):
            def __init__(self, channels: int) -> None:
                super().__init__()
                self.norm = torch.nn.BatchNorm2d(channels)

            def forward(self, x: Any, residual: Any = None) -> Any:
                y = self.norm(x)
                return (y if residual is None else y + residual).relu_()

        return NormReLU

    def _drop_block(self) -> Any:
        """DropBlock is not in PyTorch: Bernoulli seeds, grown to blocks by max pooling."""
        torch: Any = self.torch
        F = torch.nn.functional

        class DropBlock2d(torch.nn.Module):
            def __init__(self, keep_prob: float, block_size: int) -> None:
                super().__init__()
                self.keep_prob, self.block = keep_prob, block_size

            def forward(self, x: Any) -> Any:
                n, c, h, w = x.shape
                block = self.block
                places = (h - block + 1, w - block + 1)
                gamma = (1 - self.keep_prob) * h * w / (block**2 * places[0] * places[1])
                seeds = torch.empty((n, c, *places)).bernoulli_(gamma)
                grown = F.max_pool2d(F.pad(seeds, [block // 2] * 4), block, 1, block // 2)
                keep = 1 - grown
                return x * keep * (keep.numel() / keep.sum())

        return DropBlock2d


def torch_resnet(torch: Any, in_channels: int, depths: Sequence[int], widths: Sequence[int]) -> Any:
    """PyTorch's layers in the arrangement, and under the names, of minidl.models.ResNet."""
    tnn: Any = torch.nn

    class Block(tnn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = tnn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = tnn.BatchNorm2d(outputs)
            self.conv2 = tnn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = tnn.BatchNorm2d(outputs)
            self.downsample = None
            if stride != 1 or inputs != outputs:
                conv = tnn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.downsample = tnn.Sequential(conv, tnn.BatchNorm2d(outputs))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
            return (y + (x if self.downsample is None else self.downsample(x))).relu_()

    class Network(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = tnn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
            self.bn1 = tnn.BatchNorm2d(widths[0])
            inputs = widths[0]
            for g, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
                blocks = []
                for b in range(depth):
                    blocks.append(Block(inputs, width, 2 if g > 1 and b == 0 else 1))
                    inputs = width
                setattr(self, f"layer{g}", tnn.Sequential(*blocks))
            self.fc = tnn.Linear(inputs, 10)

        def forward(self, x: Any) -> Any:
            x = self.bn1(self.conv1(x)).relu_()
            for g in range(1, len(depths) + 1):
                x = getattr(self, f"layer{g}")(x)
            return self.fc(x.mean((2, 3)))

    return Network()


class Dezero:
    """DeZero, a NumPy framework from PyPI: convolution, batch normalization and LeNet."""

    name = "dezero"

    def __init__(self) -> None:
        # DeZero 0.0.13 asks at import for an alias that NumPy removed in 1.24; it meant int.
        vars(np).setdefault("int", int)
        self.dezero = importlib.import_module("dezero")
        self.F = importlib.import_module("dezero.functions")
        self.L = importlib.import_module("dezero.layers")
        self.conv = importlib.import_module("dezero.functions_conv")

    def limit_threads(self, count: int) -> None:
        """BLAS is limited by the environment of the process."""

    def convolution(self, part: str, weight: Sequence[int], stride: int, padding: int) -> Any:
        """Return f(x, weight, dy) for one direction of a convolution."""
        options = {"stride": stride, "pad": padding}
        if part == "forward":
            return lambda x, w, dy: self.F.conv2d(x, w, None, **options)
        if part == "input gradient":
            return lambda x, w, dy: self.F.deconv2d(dy, w, None, outsize=x.shape[2:], **options)
        shape = SimpleNamespace(shape=tuple(weight))
        node = SimpleNamespace(inputs=(None, shape), stride=(stride,) * 2, pad=(padding,) * 2)
        return lambda x, w, dy: self.conv.Conv2DGradW(node)(x, dy)

    def variable(self, array: np.ndarray) -> Any:
        """Return the array as one of DeZero's variables."""
        return self.dezero.Variable(array)

    def lenet(self, x: np.ndarray, targets: np.ndarray) -> Call:
        """Return a training step of LeNet."""
        F, L = self.F, self.L
        layers = [L.Conv2d(6, 5, 1, 2), L.Conv2d(16, 5), L.Linear(120), L.Linear(84), L.Linear(10)]
        model = self.dezero.models.Sequential(*layers)
        optimizer = self.dezero.optimizers.MomentumSGD(0.01).setup(model)

        def step() -> object:
            y = self.variable(x)
            for conv in layers[:2]:
                y = F.pooling(F.relu(conv(y)), 2, 2)
            y = F.reshape(y, (len(x), -1))
            for linear in layers[2:4]:
                y = F.relu(linear(y))
            loss = F.softmax_cross_entropy(layers[4](y), targets)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

        return step


LIBRARIES: dict[str, Callable[[], Any]] = {
    "minidl": Minidl,
    "numpy": Numpy,
    "torch": Torch,
    "torch_kept": Torch,
    "torch_last": lambda: Torch(channels_last=True),
    "dezero": Dezero,
}
