"""The tape: the tensors' core, the operations written on it, and the walk back along it.

This file is read twice. Python runs it as it stands; `setup.py` also compiles a copy of it, named
`minidl._compiled_tape`, with the C types that `tape.pxd` adds. `minidl.autograd` chooses one of the
two and is what everybody else imports.

A `Function` instance is the context of one call: `forward` keeps on `self` what `backward` needs.
Instances are numbered in the order they are made, and every operation is made after the operations
it depends on, so walking back is taking the highest number first: no recursion, no visited set.
Writes in place take their numbers from the same row, so that an operation has lost what it kept
where a higher number than its own stands at the last write.
"""

from __future__ import annotations

import heapq
import sys
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
    """The number of the last write to the memory of a tensor and its views, which share it."""

    __slots__ = ("count",)

    def __init__(self, count: int = 0) -> None:
        self.count = count
        _making.catch_up(count)


class Variable:
    """What the tape knows of a tensor: its array, its gradient, and the operation it came from."""

    __slots__ = ("_data", "_version", "_written", "grad", "grad_fn", "hooks", "requires_grad")

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
        self._written = 0

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
        """What this tensor and its views have in common, from the first time that it matters."""
        if self._version is None:
            self._version = Version(self._written)
        return self._version

    def written(self) -> None:
        """Note a write in place: give it the next number."""
        _making.count += 1
        if self._version is None:
            self._written = _making.count
        else:
            self._version.count = _making.count

    def share_version(self, other: Variable) -> None:
        """Number the writes to this tensor and to `other`, which has the same memory, together."""
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
        state = (self._data, self.grad, self.requires_grad, self.grad_fn, self.hooks)
        return (*state, self._version, self._written)

    def __setstate__(self, state: tuple) -> None:
        self._data, self.grad, self.requires_grad, self.grad_fn, self.hooks = state[:5]
        self._version, self._written = state[5:]
        _making.catch_up(self._written)


class Making:
    """How many operations and writes there were, and what `Function.apply` returns.

    `altered` counts the blocks (no_grad and the like) that any thread is in: while there are none,
    nobody has to ask what this thread records.
    """

    __slots__ = ("altered", "count", "kind")

    def __init__(self) -> None:
        self.altered = 0
        self.count = 0
        self.kind: type[Variable] = Variable

    def catch_up(self, number: int) -> None:
        """Give no number again that something from another process already has."""
        self.count = max(self.count, number)


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
    if type(data) is ndarray and _is_real(data):
        return data
    if isinstance(data, Variable):
        return data._data
    if not isinstance(data, (ndarray, np.generic)):
        python = isinstance(data, (float, list, tuple))
        data = np.asarray(data)
        if python and data.dtype == FLOAT64:
            data = data.astype(np.float32)
    array = np.asarray(data)
    if _is_real(array):
        return array
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


