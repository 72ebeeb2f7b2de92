"""The tape: the tensors' core, the operations written on it, and the walk back along it.

This file is read twice. Python runs it as it stands; `setup.py` also compiles a copy of it, named
`minidl._compiled_tape`, with the C types that `tape.pxd` adds. `minidl.autograd` chooses one of the
two and is what everybody else imports.

A `Function` instance is the context of one call: `forward` keeps on `self` what `backward` needs.
Instances are numbered in the order they are made, and every operation is made after the operations
it depends on, so walking back is taking the highest number first: no recursion, no visited set.
"""

from __future__ import annotations

import heapq
import threading
import zlib
from typing import Any

import numpy as np
from numpy import ndarray

from minidl.errors import AutogradError, DTypeError, ShapeError, expected

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Mode(threading.local):
    """What this thread records: the tape, and fingerprints of the arrays the tape keeps."""

    recording = True
    fingerprints = False


mode = Mode()


class Version:
    """How often the memory of a tensor has been written to; shared by its views."""

    __slots__ = ("count",)

    def __init__(self, count: int = 0) -> None:
        self.count = count


class Variable:
    """What the tape knows of a tensor: its array, its gradient, and the operation it came from."""

    __slots__ = ("_data", "_version", "grad", "grad_fn", "hooks", "requires_grad")

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self._data: ndarray = as_array(data)
        if requires_grad and self._data.dtype.kind != "f":
            raise DTypeError(
                expected(
                    "Tensor",
                    "a floating type where requires_grad is set",
                    self._data.dtype,
                    "only real numbers have gradients; convert with .astype(np.float32)",
                )
            )
        self.requires_grad = requires_grad
        self.grad: ndarray | None = None
        self.grad_fn: Function | None = None
        self.hooks: list | None = None
        self._version: Version | None = None

    @property
    def data(self) -> ndarray:
        """The array itself; assigning to it counts as a write in place."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = as_array(value)
        self.written()

    @property
    def version(self) -> Version:
        """How often the array's memory was written to, from the first time that it matters."""
        if self._version is None:
            self._version = Version()
        return self._version

    def written(self) -> None:
        """Note a write; where no tape and no view has asked for the version, nobody minds."""
        if self._version is not None:
            self._version.count += 1

    def share_version(self, other: Variable) -> None:
        """Count the writes to this tensor and to `other`, which has the same memory, together."""
        self._version = other.version

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along each axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """Element type of the array."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    def __getstate__(self) -> tuple:
        return (self._data, self.grad, self.requires_grad, self.grad_fn, self.hooks, self._version)

    def __setstate__(self, state: tuple) -> None:
        self._data, self.grad, self.requires_grad, self.grad_fn, self.hooks, self._version = state


class Making:
    """How many operations have been recorded, and what `Function.apply` returns.

    `altered` counts the blocks (no_grad and the like) that any thread is in: while there are none,
    nobody has to ask what this thread records.
    """

    __slots__ = ("altered", "count", "kind")

    def __init__(self) -> None:
        self.altered = 0
        self.count = 0
        self.kind: type[Variable] = Variable


_making = Making()


def make_results(kind: type[Variable]) -> None:
    """Let `Function.apply` return instances of `kind`, a subclass of Variable."""
    _making.kind = kind


def alter(by: int) -> None:
    """Count a block that changes some thread's `mode`: 1 when it is entered, -1 when left."""
    _making.altered += by


def as_array(data: Any) -> ndarray:
    """Return `data` as a bool, integer, float32 or float64 array.

    Arrays (other libraries' too) and NumPy scalars keep their type (float16 becomes float32);
    Python floats and nested lists of them become float32, Python integers int64.
    """
    if type(data) is ndarray and (data.dtype is FLOAT32 or data.dtype is FLOAT64):
        return data
    if isinstance(data, Variable):
        return data._data
    if not isinstance(data, (ndarray, np.generic)):
        python = isinstance(data, (float, list, tuple))
        data = np.asarray(data)
        if python and data.dtype == FLOAT64:
            data = data.astype(np.float32)
    array = np.asarray(data)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise DTypeError(
            expected(
                "Tensor",
                "numbers (bool, integer, float32 or float64)",
                array.dtype,
                "convert with np.asarray(data, dtype=np.float32)",
            )
        )
    return array


def owner(array: ndarray) -> object:
    """Return what holds the array's memory: two arrays with one owner may share elements."""
    base = array.base
    return array if base is None else base


