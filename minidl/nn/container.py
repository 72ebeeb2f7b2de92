"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minidl.errors import ArgumentError, DTypeError, expected
from minidl.nn.module import Module


def _checked(op: str, module: Any) -> Module:
    if not isinstance(module, Module):
        raise DTypeError(expected(op, "modules", type(module).__name__))
    return module


class ModuleList(Module):
    """Modules by number: indexing, slicing, iteration, append. It has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Add a module at the end."""
        setattr(self, str(len(self)), _checked(type(self).__name__, module))

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self.children())
        if isinstance(index, slice):
            return type(self)(modules[index])
        if not -len(modules) <= index < len(modules):
            raise ArgumentError(
                expected(type(self).__name__, f"an index below {len(modules)}", index)
            )
        return modules[index]


class Sequential(Module):
    """Modules applied one after the other: Sequential(a, b)(x) = b(a(x))."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for i, module in enumerate(modules):
            setattr(self, str(i), _checked("Sequential", module))

    def forward(self, x: Any) -> Any:
        """Return what the last module makes of what those before it made of x."""
        for module in self.children():
            x = module(x)
        return x

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; return self."""
        setattr(self, str(len(self)), _checked("Sequential", module))
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int | slice) -> Any:
        modules = list(self.children())
        if isinstance(index, slice):
            return Sequential(*modules[index])
        if not -len(modules) <= index < len(modules):
            raise ArgumentError(expected("Sequential", f"an index below {len(modules)}", index))
        return modules[index]


class ModuleDict(Module):
    """Modules by name: indexing, `in`, keys, values, items. It has no forward of its own."""

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