def _is_real(array: ndarray) -> bool:
    """Whether the elements are float32 or float64, in this machine's order of bytes."""
    dtype = array.dtype
    return dtype is FLOAT32 or dtype is FLOAT64


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
    at all. A backward may return `grad` itself, but writes into it only where `self.spare` says
    that nobody else holds it. `self.last_walk` tells whether the tape is dropped behind it: then it
    may write over arrays that `forward` made and nobody else holds, and return them once `self` no
    longer holds them either.
    """

    # What the tape itself notes; what `forward` keeps goes into a subclass's own dictionary.
    __slots__ = (
        "__weakref__",
        "checksums",
        "freed",
        "hooks",
        "inputs",
        "last_walk",
        "needs",
        "order",
        "pending",
        "spare",
        "version",
        "watched",
    )
    needs: tuple[bool, ...]

    def forward(self, *arrays: Any, **options: Any) -> ndarray:
        """Compute the result from raw arrays."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, grad: ndarray) -> Any:
        """Return one gradient for each positional argument of `forward`."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def fit(self, grad: ndarray, shape: tuple[int, ...]) -> ndarray:
        """Bring a gradient to its input's shape; only what broadcasts its inputs may need it."""
        raise ShapeError(
            expected(
                f"{type(self).__name__}.backward",
                f"a gradient of its input's shape {shape}",
                grad.shape,
                "a broadcast input needs its gradient summed over the broadcast axes",
            )
        )

    @classmethod
    def apply(cls, *args: Any, **options: Any) -> Any:
        """Run `forward` on the arrays inside `args` and record the call on the tape."""
        return Function._run(cls(), args, options)

    def _run(self, args: tuple, options: dict[str, Any] | None = None) -> Any:
        """Compute the result and, where an argument needs a gradient, write it on the tape."""
        recording = _making.altered == 0 or mode.recording
        if len(args) == 2:
            self.needs = NEEDS[2 * _wants(args[0]) + _wants(args[1])] if recording else NEEDS[0]
        elif len(args) == 1:
            self.needs = YES if recording and _wants(args[0]) else NO
        else:
            self.needs = tuple([recording and _wants(a) for a in args])
        self.inputs = args
        value: ndarray = as_array(self._compute(options))
        kind: type[Variable] = _making.kind
        result: Variable = kind.__new__(kind)
        result._data = value
        result.requires_grad = True in self.needs
        result.grad = result.grad_fn = result.hooks = result._version = None
        result._written = 0
        if value.base is not None:
            _share_version(result, args)
        if result.requires_grad:
            self._record(result)
        return result

    def _compute(self, options: dict[str, Any] | None) -> Any:
        """Return what `forward` makes of the arrays inside the arguments."""
        if len(self.inputs) == 2 and not options:
            return self.forward(self.argument(0), self.argument(1))
        if len(self.inputs) == 1 and not options:
            return self.forward(self.argument(0))
        return self.forward(*[_bare(a) for a in self.inputs], **(options or {}))

    def argument(self, i: int) -> Any:
        """Return the array inside argument i, or the argument itself where it is no tensor."""
        return _bare(self.inputs[i])

    def _memory(self) -> dict[str, Any]:
        """Return what `forward` kept."""
        return self.__dict__

    def _kept(self) -> tuple:
        """Return what `backward` will read; tensors stand for the arrays inside them."""
        return tuple(self._memory().values())

    def _record(self, result: Variable) -> None:
        """Write this call on the tape: its number, and which inputs' arrays it kept."""
        self.pending: Any = None
        self.hooks: list | None = None
        self.checksums: list | None = None
        self.freed = self.last_walk = self.spare = False
        _making.count += 1
        self.order = _making.count
        result.grad_fn = self
        self.watched: tuple | None = None
        self.version: Version | None = None
        kept = self._kept()
        if kept is self.inputs:
            self.watched = kept
        else:
            self._watch(kept, result)
        if _making.altered and mode.fingerprints:
            arrays = [v for v in map(_bare, kept) if isinstance(v, ndarray)]
            self.checksums = [(v, checksum(v)) for v in arrays]

    def _watch(self, kept: tuple, result: Variable) -> None:
        """Note the tensors in whose memory what `forward` kept lies."""
        own = owner(result._data)
        for value in kept:
            if not isinstance(value, ndarray):
                continue
            memory = owner(value)
            if own is memory:
                self.version = result.version
            if self.watched is not self.inputs:
                self._watch_inputs(value, memory)

    def _watch_inputs(self, value: ndarray, memory: object) -> None:
        """Add to `watched` the inputs in whose memory the kept array `value` lies."""
        if len(self.inputs) == 1:
            t = self.inputs[0]
            if isinstance(t, Variable) and _holds(t, value, memory):
                self.watched = self.inputs
            return
        for t in self.inputs:
            if isinstance(t, Variable) and _holds(t, value, memory):
                self.watched = (t,) if self.watched is None else (*self.watched, t)

    def receive(self, grad: ndarray) -> bool:
        """Add `grad` to what has arrived so far; True the first time."""
        if self.pending is None:
            self.pending = grad
            return True
        if _holders(self) == ALONE:
            self.pending += grad
        else:
            self.pending = self.pending + grad
        return False

    def take(self) -> ndarray:
        """Return what has arrived, as the hooks leave it."""
        if self.freed:
            raise AutogradError(
                f"{type(self).__name__}: expected a tape that still holds its arrays, got one "
                "already used by backward; call backward(retain_graph=True) the first time"
            )
        self._check_damage()
        grad, self.pending = self.pending, None
        if self.hooks is not None:
            for hook in self.hooks:
                changed = hook(grad)
                grad = grad if changed is None else changed
        return grad

    def pull(self, grad: ndarray) -> tuple:
        """Return one gradient for each input."""
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
        return grads

    def owns(self, g: Any, grad: ndarray, grads: tuple) -> bool:
        """Whether nobody else holds `g`: not the caller, not another input, not this context."""
        if not isinstance(g, ndarray) or g.base is not None or (g is grad and not self.spare):
            return False
        others = 0  # how many hold it, of the inputs and this context
        for other in grads:
            others += g is other
        for kept in self._kept():
            others += _bare(kept) is g
        return others == 1

    def checked(self, grad: Any, data: ndarray) -> ndarray:
        """Return a gradient for an input `data`: an array of its shape and type."""
        if not isinstance(grad, ndarray):
            grad = np.asarray(grad, dtype=data.dtype)
        if _alike(grad, data):
            return grad
        if grad.shape != data.shape:
            grad = np.asarray(self.fit(grad, data.shape))
        return grad.astype(data.dtype, copy=False)

    def _check_damage(self) -> None:
        """Raise where an array that `forward` kept has been written to since."""
        if self.watched is not None:
            for t in self.watched:
                if isinstance(t, Variable) and _last_write(t) > self.order:
                    raise self._damage("an input")
        if self.version is not None and self.version.count > self.order:
            raise self._damage("the result")
        if self.checksums is not None:
            for array, before in self.checksums:
                if checksum(array) != before:
                    raise AutogradError(
                        f"{type(self).__name__}: expected the kept array of shape {array.shape} as "
                        "it was in forward, got one written to since; give the operation a copy"
                    )

    def _damage(self, which: str) -> AutogradError:
        return AutogradError(
            f"{type(self).__name__}: expected {which} as it was in forward, got it changed "
            "in place since; work on a copy (x.detach().clone()), or write before the use"
        )

    def free(self) -> None:
        """Drop everything kept for backward."""
        self._memory().clear()
        self.inputs = ()
        self.pending = self.watched = self.version = self.checksums = self.hooks = None
        self.freed = True

    def __getstate__(self) -> tuple:
        return self._memory(), [getattr(self, name, None) for name in NOTES]

    def __setstate__(self, state: tuple) -> None:
        kept, notes = state
        self._memory().update(kept)
        for name, value in zip(NOTES, notes, strict=True):
            setattr(self, name, value)
        _making.catch_up(self.order or 0)