class Function:
    """A differentiable operation: subclasses write `forward` beside `backward`.

    ``forward(self, *arrays, **options)`` receives raw arrays for Tensor arguments and returns an
    array. ``backward(self, grad)`` receives the gradient of the loss with respect to that result
    and returns one gradient for each positional argument of `forward` (None where there is none; a
    bare array for a single argument). `self.needs[i]` tells whether argument i wants its gradient
    at all. A backward may return `grad` itself, but never writes into it.
    """

    # What the tape itself notes; what `forward` keeps goes into the instance's own dictionary.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "checksums",
        "freed",
        "hooks",
        "inputs",
        "needs",
        "order",
        "owned",
        "pending",
        "watched",
    )
    needs: tuple[bool, ...]

    def forward(self, *arrays: Any, **options: Any) -> ndarray:
        """Compute the result from raw arrays."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, grad: ndarray) -> Any:
        """Return one gradient for each positional argument of `forward`."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    @classmethod
    def apply(cls, *args: Any, **options: Any) -> Any:
        """Run `forward` on the arrays inside `args` and record the call on the tape."""
        return _run(cls(), args, options)

    def _record(self, inputs: tuple, result: Variable) -> None:
        """Write this call on the tape: its number, and the versions of the arrays it kept."""
        self.inputs = inputs
        self.pending: Any = None
        self.hooks: list | None = None
        self.checksums: list | None = None
        self.owned = self.freed = False
        _making.count += 1
        self.order = _making.count
        result.grad_fn = self
        owners = [owner(a._data) if isinstance(a, Variable) else None for a in inputs]
        own = owner(result._data)
        watched: list | None = None
        for value in _kept(self).values():
            if not isinstance(value, ndarray):
                continue
            kept = owner(value)
            for i, other in enumerate(owners):
                if other is kept:
                    watched = _watch(watched, inputs[i], "an input")
            if own is kept:
                watched = _watch(watched, result, "the result")
        self.watched = watched
        if _making.altered and mode.fingerprints:
            arrays = [v for v in _kept(self).values() if isinstance(v, ndarray)]
            self.checksums = [(v, checksum(v)) for v in arrays]

    def receive(self, grad: ndarray) -> bool:
        """Add `grad` to what has arrived so far; True the first time."""
        if self.pending is None:
            self.pending, self.owned = grad, False
            return True
        if self.owned:
            self.pending += grad
        else:
            self.pending, self.owned = self.pending + grad, True
        return False

    def pull(self) -> tuple:
        """Return (what has arrived, as the hooks leave it; one gradient for each input)."""
        if self.freed:
            raise AutogradError(
                f"{type(self).__name__}: expected a tape that still holds its arrays, got one "
                "already used by backward; call backward(retain_graph=True) the first time"
            )
        if self.watched is not None or self.checksums is not None:
            self._check_damage()
        grad, self.pending = self.pending, None
        if self.hooks is not None:
            for hook in self.hooks:
                changed = hook(grad)
                grad = grad if changed is None else changed
        grads = self.backward(grad)
        if not isinstance(grads, tuple):
            grads = (grads,)
        if len(grads) != len(self.inputs):
            raise AutogradError(
                expected(
                    f"{type(self).__name__}.backward",
                    f"{len(self.inputs)} gradients, one for each argument of forward",
                    len(grads),
                    "return None for an argument without gradient",
                )
            )
        return grad, grads

    def owns(self, g: Any, grad: ndarray, grads: tuple) -> bool:
        """Whether nobody else holds `g`: not the caller, not another input, not this context."""
        if g is grad or not isinstance(g, ndarray) or g.base is not None:
            return False
        others = 0  # how many hold it, of the inputs and this context
        for other in grads:
            others += g is other
        for kept in _kept(self).values():
            others += kept is g
        return others == 1

    def checked(self, grad: Any, data: ndarray) -> ndarray:
        """Return a gradient for an input `data`: an array of its shape and type."""
        if not isinstance(grad, ndarray):
            grad = np.asarray(grad, dtype=data.dtype)
        if grad.shape != data.shape:
            raise ShapeError(
                expected(
                    f"{type(self).__name__}.backward",
                    f"a gradient of its input's shape {data.shape}",
                    grad.shape,
                    "a broadcast input needs its gradient summed over the broadcast axes",
                )
            )
        if grad.dtype is data.dtype or grad.dtype == data.dtype:
            return grad
        return grad.astype(data.dtype)

    def _check_damage(self) -> None:
        for version, count, which in self.watched or ():
            if version.count != count:
                raise AutogradError(
                    f"{type(self).__name__}: expected {which} as it was in forward, got it changed "
                    "in place since; work on a copy (x.detach().clone()), or write before the use"
                )
        for array, before in self.checksums or ():
            if checksum(array) != before:
                raise AutogradError(
                    f"{type(self).__name__}: expected the kept array of shape {array.shape} as it "
                    "was in forward, got one written to since; give the operation a copy"
                )

    def free(self) -> None:
        """Drop everything kept for backward."""
        _kept(self).clear()
        self.inputs = ()
        self.pending = self.watched = self.checksums = self.hooks = None
        self.freed = True

    def __getstate__(self) -> tuple:
        return _kept(self), [getattr(self, name, None) for name in NOTES]

    def __setstate__(self, state: tuple) -> None:
        kept, notes = state
        _kept(self).update(kept)
        for name, value in zip(NOTES, notes, strict=True):
            setattr(self, name, value)


