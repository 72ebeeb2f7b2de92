"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from minidl.errors import ArgumentError, DTypeError, expected
from minidl.nn.activation import ReLU
from minidl.nn.module import Module


def _checked(op: str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise DTypeError(expected(op, "modules", type(module).__name__))
    return module


class Numbered(Module):
    """Modules by number: indexing, slicing, replacing, deleting, appending; abstract."""

    def append(self, module: Module) -> Self:
        """Add a module at the end; return self."""
        number = len(self)
        while str(number) in vars(self):
            number += 1
        setattr(self, str(number), _checked(type(self).__name__, module))
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; return self."""
        for module in list(modules):
            self.append(module)
        return self

    def _names(self, index: Any) -> list[str]:
        """Return the names of the modules that `index` (an integer or a slice) means."""
        names = [name for name, _ in self.named_children()]
        if isinstance(index, slice):
            return names[index]
        integer = isinstance(index, int | np.integer) and not isinstance(index, bool)
        if not integer or not -len(names) <= index < len(names):
            wanted = f"an integer between {-len(names)} and {len(names) - 1}"
            raise ArgumentError(expected(type(self).__name__, wanted, repr(index)))
        return [names[index]]

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __setitem__(self, index: int, module: Module) -> None:
        if isinstance(index, slice):
            raise ArgumentError(expected(type(self).__name__, "an integer to assign to", index))
        setattr(self, self._names(index)[0], _checked(type(self).__name__, module))

    def __delitem__(self, index: int | slice) -> None:
        for name in self._names(index):
            delattr(self, name)
        rest = list(self.named_children())
        for name, _ in rest:
            delattr(self, name)
        for number, (_, module) in enumerate(rest):
            setattr(self, str(number), module)


class ModuleList(Numbered):
    """Modules by number, like a list. It has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        modules = [vars(self)[name] for name in self._names(index)]
        return ModuleList(modules) if isinstance(index, slice) else modules[0]


class Sequential(Numbered):
    """Modules applied one after the other: Sequential(a, b)(x) = b(a(x)).

    A fully connected layer or a batch normalization with a ReLU behind it is one call, `layer(x,
    relu=True)`, unless either has hooks or a `forward` of somebody's own.
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        self.extend(modules)

    def forward(self, x: Any) -> Any:
        """Return what the last module makes of what those before it made of x."""
        modules = [value for value in vars(self).values() if isinstance(value, Module)]
        done = 0
        while done < len(modules):
            module = modules[done]
            if done + 1 < len(modules) and _fuse(module, modules[done + 1]):
                x = module(x, relu=True)
                done += 2
            else:
                x = module(x)
                done += 1
        return x

    def __getitem__(self, index: int | slice) -> Any:
        modules = [vars(self)[name] for name in self._names(index)]
        return Sequential(*modules) if isinstance(index, slice) else modules[0]


def _fuse(module: Module, following: Module) -> bool:
    """Whether the two are one call: a layer that can rectify, a ReLU, and neither is watched."""
    return (
        type(following) is ReLU
        and module.takes_relu()
        and "forward" not in vars(following)
        and not following.has_hooks()
    )


class ModuleDict(Module):
    """Modules by name, like a dict. It has no forward of its own."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        taken = isinstance(name, str) and name not in self and hasattr(self, name)
        if not isinstance(name, str) or not name or "." in name or taken:
            raise ArgumentError(
                expected(
                    "ModuleDict",
                    "a name that is no attribute of modules and has no dot",
                    repr(name),
                    "choose another name",
                )
            )
        setattr(self, name, _checked("ModuleDict", module))

    def __getitem__(self, name: str) -> Module:
        if name not in self:
            raise ArgumentError(expected("ModuleDict", f"a name among {self.keys()}", repr(name)))
        return vars(self)[name]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise ArgumentError(expected("ModuleDict", f"a name among {self.keys()}", repr(name)))
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """Return the modules."""
        return list(self.children())

    def items(self) -> list[tuple[str, Module]]:
        """Return (name, module) pairs."""
        return list(self.named_children())
