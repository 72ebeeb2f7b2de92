"""`summary`: a network's layers, output shapes and parameters as a table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from minidl.tensor import Tensor
from minidl import autograd
from minidl.errors import DTypeError, check_sizes, expected
from minidl.nn.hooks import Handle
from minidl.nn.module import Module, Parameter


@dataclass
class Row:
    """One layer: its path, class, output shape, and the parameters it holds itself."""

    path: str
    layer: str
    output_shape: tuple[int, ...]
    parameters: int


@dataclass
class Summary:
    """What `summary` found; printing it shows the table.

    Attributes
    ----------
    rows : list of Row, in the order the layers ran
    parameters, trainable : int, numbers counted once where layers share them
    """

    rows: list[Row]
    parameters: int
    trainable: int

    def __str__(self) -> str:
        table = Table(caption=f"{self.parameters:,} parameters, {self.trainable:,} trainable")
        for title, justify in [("layer", "left"), ("class", "left"), ("output shape", "left")]:
            table.add_column(title, justify=justify)  # type: ignore[arg-type]
        table.add_column("parameters", justify="right")
        for row in self.rows:
            table.add_row(row.path, row.layer, str(row.output_shape), f"{row.parameters:,}")
        console = Console(file=io.StringIO(), width=100, force_terminal=False, force_jupyter=False)
        console.print(table)
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined]

    __repr__ = __str__


def summary(model: Module, input_shape: Sequence[int]) -> Summary:
    """Run `model` once on zeros and list its layers.

    Parameters
    ----------
    model : Module; its mode, buffers and gradients are left as they were
    input_shape : with the batch axis, for example (1, 3, 32, 32)

    Returns
    -------
    Summary

    Raises
    ------
    DTypeError
        unless there is a Module, and a sequence of sizes
    ArgumentError
        for a size that is no integer of at least 1
    """
    _check(model, input_shape)
    rows: list[Row] = []
    handles: list[Handle] = []
    for path, module in model.named_modules():
        if _own(module) or not any(True for _ in module.children()):
            handles.append(module.register_forward_hook(_recorder(rows, path)))
    modes = [(module, module.training) for module in model.modules()]
    try:
        with autograd.no_grad():
            model.eval()(Tensor(np.zeros(tuple(input_shape), np.float32)))
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    parameters = list(model.parameters())
    return Summary(
        rows,
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if p.requires_grad),
    )


def _check(model: Module, input_shape: Sequence[int]) -> None:
    """Raise an error unless there is a model and the shape of what it is given."""
    if not isinstance(model, Module):
        raise DTypeError(expected("summary", "a Module", type(model).__name__))
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, str):
        wanted = "input_shape as a tuple of sizes"
        hint = "with the batch axis: summary(model, (1, 3, 32, 32))"
        raise DTypeError(expected("summary", wanted, repr(input_shape), hint))
    for axis, size in enumerate(input_shape):
        check_sizes("summary", **{f"input_shape[{axis}]": size})


def _recorder(rows: list[Row], path: str) -> Any:
    def record(module: Module, inputs: Any, output: Any) -> None:
        shape = output.shape if isinstance(output, Tensor) else ()
        rows.append(Row(path or "(model)", type(module).__name__, shape, _own(module)))

    return record


def _own(module: Module) -> int:
    """Return how many numbers the module itself learns, those below it not counted."""
    return sum(v.size for v in vars(module).values() if isinstance(v, Parameter))
