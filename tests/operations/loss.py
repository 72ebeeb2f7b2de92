"""Losses."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, apart, normal, positive, samples

_targets = np.array([2, 0, 3, 3])
_ignored = np.array([2, 1, 0, 2])
_places = np.array([[1, 0], [2, 2], [0, 1]])
_weight = np.array([0.5, 2.0, 1.0, 0.3, 0.0])


def probabilities(*shape):
    return np.exp(normal(*shape)) / 4


def reductions(name, arrays, *more, **options):
    """One sample of a loss for each reduction."""
    return [
        Sample(
            f"reduction {reduction}, {options}",
            arrays,
            lambda *t, r=reduction: getattr(F, name)(*t, reduction=r, **options),
        )
        for reduction in ("mean", "sum", "none", *more)
    ]


def between(*shape):
    return 0.1 + 0.8 * np.random.default_rng(shape).random(shape)


_signs = np.sign(apart(3, 4))


OPERATIONS = {
    "cross_entropy": [
        Sample(
            f"{reduction}, smoothing {eps}, weights {weight is not None}",
            (normal(4, 5),),
            lambda x, r=reduction, e=eps, w=weight: F.cross_entropy(
                x, _targets, w, reduction=r, label_smoothing=e
            ),
        )
        for reduction in ("mean", "sum", "none")
        for eps in (0.0, 0.1, 1.0)
        for weight in (None, _weight)
    ]
    + [
        Sample("one class", (normal(2, 1),), lambda x: F.cross_entropy(x, np.array([0, 0]))),
        Sample(
            "empty",
            (normal(0, 3),),
            lambda x: F.cross_entropy(x, np.zeros(0, int), reduction="sum"),
        ),
        Sample("no batch", (normal(5),), lambda x: F.cross_entropy(x, 3)),
        *(
            Sample(
                f"ignored, {reduction}, smoothing {eps}",
                (normal(4, 3),),
                lambda x, r=reduction, e=eps: F.cross_entropy(
                    x, _ignored, _weight[:3], ignore_index=2, reduction=r, label_smoothing=e
                ),
            )
            for reduction in ("mean", "sum", "none")
            for eps in (0.0, 0.2)
        ),
        Sample("places", (normal(3, 4, 2),), lambda x: F.cross_entropy(x, _places)),
        Sample(
            "places one by one",
            (normal(3, 4, 2),),
            lambda x: F.cross_entropy(x, _places, ignore_index=0, reduction="none"),
        ),
        Sample(
            "probabilities",
            (normal(4, 5), probabilities(4, 5)),
            lambda x, q: F.cross_entropy(x, q, label_smoothing=0.1),
        ),
        Sample(
            "probabilities, weights, one by one",
            (normal(3, 5, 2), probabilities(3, 5, 2)),
            lambda x, q: F.cross_entropy(x, q, _weight, reduction="none"),
        ),
    ],
    "nll_loss": [
        *reductions("nll_loss", (normal(4, 5),), targets=_targets, weight=_weight),
        *reductions("nll_loss", (normal(4, 3),), targets=_ignored, ignore_index=2),
        Sample("places", (normal(3, 4, 2),), lambda x: F.nll_loss(x, _places)),
    ],
    "multi_margin_loss": [
        Sample(
            f"p {p}, {reduction}",
            (3 * normal(4, 5),),
            lambda x, p=p, r=reduction: F.multi_margin_loss(
                x, _targets, p, 0.7, _weight, reduction=r
            ),
        )
        for p in (1, 2)
        for reduction in ("mean", "sum", "none")
    ],
    "mse_loss": [
        *reductions("mse_loss", (normal(3, 4), normal(3, 4))),
        *samples(lambda x, t: F.mse_loss(x, t), (normal(), normal()), (normal(5), normal(5))),
    ],
    "l1_loss": reductions("l1_loss", (apart(3, 4), 0.03 * normal(3, 4).clip(-1, 1))),
    "smooth_l1_loss": [
        *reductions("smooth_l1_loss", (apart(3, 4), apart(3, 4)), beta=0.33),
        Sample("beta 0", (apart(5), np.zeros(5)), lambda x, t: F.smooth_l1_loss(x, t, beta=0.0)),
    ],
    "huber_loss": reductions("huber_loss", (apart(3, 4), apart(3, 4)), delta=0.33),
    "binary_cross_entropy": [
        *reductions("binary_cross_entropy", (between(3, 4), between(4, 3).T)),
        Sample(
            "weights",
            (between(3, 4), between(4, 3).T),
            lambda p, t: F.binary_cross_entropy(p, t, np.arange(4.0)),
        ),
    ],
    "binary_cross_entropy_with_logits": [
        *reductions("binary_cross_entropy_with_logits", (3 * normal(3, 4), between(4, 3).T)),
        Sample(
            "weights of both kinds",
            (3 * normal(3, 4), between(4, 3).T),
            lambda x, t: F.binary_cross_entropy_with_logits(
                x, t, np.arange(3.0)[:, None], pos_weight=0.5 + np.arange(4.0)
            ),
        ),
    ],
    "kl_div": [
        *reductions("kl_div", (normal(3, 4), positive(3, 4)), "batchmean"),
        *reductions("kl_div", (normal(3, 4), normal(3, 4)), "batchmean", log_target=True),
    ],
    "hinge_loss": reductions("hinge_loss", (apart(3, 4),), target=_signs, margin=0.33),
    "smooth_labels": [
        Sample(
            "as targets",
            (normal(4, 5),),
            lambda x: F.cross_entropy(x, F.smooth_labels(_targets, 5, 0.1)),
        )
    ],
}
