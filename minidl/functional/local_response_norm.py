"""Local response normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minidl import backend
from minidl.autograd import Function
from minidl.errors import ArgumentError, ShapeError, check_floating, check_sizes, expected
from minidl.functional.norm import as_ncs, shaped

if TYPE_CHECKING:
    from minidl.tensor import Tensor


CONVENTIONS = ("pytorch", "onnx", "alexnet")


class LocalResponseNorm(Function):
    """y = x / s^beta, s = k + alpha * sum of x^2 over `size` neighbouring channels."""

    def forward(self, x, *, size, alpha, beta, k):
        """Return y."""
        self.options = size, alpha, beta
        self.x = as_ncs(x)
        y, self.s = backend.call("lrn", "forward", self.x, size, alpha, beta, k)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dx."""
        dx = backend.call("lrn", "backward", as_ncs(grad), self.x, self.s, *self.options)
        return shaped(dx, grad.shape, "lrn")


def local_response_norm(
    x: Tensor,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    convention: str = "pytorch",
) -> Tensor:
    """y = x / (k + alpha' * sum of x^2 over `size` neighbouring channels)^beta.

    The conventions differ in alpha', and in where the window of an even size lies:

    =========  ============  ==================================
    pytorch    alpha / size  one channel further back
    onnx       alpha / size  one channel further forward
    alexnet    alpha         one channel further back (the paper and TensorFlow have odd windows)
    =========  ============  ==================================

    Parameters
    ----------
    x : (n, c, *space) float
    size : int, at least 1; TensorFlow's depth_radius r is the size 2 r + 1
    alpha, beta, k : float; AlexNet: size 5, alpha 1e-4, beta 0.75, k 2
    convention : "pytorch", "onnx" or "alexnet"

    Returns
    -------
    Tensor of x's shape

    Raises
    ------
    ShapeError, ArgumentError
        for x without space, a size below 1, or another convention

    References
    ----------
    Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    check_floating("local_response_norm", "x", x)
    if x.ndim < 3:
        raise ShapeError(
            expected("local_response_norm", "x of shape (n, c, ...) with space", x.shape)
        )
    check_sizes("local_response_norm", size=size)
    check_convention("local_response_norm", convention)
    # A window of twice the channels holds all of them from wherever it is looked.
    options = {"size": min(size, 2 * max(x.shape[1], 1)), "beta": beta, "k": k}
    options["alpha"] = alpha if convention == "alexnet" else alpha / size
    if convention == "onnx" and size % 2 == 0:
        # Forward is back when the channels are counted from the other end.
        return LocalResponseNorm.apply(x[:, ::-1], **options)[:, ::-1]
    return LocalResponseNorm.apply(x, **options)


def check_convention(op: str, convention: str) -> None:
    """Raise ArgumentError for a convention that is none."""
    if convention not in CONVENTIONS:
        raise ArgumentError(expected(op, f"convention among {CONVENTIONS}", repr(convention)))
