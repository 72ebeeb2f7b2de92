"""Which kernel serves a call: the NumPy specification, its Numba or Cython twin, or one you bring.

`call` is the one border between tensors and kernels: dtype, layout and contiguity are settled here
and nowhere else. `use` switches kernels for a block of code, also to a student's own module.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import minidl.kernels
from minidl import threads
from minidl.errors import ArgumentError, DTypeError, MinidlError, expected
from minidl.kernels import parallel
from minidl.numba_cache import import_kernels

TELLINGS = ("numpy", "numba", "cython")

# Measured by benchmarks/kernels.py, results in benchmarks/kernels.md: the fastest accurate telling;
# of two that are equally fast the one whose first call waits for no compilation.
DEFAULTS = {
    "activation": "cython",
    "batch_norm": "cython",
    "conv2d": "cython",
    "drop_block": "cython",
    "drop_connect": "cython",
    "dropout": "cython",
    "group_norm": "cython",
    "gru": "cython",
    "linear": "cython",
    "lrn": "cython",
    "lstm": "cython",
    "optimizer": "cython",
    "pool": "cython",
    "relu": "cython",
    "rnn": "numpy",
    "softmax_cross_entropy": "cython",
    "upsample": "cython",
}


class BackendError(MinidlError, RuntimeError):
    """A kernel that cannot be loaded, or that returned something other than arrays."""


class Row(NamedTuple):
    """One line of `table()`: who serves a function of a family, and why."""

    family: str
    function: str
    serving: str
    why: str


class Use:
    """What happened inside a `use` block.

    Attributes
    ----------
    name : str
        the backend in use
    calls : Counter of (family, function)
        how often the chosen backend's own code ran
    missing : set of (family, function)
        what it lacks and the reference served instead
    brought : bool
        whether it is a module of the user's own, not a telling of the library's
    """

    def __init__(
        self,
        name: str,
        family: str | None,
        find: Callable[[str, str], Callable | None],
        brought: bool,
    ) -> None:
        self.name = name
        self.family = family
        self.find = find
        self.brought = brought
        self.calls: Counter[tuple[str, str]] = Counter()
        self.missing: set[tuple[str, str]] = set()

    def lacks(self, family: str, function: str) -> None:
        """Note, and say once, that minidl's own kernel serves what this backend has not."""
        if (family, function) not in self.missing and self.brought:
            print(f"backend: {self.name} has no {family}.{function}; minidl's own serves it")
        self.missing.add((family, function))


_stack: list[Use] = []
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def families() -> list[str]:
    """Return the names of all kernel families."""
    names = (module.name for module in pkgutil.iter_modules(minidl.kernels.__path__))
    return sorted(name.removesuffix("_numpy") for name in names if name.endswith("_numpy"))


@cache
def load(family: str, telling: str) -> ModuleType | str:
    """Return the module minidl.kernels.<family>_<telling>, or the reason why there is none."""
    name = f"minidl.kernels.{family}_{telling}"
    if importlib.util.find_spec(name) is None:
        return "not built" if telling == "cython" else "not written"
    try:
        module = import_kernels(name)
        if telling == "numba":
            threads.apply_to_numba()
        if telling != "cython":
            parallel.limit_blas()
        return module
    except (ImportError, RuntimeError, OSError) as error:
        warnings.warn(f"backend: {name} is there but broken: {error}", RuntimeWarning, stacklevel=2)
        return f"broken: {error}"


def set_precise(precise: bool) -> None:
    """Let kernels take every sum as its definition has it, or (the default) the fastest way.

    Convolutions in float32 with windows of 3x3, or three strides wide, otherwise use Winograd's
    algorithm, which multiplies less and rounds a little more: see benchmarks/pytorch.md. float64 is
    always precise.
    """
    if not isinstance(precise, bool):
        raise ArgumentError(expected("set_precise", "True or False", repr(precise)))
    convolution = load("conv2d", "cython")
    if isinstance(convolution, ModuleType):
        vars(convolution)["precise"] = precise


@cache
def serving(family: str, function: str) -> tuple[Callable, str, str]:
    """Return (kernel, its telling, why that one) where nothing is in use."""
    wanted = DEFAULTS.get(family, "numpy")
    why = "default (measured)" if family in DEFAULTS else "default"
    for telling in (wanted, *(t for t in ("numba", "numpy") if t != wanted)):
        module = load(family, telling)
        if isinstance(module, str):
            why = f"{wanted} is {module}" if telling == wanted else why
        elif hasattr(module, function):
            return getattr(module, function), telling, why
        elif telling == wanted:
            why = f"{wanted} has no {function}"
    raise BackendError(
        expected("backend", f"a kernel {family}.{function}", "none", "see backend.table()")
    )


def table() -> list[Row]:
    """Return which telling serves each function of each family now, and why."""
    rows = []
    for family in families():
        specification = load(family, "numpy")
        for function in public_functions(specification):
            _, server, why = serving(family, function)
            for use in _stack:
                if use.family in (None, family) and use.find(family, function) is not None:
                    server, why = use.name, "in use"
            rows.append(Row(family, function, server, why))
    return rows


def public_functions(module: ModuleType | str) -> list[str]:
    """Return the names of the functions a kernel module offers, in the order they are written."""
    if isinstance(module, str):
        raise BackendError(f"backend: expected a NumPy specification, it is {module}")
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and value.__module__ == module.__name__
    ]


