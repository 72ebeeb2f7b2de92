"""Replicas that stay equal: the same parameters to begin with, then averaged gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import optim
from minidl.autograd import Function, is_grad_enabled
from minidl.distributed.sync_batch_norm import SyncBatchNorm
from minidl.distributed.world import DistributedError, world
from minidl.errors import DTypeError, expected
from minidl.nn.module import Module
from minidl.optim.optimizer import Closure


def broadcast_parameters(model: Module) -> None:
    """Give every process the parameters and buffers of rank 0.

    Raises
    ------
    DistributedError
        on every process, where the models differ in names, shapes or types
    """
    parameters = list(model.parameters())
    arrays = [p.data for p in parameters] + list(model.buffers())
    named: list[tuple[str, Any]] = [*model.named_parameters(), *model.named_buffers()]
    built = repr([(name, value.shape, value.dtype.str) for name, value in named])
    digest = np.frombuffer(hashlib.sha256(built.encode()).digest(), np.uint8)
    if not (world().gather(digest) == digest).all():
        hint = "build it from the same arguments everywhere"
        raise DistributedError(
            expected("broadcast_parameters", "one architecture on all ranks", "several", hint)
        )
    received = _broadcast(arrays)
    for parameter, array in zip(parameters, received, strict=False):
        parameter.data = array
    for buffer, array in zip(model.buffers(), received[len(parameters) :], strict=True):
        buffer[...] = array


def _broadcast(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return rank 0's arrays, one message for each type among them."""
    received: dict[int, np.ndarray] = {}
    for dtype in sorted({a.dtype.str for a in arrays}):
        places = [i for i, a in enumerate(arrays) if a.dtype.str == dtype]
        message = world().broadcast(np.concatenate([arrays[i].ravel() for i in places]))
        for i, part in zip(places, _parted(message, [arrays[i] for i in places]), strict=True):
            received[i] = part
    return [received[i] for i in range(len(arrays))]


def _parted(message: np.ndarray, like: list[np.ndarray]) -> list[np.ndarray]:
    """Return the arrays that lie one behind the other in `message`, copied."""
    ends = np.cumsum([a.size for a in like])
    return [
        message[end - a.size : end].reshape(a.shape).astype(a.dtype)
        for a, end in zip(like, ends.tolist(), strict=True)
    ]


def average_gradients(model: Module | Iterable[Tensor]) -> None:
    """Replace every gradient by its mean over the processes, in one message.

    A gradient that is missing on some processes counts as zeros there; one that is missing on all
    stays so.

    Parameters
    ----------
    model : Module, or its parameters; frozen ones are left out
    """
    given = model.parameters() if isinstance(model, Module) else model
    parameters = [p for p in given if p.requires_grad]
    if not parameters:
        return
    arrays = [p.data for p in parameters]
    grads = [np.zeros_like(p.data) if p.grad is None else p.grad for p in parameters]
    there = np.array([p.grad is not None for p in parameters])
    dtype = np.result_type(*arrays)
    message = np.concatenate([g.ravel() for g in grads] + [there], dtype=dtype)
    total = world().sum(message)
    anywhere = total[-len(there) :] > 0
    total /= world().size
    means = _parted(total[: -len(there)], arrays)
    for parameter, mean, known in zip(parameters, means, anywhere.tolist(), strict=True):
        parameter.grad = mean if known else None


class Weighted(Function):
    """The same values; the gradient times a factor."""

    def forward(self, x, *, factor):
        """Return a view of x."""
        self.factor = factor
        return x.view()

    def backward(self, grad):
        """Return factor * grad."""
        return grad * grad.dtype.type(self.factor)


