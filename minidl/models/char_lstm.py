"""A language model of characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn, random
from minidl.autograd import no_grad
from minidl.data.text import Alphabet
from minidl.errors import ArgumentError, check_sizes, expected

State = Sequence[tuple[Tensor, Tensor]]


class CharLSTM(nn.Module):
    """Embedding, LSTM layers, and a linear layer: what the next character is likely to be.

    Parameters
    ----------
    alphabet : Alphabet of the texts
    embedding_size, hidden_size, num_layers : int
    layer_norm : whether the LSTM is the layer-normalized one
    dropout_keep_prob : share of the candidates kept by recurrent dropout, in training
    rng : where weights and masks are drawn; the library's generator when None

    References
    ----------
    Graves 2013, section 3; Ba, Kiros & Hinton 2016; Semeniuta, Severyn & Barth 2016.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        embedding_size: int = 64,
        hidden_size: int = 256,
        num_layers: int = 1,
        layer_norm: bool = True,
        dropout_keep_prob: float = 1.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes("CharLSTM", num_layers=num_layers)
        self.alphabet = alphabet
        self.embedding = nn.Embedding(len(alphabet), embedding_size, rng=rng)
        self.layers = nn.ModuleList(
            nn.LayerNormLSTM(
                hidden_size if layer else embedding_size,
                hidden_size,
                layer_norm=layer_norm,
                dropout_keep_prob=dropout_keep_prob,
                rng=rng,
            )
            for layer in range(num_layers)
        )
        self.output = nn.Linear(hidden_size, len(alphabet), rng=rng)

    def forward(
        self, codes: Tensor, state: State | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return the logits of the character after each one, and the state behind the last.

        Parameters
        ----------
        codes : (steps, n) integers
        state : what a call before returned, to go on from there; no gradient flows into it

        Returns
        -------
        logits : (steps, n, len(alphabet))
        state : a pair (h, c) for each layer
        """
        x, after = self.embedding(codes), []
        for number, layer in enumerate(self.layers):
            before = None if state is None else tuple(part.detach() for part in state[number])
            x, last = layer(x, before)
            after.append(last)
        return self.output(x), after

    def loss(
        self, codes: Tensor, targets: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return the mean cross-entropy of the characters that follow, and the state behind."""
        logits, state = self.forward(codes, state)
        flat = logits.reshape(-1, len(self.alphabet))
        return F.cross_entropy(flat, targets.reshape(-1)), state

    def sample(
        self,
        length: int,
        temperature: float = 1.0,
        prompt: str = "\n",
        rng: np.random.Generator | None = None,
    ) -> str:
        """Write text.

        Parameters
        ----------
        length : characters to write behind the prompt
        temperature : the logits are divided by it: below 1 bolder, towards 0 only the likeliest
        prompt : what to go on from, at least one character
        rng : where characters are drawn; the library's generator when None

        Returns
        -------
        str, without the prompt
        """
        if not 0 <= temperature < np.inf:
            raise ArgumentError(expected("sample", "temperature of at least 0", temperature))
        if not prompt:
            raise ArgumentError(expected("sample", "a prompt of at least one character", "none"))
        check_sizes("sample", length=length)
        rng, training = random.generator(rng), self.training
        codes, written = self.alphabet.encode(prompt), np.empty(length, np.int64)
        self.eval()
        try:
            with no_grad():
                state: State | None = None
                for place in range(length):
                    logits, state = self.forward(Tensor(codes[:, None]), state)
                    written[place] = draw(logits.data[-1, 0], temperature, rng)
                    codes = written[place : place + 1]
        finally:
            self.train(training)
        return self.alphabet.decode(written)


def draw(logits: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Draw a class with probabilities softmax(logits / temperature)."""
    if temperature == 0:
        return int(logits.argmax())
    # The largest of logits with independent Gumbel noise falls on each class with its probability.
    return int((logits.astype(np.float64) / temperature + rng.gumbel(size=len(logits))).argmax())