def call(family: str, function: str, *args: Any, **options: Any) -> Any:
    """Run a kernel on arrays made C-contiguous and of one floating type.

    Parameters
    ----------
    family, function : str
        for example "conv2d", "forward"
    *args, **options
        arrays, numbers, tuples or None, as the kernel takes them

    Returns
    -------
    What the kernel returns: an array or a tuple of arrays and numbers.
    """
    if not _settled_already(args):
        args = _settle(f"{family}.{function}", args)
    if not _stack:
        return serving(family, function)[0](*args, **options)
    for use in reversed(_stack):
        if use.family not in (None, family):
            continue
        kernel = use.find(family, function)
        if kernel is not None:
            use.calls[family, function] += 1
            return kernel(*args, **options)
        use.lacks(family, function)
    return serving(family, function)[0](*args, **options)


def brought(family: str) -> bool:
    """Return whether somebody's own module serves this family now.

    Fused paths then step aside for the family's basic functions, which are what the module brings.
    """
    return bool(_stack) and any(use.family == family and use.brought for use in _stack)


def settle(op: str, args: tuple) -> tuple:
    """Return `args` with every array C-contiguous and all floating arrays of one type."""
    return args if _settled_already(args) else _settle(op, args)


def _settle(op: str, args: tuple) -> tuple:
    floats = [a.dtype for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if any(dtype.itemsize > 8 for dtype in floats):
        raise DTypeError(expected(op, "float32 or float64 arrays", f"{max(floats)}", "use .astype"))
    double = any(dtype.itemsize == 8 for dtype in floats)  # in either order of bytes
    wanted = np.dtype(np.float64 if double else np.float32)
    return tuple(_settled(op, a, wanted) if isinstance(a, np.ndarray) else a for a in args)


def _settled_already(args: tuple) -> bool:
    """Whether nothing has to be done: the quick answer for the usual arguments."""
    floating = None
    for a in args:
        if not isinstance(a, np.ndarray):
            continue
        dtype = a.dtype
        if dtype is FLOAT32 or dtype is FLOAT64:
            if floating is None:
                floating = dtype
            elif floating is not dtype:
                return False
        elif dtype.kind not in "biu" or not dtype.isnative:
            return False
        flags = a.flags
        # carray: contiguous, aligned and writeable at once, which is the usual case.
        if not flags.carray and not (flags.c_contiguous and flags.aligned):
            return False
    return True


def _settled(op: str, array: np.ndarray, wanted: np.dtype) -> np.ndarray:
    kind = array.dtype.kind
    if kind not in "biuf":
        raise DTypeError(
            expected(op, "arrays of numbers", f"{array.dtype}", "use .astype(np.float32)")
        )
    dtype = wanted if kind == "f" else array.dtype.newbyteorder("=")
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.array(array, dtype=dtype, order="C")


@contextmanager
def use(backend: str | Any, family: str | None = None) -> Iterator[Use]:
    """Serve kernels from `backend` inside the block.

    Parameters
    ----------
    backend : "numpy", "numba", "cython", or any object whose attributes are kernels
        a module of your own, say, with functions `forward` and `backward`
    family : str, optional
        limits a named backend to one family; for an object, the family its functions belong to (by
        default taken from the module's name: `batch_norm.py` serves batch_norm)

    Yields
    ------
    Use
        with `.calls`, which proves whose code ran, and `.missing`

    Examples
    --------
    >>> from minidl import backend
    >>> with backend.use("numpy") as used:
    ...     used.name
    'numpy'
    """
    if family is not None and family not in families():
        raise ArgumentError(expected("backend.use", f"a family among {families()}", repr(family)))
    entry = _named(backend, family) if isinstance(backend, str) else _registered(backend, family)
    _stack.append(entry)
    try:
        yield entry
    finally:
        _stack.remove(entry)


def _named(telling: str, only: str | None) -> Use:
    if telling not in TELLINGS:
        raise ArgumentError(
            expected(
                "backend.use",
                f"one of {TELLINGS} or a module",
                repr(telling),
                "see backend.table()",
            )
        )
    if all(isinstance(load(f, telling), str) for f in ([only] if only else families())):
        raise BackendError(
            expected("backend.use", f"{telling} kernels", "none built", "`minidl doctor` tells why")
        )

    def find(family: str, function: str) -> Callable | None:
        module = load(family, telling)
        return None if isinstance(module, str) else getattr(module, function, None)

    return Use(telling, only, find, brought=False)


def _registered(backend: Any, family: str | None) -> Use:
    name = getattr(backend, "__name__", type(backend).__name__)
    stem = name.rpartition(".")[2]
    for telling in TELLINGS:
        stem = stem.removesuffix(f"_{telling}")
    family = stem if family is None else family
    if family not in families():
        raise ArgumentError(
            expected(
                "backend.use",
                f"a module named after a family among {families()}",
                repr(name),
                "name the family: backend.use(module, family='batch_norm')",
            )
        )
    kernels = {
        function: _guarded(f"{name}.{function}", getattr(backend, function))
        for function in public_functions(load(family, "numpy"))
        if callable(getattr(backend, function, None))
    }
    return Use(name, family, lambda _, function: kernels.get(function), brought=True)


def _guarded(name: str, kernel: Callable) -> Callable:
    """Return `kernel` behind read-only arguments and a check of what it returns."""

    def guarded(*args: Any, **options: Any) -> Any:
        result = kernel(*(_read_only(a) for a in args), **options)
        for part in result if isinstance(result, tuple) else (result,):
            if (
                not isinstance(part, np.ndarray | np.generic | int | float)
                or np.asarray(part).dtype.kind not in "biuf"
            ):
                raise BackendError(
                    expected(
                        name,
                        "arrays of numbers returned",
                        type(part).__name__,
                        "does it end with return?",
                    )
                )
        return result

    return guarded


def _read_only(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view
