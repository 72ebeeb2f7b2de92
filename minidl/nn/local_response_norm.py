"""Local response normalization."""

from __future__ import annotations

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import check_sizes
from minidl.functional.local_response_norm import check_convention
from minidl.nn.module import Module


class LocalResponseNorm(Module):
    """y = x / (k + alpha' * sum of x^2 over `size` channels)^beta; see the functional form.

    Parameters
    ----------
    size : int, neighbouring channels in the sum
    alpha, beta, k : float, PyTorch's defaults
    convention : "pytorch" and "onnx" divide alpha by size, "alexnet" does not
    """

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        convention: str = "pytorch",
    ) -> None:
        super().__init__()
        check_sizes("LocalResponseNorm", size=size)
        check_convention("LocalResponseNorm", convention)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.convention = convention

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalized, in x's shape (n, c, ...)."""
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k, self.convention)

    def extra_repr(self) -> str:
        """Return the options."""
        convention = "" if self.convention == "pytorch" else f", convention={self.convention!r}"
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}{convention}"
