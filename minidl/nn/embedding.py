"""A table of vectors, one for each number."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import random
from minidl.errors import check_sizes
from minidl.functional.embedding import row_number
from minidl.nn.module import Module, Parameter


class Embedding(Module):
    """y[..., :] = weight[index[...]].

    Parameters
    ----------
    num_embeddings, embedding_dim : int, rows and columns of the table
    padding_idx : a row that starts at zero and gets no gradient, or None
    max_norm : rows that are looked up and are longer are scaled to this norm first, or None
    norm_type : the p of that norm
    scale_grad_by_freq : divide each row's gradient by how often it was looked up
    rng : where the rows are drawn, N(0, 1); the library's generator when None

    Attributes
    ----------
    weight : (num_embeddings, embedding_dim)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx: int | None = None
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        weight = random.generator(rng).standard_normal((num_embeddings, embedding_dim))
        if padding_idx is not None:
            self.padding_idx = row_number("Embedding", padding_idx, num_embeddings)
            weight[self.padding_idx] = 0
        self.weight = Parameter(weight.astype(np.float32))

    def forward(self, index: Any) -> Tensor:
        """Integers of any shape, from 0 to num_embeddings - 1, to (*shape, embedding_dim)."""
        options = self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq
        return F.embedding(index, self.weight, *options)

    def extra_repr(self) -> str:
        """Return the sizes."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"