NOTES = ("inputs", "needs", "order", "pending", "owned", "freed", "hooks", "watched", "checksums")


def _run(fn: Function, args: tuple, options: dict[str, Any]) -> Variable:
    """Run the operation and, where an argument needs a gradient, write it on the tape."""
    recording = _making.altered == 0 or mode.recording
    wanted = False
    arrays, needs = [], []
    for a in args:
        need = False
        if isinstance(a, Variable):
            t: Variable = a
            need = recording and t.requires_grad
            wanted = wanted or need
            a = t._data
        arrays.append(a)
        needs.append(need)
    fn.needs = tuple(needs)
    if options:
        value = fn.forward(*arrays, **options)
    elif len(arrays) == 1:
        value = fn.forward(arrays[0])
    elif len(arrays) == 2:
        value = fn.forward(arrays[0], arrays[1])
    else:
        value = fn.forward(*arrays)
    kind = _making.kind
    result = kind.__new__(kind)
    result._data = as_array(value)
    result.requires_grad = wanted
    result.grad = result.grad_fn = result.hooks = result._version = None
    if result._data.base is not None:
        _share_version(result, args)
    if wanted:
        fn._record(args, result)
    return result


def _kept(fn: Any) -> dict[str, Any]:
    """Return what `forward` kept."""
    return fn.__dict__


def _watch(watched: list | None, t: Variable, which: str) -> list:
    """Add to `watched` how often the memory of `t` has been written to up to now."""
    version = t.version
    entry = (version, version.count, which)
    if watched is None:
        return [entry]
    watched.append(entry)
    return watched


def _share_version(result: Variable, inputs: tuple) -> None:
    for t in inputs:
        if isinstance(t, Variable) and owner(result._data) is owner(t._data):
            result.share_version(t)
            return


def checksum(array: ndarray) -> int:
    """Return a fingerprint of the elements."""
    return zlib.crc32(np.ascontiguousarray(array).data.cast("B") if array.size else b"")


def walk_back(root: Variable, grad: ndarray, retain_graph: bool = False) -> None:
    """Send `grad` back from `root`: each leaf that requires a gradient adds it to its `.grad`.

    Parameters
    ----------
    root : Tensor
        the end of the tape, usually a loss
    grad : array of root's shape
        gradient of the loss with respect to `root`
    retain_graph : bool
        keep the tape, so that backward can run again

    Raises
    ------
    AutogradError
        when the tape was freed, or an array it kept was written to
    """
    if root.grad_fn is None:
        _accumulate(root, grad, False)
        return
    fn = root.grad_fn
    fn.receive(grad)
    waiting = Waiting(fn)
    try:
        while waiting.last is not None:
            fn = waiting.pop()
            _pass_on(fn, waiting)
            if not retain_graph:
                fn.free()
    finally:
        waiting.forget()


class Waiting:
    """The operations that have a gradient and wait for their turn, the highest number first.

    In a chain there is never more than one: `last`. The others lie in a heap.
    """

    __slots__ = ("heap", "last")

    def __init__(self, fn: Function) -> None:
        self.last: Function | None = fn
        self.heap: list = []

    def push(self, fn: Function) -> None:
        """Add an operation."""
        if self.last is None:
            self.last = fn
            return
        if fn.order > self.last.order:
            fn, self.last = self.last, fn
        heapq.heappush(self.heap, (-fn.order, fn))

    def pop(self) -> Function:
        """Remove and return the operation with the highest number."""
        fn = self.last
        assert fn is not None
        self.last = heapq.heappop(self.heap)[1] if self.heap else None
        return fn

    def forget(self) -> None:
        """Drop the gradients of the operations whose turn did not come."""
        if self.last is not None:
            self.last.pending = None
        for _, fn in self.heap:
            fn.pending = None


def _pass_on(fn: Function, waiting: Waiting) -> None:
    """Give each input of `fn` its gradient: a leaf keeps it, an operation waits with it."""
    grad, grads = fn.pull()
    for i, g in enumerate(grads):
        if g is None or not fn.needs[i]:
            continue
        t: Variable = fn.inputs[i]
        checked = fn.checked(g, t._data)
        producer = t.grad_fn
        if producer is None:
            _accumulate(t, checked, fn.owns(g, grad, grads))
        elif producer.receive(checked):
            waiting.push(producer)


def _accumulate(leaf: Variable, grad: ndarray, free: bool) -> None:
    """Add `grad` to the leaf's own; the first time it is kept itself where it is `free`."""
    for hook in leaf.hooks or ():
        changed = hook(grad)
        if changed is not None:
            grad, free = changed, False
    if leaf.grad is None:
        leaf.grad = grad if free else grad.copy()
    else:
        leaf.grad = leaf.grad + grad
