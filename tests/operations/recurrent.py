"""Recurrent layers: one layer, one direction, over a sequence."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, normal


def sequence(name, label, gates, sizes, bias=True, **options):
    """A sample of (steps, n, inputs, d) whose results, outputs and last states, are joined."""
    steps, n, inputs, d = sizes
    states = 2 if name == "lstm" else 1
    arrays = [normal(steps, n, inputs), *(normal(n, d) for _ in range(states))]
    arrays += [normal(gates * d, inputs) * 0.5, normal(gates * d, d) * 0.5]
    arrays += [normal(gates * d), normal(gates * d)] if bias else []

    def call(*tensors):
        more = dict(options)
        if "recurrent_dropout" in more:
            more["rng"] = np.random.default_rng(5)
        output, *last = getattr(F, name)(*tensors, **more)
        return F.concatenate([output, F.stack(last)])

    return Sample(label, tuple(arrays), call)


def family(name, gates):
    """What every kind of layer is tried with."""
    return [
        sequence(name, "plain", gates, (3, 2, 4, 3)),
        sequence(name, "without bias", gates, (2, 3, 1, 2), bias=False),
        sequence(name, "backwards", gates, (4, 1, 2, 3), reverse=True),
        sequence(name, "one step", gates, (1, 2, 3, 1)),
        sequence(name, "lengths", gates, (4, 3, 2, 2), lengths=[2, 4, 1]),
        sequence(name, "lengths backwards", gates, (4, 3, 2, 3), lengths=[3, 1, 4], reverse=True),
        sequence(name, "empty batch", gates, (2, 0, 3, 2)),
    ]


def dropped(name, gates):
    """Recurrent dropout, both ways."""
    return [
        sequence(name, "recurrent dropout", gates, (3, 2, 2, 3), recurrent_dropout=0.4),
        sequence(
            *(name, "recurrent dropout, lengths, backwards", gates, (3, 2, 2, 3)),
            recurrent_dropout=0.3,
            lengths=[1, 3],
            reverse=True,
        ),
    ]


def normalized(label, sizes, plain=False, **options):
    """A sample of the normalized layer, or of the same without normalization, with a bias."""
    steps, n, inputs, d = sizes
    arrays = [normal(steps, n, inputs), normal(n, d), normal(n, d)]
    arrays += [normal(4 * d, inputs) * 0.5, normal(4 * d, d) * 0.5]
    arrays += [normal(4 * d)] if plain else [normal(5, d), normal(5, d)]

    def call(x, h0, c0, weight_ih, weight_hh, *rest):
        gain, shift, bias = (None, None, rest[0]) if plain else (*rest, None)
        more = {**options, "rng": np.random.default_rng(5)}
        weights = weight_ih, weight_hh, gain, shift, bias
        output, *last = F.layer_norm_lstm(x, h0, c0, *weights, **more)
        return F.concatenate([output, F.stack(last)])

    return Sample(label, tuple(arrays), call)


OPERATIONS = {
    "layer_norm_lstm": [
        normalized("plain", (3, 2, 4, 3)),
        normalized("lengths", (4, 3, 2, 3), lengths=[3, 1, 4], forget_bias=0.3),
        normalized("recurrent dropout", (3, 2, 2, 4), recurrent_dropout=0.4),
        normalized("sigmoid", (2, 2, 3, 3), activation="sigmoid"),
        normalized("relu", (2, 2, 3, 3), activation="relu"),
        normalized("without normalization", (3, 2, 2, 3), plain=True),
        normalized("empty batch", (2, 0, 3, 2)),
    ],
    "rnn": [
        *family("rnn", 1),
        sequence("rnn", "relu", 1, (3, 2, 4, 3), nonlinearity="relu"),
        sequence(
            *("rnn", "relu backwards", 1, (3, 2, 4, 3)),
            nonlinearity="relu",
            reverse=True,
            lengths=[2, 3],
        ),
    ],
    "gru": [*family("gru", 3), *dropped("gru", 3)],
    "lstm": [*family("lstm", 4), *dropped("lstm", 4)],
}
