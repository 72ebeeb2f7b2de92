"""Layers that enlarge."""

from __future__ import annotations

from minidl.tensor import Tensor
from minidl import functional as F
from minidl.errors import ArgumentError, expected
from minidl.functional.conv import Numbers
from minidl.functional.upsample import MODES
from minidl.nn.module import Module


class Upsample(Module):
    """Resize images or sequences; see `minidl.functional.interpolate`.

    Parameters
    ----------
    size : int, or one for each axis of space
    scale_factor : positive number, or one for each axis; this or size
    mode : "nearest", "linear" (sequences) or "bilinear" (images)
    align_corners : bool, for the modes with lines
    """

    def __init__(
        self,
        size: Numbers | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            wanted = f"a mode among {', '.join(MODES)}"
            raise ArgumentError(expected("Upsample", wanted, repr(mode)))
        if (size is None) == (scale_factor is None):
            got = "neither" if size is None else "both"
            raise ArgumentError(expected("Upsample", "either size or scale_factor", got))
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c, oh, ow), or (n, c, l) to (n, c, ol)."""
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        """Return the options."""
        target = f"size={self.size}" if self.size else f"scale_factor={self.scale_factor}"
        return f"{target}, mode={self.mode!r}"