NOTES = (
    "inputs",
    "needs",
    "order",
    "pending",
    "freed",
    "hooks",
    "watched",
    "version",
    "checksums",
)


YES, NO = (True,), (False,)  # needs of operations with one argument, and with two
NEEDS = ((False, False), (False, True), (True, False), (True, True))


LARGE = 1 << 14  # elements from which on memory is worth looking after


def _holders(fn: Function) -> int:
    """Return how many hold the gradient that waits with `fn`; 0 of one that stays as it is anyway.

    Whoever keeps an array, or a view of it, holds a reference, which Python counts.
    """
    if not isinstance(fn.pending, ndarray):
        return 0  # the sum of two arrays without axes is a number
    grad: ndarray = fn.pending
    if grad.base is not None or _size(grad) < LARGE or not grad.flags.writeable:
        return 0
    return sys.getrefcount(grad)


def _size(array: ndarray) -> int:
    """Return the number of elements."""
    size = 1
    for i in range(array.ndim):
        size *= array.shape[i]
    return size


def _holds(t: Variable, value: Any, memory: object) -> bool:
    """Whether `value`, which lies in `memory`, lies in the tensor's."""
    return t._data is value or owner(t._data) is memory


def _last_write(t: Variable) -> int:
    """Return the number of the last write to the array's memory, 0 where there was none."""
    return t._written if t._version is None else t._version.count


def _alike(a: ndarray, b: ndarray) -> bool:
    """Whether two arrays have one type and one shape: axis by axis, which in C makes no tuples."""
    if a.dtype is not b.dtype or a.ndim != b.ndim:
        return False
    same = True
    for i in range(a.ndim):
        same = same and a.shape[i] == b.shape[i]
    return same


def _wants(a: Any) -> bool:
    """Whether an argument requires a gradient."""
    return isinstance(a, Variable) and a.requires_grad


def _bare(a: Any) -> Any:
    """Return the array inside a tensor, and anything else as it is."""
    return a._data if isinstance(a, Variable) else a


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
            fn.last_walk = not retain_graph
            fn.spare = fn.hooks is None and _holders(fn) == ALONE
            try:
                _pass_on(fn, waiting)
            finally:
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
    grad = fn.take()
    grads = fn.pull(grad)
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


def _alone() -> int:
    """Return what `_holders` says of a gradient that only its operation holds."""
    fn = Function()
    fn.pending = np.empty(LARGE)
    return _holders(fn)


ALONE = _alone()
