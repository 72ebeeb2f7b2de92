"""`Module` and `Parameter`: layers that hold their parameters where everybody can see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minidl.tensor import Tensor, as_array
from minidl import autograd
from minidl.errors import ArgumentError, DTypeError, MinidlError, check_size, expected
from minidl.nn.hooks import BackwardCall, Handle, Hooks


class StateError(MinidlError, KeyError):
    """A state_dict that does not fit the module."""

    def __str__(self) -> str:
        return str(self.args[0])


class Parameter(Tensor):
    """A Tensor that a module learns."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"


class Module:
    """Base class of layers and networks.

    Assigning a Parameter or a Module to an attribute registers it under that name, in the order of
    assignment; `register_buffer` does so for an array. Subclasses write `forward`.

    Attributes
    ----------
    training : bool
        True in training, False in evaluation; see `train` and `eval`
    fuses_relu : bool
        of the class: whether its own `forward` takes `relu=True` and then rectifies in the same
        pass; a subclass with another `forward` says so anew
    """

    fuses_relu = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for kind in cls.__mro__:
            if "fuses_relu" in vars(kind):
                return
            if "forward" in vars(kind) or "__call__" in vars(kind):
                cls.fuses_relu = False
                return

    def __init__(self) -> None:
        self.training = True
        self.buffer_names: set[str] = set()
        self.forward_pre_hooks = Hooks()
        self.forward_hooks = Hooks()
        self.backward_hooks = Hooks()

    def __setattr__(self, name: str, value: Any) -> None:
        now = vars(self).get(name)
        if isinstance(now, Parameter) and not isinstance(value, Parameter | None):
            raise DTypeError(
                expected(
                    type(self).__name__,
                    f"a Parameter (or None) for {name}",
                    type(value).__name__,
                    f"write {name}.data = ..., or wrap it in Parameter",
                )
            )
        object.__setattr__(self, name, value)

    def forward(self, *inputs: Any) -> Any:
        """Compute the output; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__}.forward: write this method")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        try:
            hooked = self.has_hooks()
        except AttributeError:
            _check_made(self)
            raise
        if hooked:
            return self._call_with_hooks(inputs, options)
        return self.forward(*inputs, **options)

    def has_hooks(self) -> bool:
        """Whether any hook is registered: somebody watches each call."""
        return bool(
            self.forward_pre_hooks.callables
            or self.forward_hooks.callables
            or self.backward_hooks.callables
        )

    def takes_relu(self) -> bool:
        """Whether a ReLU behind this module may be asked of it: nobody looks in between."""
        return self.fuses_relu and "forward" not in vars(self) and not self.has_hooks()

    def _call_with_hooks(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        for hook in self.forward_pre_hooks:
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        watch = len(self.backward_hooks) > 0 and autograd.is_grad_enabled()
        call = BackwardCall(self, self.backward_hooks) if watch else None
        if call is not None:
            inputs = call.enter(inputs)
        output = self.forward(*inputs, **options)
        if call is not None:
            output = call.exit(output)
        for hook in self.forward_hooks:
            changed = hook(self, inputs, output)
            output = output if changed is None else changed
        return output

    # -- what it holds --------------------------------------------------------------------------

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Assign a parameter (or None, where the layer has none) under a name."""
        setattr(self, name, parameter)

    def register_buffer(self, name: str, value: Any) -> None:
        """Keep an array (or None, where there is none) that is saved but not learned."""
        _check_made(self)
        self.buffer_names.add(name)
        setattr(self, name, None if value is None else as_array(value))

    def children(self) -> Iterator[Module]:
        """Yield the modules assigned to this one."""
        return (child for _, child in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the modules assigned to this one."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield (path, module) for this module and all below it, each module once."""
        seen: set[int] = set()
        for path, module in _all_paths(self, prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter) for all parameters, each parameter once."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{path}.{name}" if path else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (path, array) for all buffers."""
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if name in module.buffer_names and value is not None:
                    yield f"{path}.{name}" if path else name, value

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield all buffers."""
        return (buffer for _, buffer in self.named_buffers())

    # -- state ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers by path, with PyTorch's keys."""
        state: dict[str, np.ndarray] = {}
        for path, module in _all_paths(self):
            for name, value in module._own_state():
                state[f"{path}.{name}" if path else name] = np.array(value)
        return state

    def _own_state(self) -> list[tuple[str, Parameter | np.ndarray]]:
        """Return (name, value) of this module's own parameters, then of its own buffers."""
        items = list(vars(self).items())
        parameters = [(n, v) for n, v in items if isinstance(v, Parameter)]
        return parameters + [(n, v) for n, v in items if n in self.buffer_names and v is not None]

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays into the parameters and buffers; nothing is changed when anything misfits.

        Parameters
        ----------
        state : mapping from path to array or Tensor
        strict : bool
            refuse missing and unexpected keys

        Raises
        ------
        StateError
            listing missing and unexpected keys
        ShapeError
            naming the first array of the wrong shape
        """
        if not isinstance(state, Mapping):
            got = type(state).__name__
            raise DTypeError(expected("load_state_dict", "a mapping from path to array", got))
        own = self.state_dict()
        missing = [key for key in own if key not in state]
        unexpected = [key for key in state if key not in own]
        if strict and (missing or unexpected):
            raise StateError(
                f"load_state_dict: expected the {len(own)} keys of {type(self).__name__}, got "
                f"{_listed('missing', missing)} and {_listed('unexpected', unexpected)}; build the "
                "same architecture, or pass strict=False to load what fits"
            )
        arrays = {key: as_array(state[key]) for key in own if key in state}
        for key, array in arrays.items():
            hint = "build the same architecture"
            check_size("load_state_dict", key, array.shape, own[key].shape, hint)
        for path, module in _all_paths(self):
            for name, value in module._own_state():
                key = f"{path}.{name}" if path else name
                if key not in arrays:
                    continue
                array = arrays[key].astype(own[key].dtype)
                if isinstance(value, Parameter):
                    value.data = array
                else:
                    setattr(module, name, array)

    def astype(self, dtype: Any) -> Module:
        """Convert all floating parameters and buffers to float32 or float64; return the module."""
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise DTypeError(expected("Module.astype", "float32 or float64", np.dtype(dtype)))
        for module in self.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter) and value.dtype.kind == "f":
                    value.data, value.grad = value.data.astype(dtype), None
                elif name in module.buffer_names and value is not None and value.dtype.kind == "f":
                    setattr(module, name, value.astype(dtype))
        return self

    def float(self) -> Module:
        """Convert to float32."""
        return self.astype(np.float32)

    def double(self) -> Module:
        """Convert to float64."""
        return self.astype(np.float64)

    # -- behaviour ------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Switch this module and all below it to training (or, with False, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch this module and all below it to evaluation."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call `function` on every module below this one, then on this one; return this one."""
        self._apply(function, set())
        return self

    def _apply(self, function: Callable[[Module], Any], seen: set[int]) -> None:
        seen.add(id(self))
        for child in self.children():
            if id(child) not in seen:
                child._apply(function, seen)
        function(self)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def register_forward_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, inputs)` before forward; what it returns replaces the inputs."""
        _check_made(self)
        return self.forward_pre_hooks.add(hook)

    def register_forward_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, inputs, output)` after forward; its result replaces the output."""
        _check_made(self)
        return self.forward_hooks.add(hook)

    def register_full_backward_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradient of the input is known.

        Both are tuples of arrays, `grad_input` with None for an input that needs none; what the
        hook returns replaces the gradient of the input. The module returns one Tensor, and at most
        one of its inputs requires a gradient.
        """
        _check_made(self)
        return self.backward_hooks.add(hook)

    def extra_repr(self) -> str:
        """Return what stands between the brackets of the repr; subclasses define it."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()
        ]
        inside = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({inside})"
        return "\n".join([f"{type(self).__name__}({inside}", *lines, ")"])


def _check_made(module: Module) -> None:
    """Raise ArgumentError when a subclass forgot to make the module it extends."""
    if "backward_hooks" not in module.__dict__:
        wanted = "super().__init__() as the first line of __init__"
        raise ArgumentError(expected(type(module).__name__, wanted, "none", "add it"))


def _all_paths(root: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """Yield (path, module) under every name: a shared module is saved under each, as in PyTorch."""
    waiting: list[tuple[str, Module, tuple[int, ...]]] = [(prefix, root, ())]
    while waiting:
        path, module, above = waiting.pop()
        _check_made(module)
        if id(module) in above:
            wanted = "modules that are not part of themselves"
            hint = "keep a reference to a parent in a list: self.parent = [parent]"
            raise ArgumentError(expected(type(root).__name__, wanted, f"a circle at {path}", hint))
        yield path, module
        above = (*above, id(module))
        below = [(f"{path}.{n}" if path else n, m, above) for n, m in module.named_children()]
        waiting += reversed(below)


def _listed(what: str, keys: list[str]) -> str:
    shown = ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
    return f"{len(keys)} {what} ({shown})" if keys else f"none {what}"
