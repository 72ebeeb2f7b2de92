"""Reverse-mode differentiation: `Function`, the tape it writes, and the walk back along it.

A `Function` instance is the context of one call: `forward` keeps on `self` what `backward` needs.
Instances are numbered in the order they are made, and every operation is made after the operations
it depends on, so walking back is taking the highest number first: no recursion, no visited set.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minidl import tensor as tensor_module
from minidl.errors import AutogradError, ShapeError, expected

if TYPE_CHECKING:
    from minidl.tensor import Tensor

Hook = Callable[[np.ndarray], np.ndarray | None]


class _Mode(threading.local):
    """What this thread records: the tape, and fingerprints of the arrays the tape keeps."""

    recording = True
    fingerprints = False


_mode = _Mode()
_order = itertools.count()


@contextmanager
def _set(name: str, value: bool) -> Iterator[None]:
    before = getattr(_mode, name)
    setattr(_mode, name, value)
    try:
        yield
    finally:
        setattr(_mode, name, before)


def no_grad() -> Any:
    """Context manager and decorator: operations inside are not recorded."""
    return _set("recording", False)


def enable_grad() -> Any:
    """Context manager and decorator: operations inside are recorded, even within `no_grad`."""
    return _set("recording", True)


def is_grad_enabled() -> bool:
    """Whether operations of this thread are being recorded."""
    return _mode.recording


def detect_damage() -> Any:
    """Context manager: notice every write into an array that the tape still needs.

    Writes through a Tensor (`x[0] = 1`, `x.data = ...`, `x.data *= 2`) are always noticed, at
    `backward`. Inside this context writes through NumPy (`x.data[0] = 1`) are noticed as well, by a
    checksum of each kept array: slower, so it is asked for (and `gradcheck` asks for it).
    """
    return _set("fingerprints", True)


def _overlap(kept: object, array: np.ndarray) -> bool:
    """Whether `kept` is `array` or a view into the same memory."""
    if kept is array:
        return True
    if not isinstance(kept, np.ndarray):
        return False
    owner = array if array.base is None else array.base
    return kept is owner or kept.base is owner


class Function:
    """A differentiable operation: subclasses write `forward` beside `backward`.

    ``forward(self, *arrays, **options)`` receives raw arrays for Tensor arguments and returns an
    array. ``backward(self, grad)`` receives the gradient of the loss with respect to that result
    and returns one gradient for each positional argument of `forward` (None where there is none; a
    bare array for a single argument). `self.needs[i]` tells whether argument i wants its gradient
    at all. A backward may return `grad` itself, but never writes into it.
    """

    inputs: tuple[Tensor | None, ...] = ()
    needs: tuple[bool, ...] = ()
    order: int = -1
    pending: np.ndarray | None = None
    owned = False
    freed = False
    hooks: list[Hook] | None = None

    def forward(self, *arrays: Any, **options: Any) -> np.ndarray:
        """Compute the result from raw arrays."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, grad: np.ndarray) -> Any:
        """Return one gradient for each positional argument of `forward`."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    @classmethod
    def apply(cls, *args: Any, **options: Any) -> Tensor:
        """Run `forward` on the arrays inside `args` and record the call on the tape."""
        Tensor = tensor_module.Tensor
        fn = cls()
        inputs = tuple(a if isinstance(a, Tensor) else None for a in args)
        recording = _mode.recording
        fn.needs = tuple(recording and t is not None and t.requires_grad for t in inputs)
        arrays = [a if t is None else t.data for a, t in zip(args, inputs, strict=True)]
        result = Tensor(fn.forward(*arrays, **options))
        if result.data.base is not None:
            _share_version(result, inputs)
        if any(fn.needs):
            fn._record(inputs, result)
        return result

    def _record(self, inputs: tuple[Tensor | None, ...], result: Tensor) -> None:
        kept = [v for v in vars(self).values() if isinstance(v, np.ndarray)]
        self.watched = [
            (
                weakref.ref(t),
                t.version,
                t.version.count,
                "an input" if t is not result else "the result",
            )
            for t in (*inputs, result)
            if t is not None and any(_overlap(v, t.data) for v in kept)
        ]
        self.checksums = [(v, _checksum(v)) for v in kept] if _mode.fingerprints else []
        self.inputs = inputs
        self.order = next(_order)
        result.requires_grad = True
        result.grad_fn = self

    def receive(self, grad: np.ndarray) -> bool:
        """Add `grad` to what has arrived so far; True the first time."""
        if self.pending is None:
            self.pending, self.owned = grad, False
            return True
        if self.owned:
            self.pending += grad
        else:
            self.pending, self.owned = self.pending + grad, True
        return False

    def pull(self) -> list[tuple[Tensor, np.ndarray, bool]]:
        """Return (input, its gradient, whether that array may be kept) for the inputs in need."""
        if self.freed:
            raise AutogradError(
                f"{type(self).__name__}: expected a tape that still holds its arrays, got one "
                "already used by backward; call backward(retain_graph=True) the first time"
            )
        self._check_damage()
        grad, self.pending = self.pending, None
        assert grad is not None
        for hook in self.hooks or ():
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
        return [
            (t, self._checked(g, t), self._is_free(g, grad, grads))
            for t, g, needed in zip(self.inputs, grads, self.needs, strict=True)
            if needed and t is not None and g is not None
        ]

    def _checked(self, grad: Any, t: Tensor) -> np.ndarray:
        if not isinstance(grad, np.ndarray):
            grad = np.asarray(grad, dtype=t.data.dtype)
        if grad.shape != t.data.shape:
            raise ShapeError(
                expected(
                    f"{type(self).__name__}.backward",
                    f"a gradient of its input's shape {t.data.shape}",
                    grad.shape,
                    "a broadcast input needs its gradient summed over the broadcast axes",
                )
            )
        return grad if grad.dtype == t.data.dtype else grad.astype(t.data.dtype)

    def _is_free(self, g: np.ndarray, grad: np.ndarray, grads: tuple) -> bool:
        """Whether nobody else holds `g`: not the caller, not another input, not this context."""
        others = sum(g is other for other in grads)
        return (
            g is not grad
            and others == 1
            and getattr(g, "base", g) is None
            and not any(g is v for v in vars(self).values())
        )

    def _check_damage(self) -> None:
        for _, version, count, which in self.watched:
            if version.count != count:
                raise AutogradError(
                    f"{type(self).__name__}: expected {which} as it was in forward, got it changed "
                    "in place since; work on a copy (x.detach().clone()), or write before the use"
                )
        for array, checksum in self.checksums:
            if _checksum(array) != checksum:
                raise AutogradError(
                    f"{type(self).__name__}: expected the kept array of shape {array.shape} as it "
                    "was in forward, got one written to since; give the operation a copy"
                )

    def free(self) -> None:
        """Drop everything kept for backward."""
        vars(self).clear()
        self.freed = True


class Version:
    """How often the memory of a Tensor has been written to; shared by its views."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


def _share_version(result: Tensor, inputs: tuple[Tensor | None, ...]) -> None:
    for t in inputs:
        if t is not None and _overlap(result.data, t.data):
            result.version = t.version
            return


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data.cast("B") if array.size else b"")


def backward(root: Tensor, grad: np.ndarray, retain_graph: bool = False) -> None:
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
        _accumulate(root, grad, free=False)
        return
    waiting = [(-root.grad_fn.order, root.grad_fn)]
    root.grad_fn.receive(grad)
    try:
        while waiting:
            fn = heapq.heappop(waiting)[1]
            for t, g, free in fn.pull():
                if t.grad_fn is None:
                    _accumulate(t, g, free)
                elif t.grad_fn.receive(g):
                    heapq.heappush(waiting, (-t.grad_fn.order, t.grad_fn))
            if not retain_graph:
                fn.free()
    finally:
        for _, fn in waiting:
            fn.pending = None


def _accumulate(leaf: Tensor, grad: np.ndarray, free: bool) -> None:
    for hook in leaf.hooks or ():
        changed = hook(grad)
        if changed is not None:
            grad, free = changed, False
    if leaf.grad is None:
        leaf.grad = grad if free else grad.copy()
    else:
        leaf.grad = leaf.grad + grad