class DataParallel(Module):
    """A model of which every process holds a replica, each trained on its part of every batch.

    Made, it gives all replicas rank 0's parameters and buffers. Called in training, it weighs the
    gradient by the number of samples this process has of the batch (they need not be equal), so
    that the mean over the processes of the gradients of their mean losses is the gradient of the
    mean loss of the whole batch; and buffers, such as running statistics, become rank 0's. (A mean
    over samples is meant: one that weights classes or ignores targets is the mean of the parts'.)

    The gradients are averaged by `Optimizer`, or by `average_gradients` before the step. In
    evaluation nothing is sent: a rank may measure by itself.

    Parameters
    ----------
    module : the model, which stays at hand as `.module`; use `convert_sync_batchnorm` on it first
        for statistics of whole batches
    batch_axis : the axis of the first input that counts samples

    References
    ----------
    Li et al. 2020, PyTorch Distributed: torch.nn.parallel.DistributedDataParallel.
    """

    def __init__(self, module: Module, batch_axis: int = 0) -> None:
        super().__init__()
        self.module, self.batch_axis = module, batch_axis
        broadcast_parameters(module)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Return what the model returns."""
        output = self.module(*inputs, **options)
        if self.training:
            self._share_buffers()
        if not self.training or not is_grad_enabled():
            return output
        count = inputs[0].shape[self.batch_axis]
        total = int(world().sum(np.array([count]))[0])
        factor = count * world().size / max(total, 1)
        return output if factor == 1 else _weighted(output, factor)

    def _share_buffers(self) -> None:
        """Give all replicas rank 0's buffers, but those that are equal by construction."""
        layers = [m for m in self.modules() if not isinstance(m, SyncBatchNorm)]
        named = [(m, name) for m in layers for name in sorted(m.buffer_names)]
        buffers = [vars(m)[name] for m, name in named if vars(m)[name] is not None]
        if buffers:
            for buffer, array in zip(buffers, _broadcast(buffers), strict=True):
                buffer[...] = array


def _weighted(output: Any, factor: float) -> Any:
    """Return Tensors, in tuples however deep, with their gradients weighted."""
    if isinstance(output, tuple):
        return tuple(_weighted(part, factor) for part in output)
    return Weighted.apply(output, factor=factor) if isinstance(output, Tensor) else output


class Optimizer(optim.Optimizer):
    """Another optimizer, whose `step` averages the gradients of all processes first.

    Parameters
    ----------
    optimizer : of the library, made for the parameters of the model
    clip_norm : cuts the averaged gradients to this norm before the step; None leaves them

    Examples
    --------
    >>> from minidl import distributed, nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = distributed.Optimizer(optim.SGD(model.parameters(), lr=0.1))
    >>> optimizer.param_groups[0]["lr"]
    0.1
    """

    def __init__(self, optimizer: optim.Optimizer, clip_norm: float | None = None) -> None:
        if not isinstance(optimizer, optim.Optimizer):
            wanted, got = "an optimizer of minidl", type(optimizer).__name__
            raise DTypeError(expected("distributed.Optimizer", wanted, got))
        self.optimizer, self.clip_norm = optimizer, clip_norm

    @property
    def defaults(self) -> dict[str, Any]:
        """The options of groups that do not give their own."""
        return self.optimizer.defaults

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of the optimizer inside."""
        return self.optimizer.param_groups

    @property
    def state(self) -> dict[int, dict[str, Any]]:
        """The state of the optimizer inside."""
        return self.optimizer.state

    @property
    def taken(self) -> int:
        """How many steps were taken."""
        return self.optimizer.taken

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Let the optimizer inside move more parameters."""
        self.optimizer.add_param_group(group)

    def step(self, closure: Closure | None = None) -> Any:
        """Average the gradients (those of `closure`, where there is one), then move parameters."""
        if closure is None:
            self._average()
            return self.optimizer.step()

        def averaged() -> Any:
            loss = closure()
            self._average()
            return loss

        return self.optimizer.step(averaged)

    def _average(self) -> None:
        parameters = self.parameters()
        average_gradients(parameters)
        if self.clip_norm is not None:
            optim.clip_grad_norm_(parameters, self.clip_norm)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer inside."""
        return self.optimizer.state_dict()

    def load_state_dict(self, saved: Any) -> None:
        """Restore the state of the optimizer inside."""
        self.optimizer.load_state_dict(saved)
