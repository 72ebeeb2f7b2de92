"""Callables that run when a module is called, or when its gradient is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl.autograd import Function
from minidl.errors import DTypeError, expected

Grads = tuple[np.ndarray | None, ...]


class Hooks:
    """A list of callables, each removable through the handle that `add` returns."""

    def __init__(self) -> None:
        self.callables: dict[int, Callable] = {}
        self.count = 0

    def add(self, hook: Callable) -> Handle:
        """Append `hook` and return the handle that removes it."""
        if not callable(hook):
            raise DTypeError(expected("register hook", "a function", type(hook).__name__))
        self.count += 1
        self.callables[self.count] = hook
        return Handle(self, self.count)

    def __iter__(self) -> Iterator[Callable]:
        return iter(list(self.callables.values()))

    def __len__(self) -> int:
        return len(self.callables)


class Handle:
    """Removes a hook: call `remove()`, or use it as a context manager."""

    def __init__(self, hooks: Hooks, key: int) -> None:
        self.hooks, self.key = hooks, key

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self.hooks.callables.pop(self.key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class BackwardCall:
    """One call of a module with backward hooks: it sees the gradient come in and go out.

    Parameters
    ----------
    module : the module called
    hooks : its backward hooks, called `hook(module, grad_input, grad_output)` with tuples of arrays
    """

    def __init__(self, module: Any, hooks: Hooks) -> None:
        self.module, self.hooks = module, hooks
        self.inputs = 0
        self.place: int | None = None
        self.grad_output: Grads = ()

    def enter(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return `inputs` with the one that needs a gradient led past this call."""
        needing = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        if len(needing) > 1:
            raise DTypeError(
                expected(
                    f"{type(self.module).__name__}: backward hook",
                    "one input that requires a gradient",
                    len(needing),
                    "register it on the modules inside",
                )
            )
        self.inputs = len(inputs)
        if not needing:
            return inputs
        self.place = needing[0]
        led = Passing.apply(inputs[self.place], then=self.leave)
        return (*inputs[: self.place], led, *inputs[self.place + 1 :])

    def exit(self, output: Any) -> Any:
        """Return the module's output, led past this call."""
        if not isinstance(output, Tensor):
            raise DTypeError(
                expected(
                    f"{type(self.module).__name__}: backward hook",
                    "one Tensor as output",
                    type(output).__name__,
                    "register it on the modules inside",
                )
            )
        return Passing.apply(output, then=self.arrive)

    def arrive(self, grad: np.ndarray) -> np.ndarray:
        """Note the gradient of the output; with no input waiting for one, run the hooks."""
        self.grad_output = (grad,)
        if self.place is None:
            for hook in self.hooks:
                hook(self.module, (None,) * self.inputs, self.grad_output)
        return grad

    def leave(self, grad: np.ndarray) -> np.ndarray:
        """Run the hooks; return the gradient of the input, or what a hook put in its place."""
        assert self.place is not None
        before, after = (None,) * self.place, (None,) * (self.inputs - self.place - 1)
        for hook in self.hooks:
            changed = hook(self.module, (*before, grad, *after), self.grad_output)
            if changed is not None:
                grad = changed[self.place] if isinstance(changed, tuple) else changed
        return grad


class Passing(Function):
    """The same values; `then` sees the gradient on its way, and may change it."""

    def forward(self, x, *, then):
        """Return a view of x."""
        self.then = then
        return x.view()

    def backward(self, grad):
        """Return what `then` makes of the gradient."""
        return self.then(grad)
