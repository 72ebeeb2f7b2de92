"""The table of differentiable operations: the plan by which test_operations.py tests them.

One row for each public function of minidl.functional, under its name: samples of arrays in float64
and the call on Tensors. Every file here holds the rows of one family, in a dict OPERATIONS; a new
file is found by itself.
"""

import importlib
import pkgutil

from operations.sample import Sample, restart

OPERATIONS: dict[str, list[Sample]] = {}
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "sample"):
    restart(_module)
    for _name, _samples in importlib.import_module(f"operations.{_module}").OPERATIONS.items():
        if _name in OPERATIONS:
            raise ValueError(f"operations: {_name} has a row in two files, one is {_module}.py")
        OPERATIONS[_name] = _samples

__all__ = ["OPERATIONS", "Sample"]
