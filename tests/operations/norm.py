"""Normalization."""

import numpy as np

from minidl import functional as F
from operations.sample import Sample, apart, normal, positive, samples


def batch_normed(label, shape, affine=True, **options):
    c = shape[1]
    arrays = (normal(*shape) * 2 + 1, *((normal(c), normal(c)) if affine else ()))
    mean, var = normal(c), positive(c)

    def call(x, weight=None, bias=None):
        running = (mean.astype(x.dtype), var.astype(x.dtype))
        return F.batch_norm(x, *running, weight, bias, **options)

    return Sample(label, arrays, call)


def batch_normed_and_more(label, shape, relu, add=True, **options):
    """Batch normalization with a residual, ReLU, or both in one call."""
    arrays = (normal(*shape) * 2 + 1, normal(shape[1]), normal(shape[1]))
    if add:
        arrays += (normal(*shape),)

    def call(x, weight, bias, residual=None):
        mean, var = np.zeros(shape[1], x.dtype), np.ones(shape[1], x.dtype)
        options.setdefault("training", True)
        return F.batch_norm(x, mean, var, weight, bias, residual=residual, relu=relu, **options)

    return Sample(label, arrays, call)


def group_normed(name, label, shape, vectors, *options, **named):
    """One of the group norms; `vectors` is the shape of weight and bias, None for neither."""
    arrays = (normal(*shape) * 2 + 1,)
    if vectors is not None:
        arrays += tuple(normal(*np.atleast_1d(vectors)) for _ in range(2))

    def call(x, weight=None, bias=None):
        return getattr(F, name)(x, *options, weight, bias, **named)

    return Sample(label, arrays, call)


def instance_normed(label, shape, affine=True, running=False, **options):
    c = shape[1]
    arrays = (normal(*shape) * 2 + 1, *((normal(c), normal(c)) if affine else ()))
    statistics = (normal(c), positive(c)) if running else None

    def call(x, weight=None, bias=None):
        given = [None, None] if statistics is None else [s.astype(x.dtype) for s in statistics]
        return F.instance_norm(x, *given, weight, bias, **options)

    return Sample(label, arrays, call)


def lp_normed(label, shape, p, **options):
    """Values whose signs and whose largest stay what they are."""
    arrays = apart(*shape), normal(shape[1]), normal(shape[1])
    mean, norm = normal(shape[1]), positive(shape[1])

    def call(x, weight, bias):
        running = mean.astype(x.dtype), norm.astype(x.dtype)
        return F.lp_batch_norm(x, *running, weight, bias, p=p, **options)

    return Sample(f"{label}, p = {p}", arrays, call)


OPERATIONS = {
    "batch_norm": [
        batch_normed("vectors", (5, 3), training=True),
        batch_normed("sequences", (3, 2, 4), training=True, momentum=0.3),
        batch_normed("images", (2, 3, 3, 2), training=True, eps=1e-3),
        batch_normed("one image", (1, 2, 3, 3), training=True),
        batch_normed("neither weight nor bias", (4, 3), affine=False, training=True),
        batch_normed("volumes", (2, 2, 2, 3, 2), training=True),
        batch_normed("inference", (2, 3, 2, 3)),
        batch_normed("inference without weight", (1, 3), affine=False),
        batch_normed("empty batch", (0, 3, 2, 2), training=True),
        Sample("no statistics", (normal(4, 2),), lambda x: F.batch_norm(x, None, None)),
        batch_normed_and_more("images and ReLU", (3, 2, 3, 2), True, add=False),
        batch_normed_and_more("residual", (3, 2, 3, 2), False),
        batch_normed_and_more("residual and ReLU", (4, 2, 5, 4), True),
        batch_normed_and_more("vectors, residual and ReLU", (5, 3), True),
        batch_normed_and_more("inference, residual and ReLU", (3, 2, 2), True, training=False),
        batch_normed_and_more("inference and ReLU", (4, 3), True, add=False, training=False),
        batch_normed_and_more("inference and residual", (2, 3, 20), False, training=False),
        batch_normed_and_more("empty batch, residual and ReLU", (0, 2, 2), True),
    ],
    "group_norm": [
        group_normed("group_norm", "images", (2, 6, 3, 2), 6, 3),
        group_normed("group_norm", "one group", (3, 4), 4, 1, eps=0.1),
        group_normed("group_norm", "sequences, no vectors", (2, 4, 3), None, 2),
        group_normed("group_norm", "empty batch", (0, 4, 3), 4, 2),
    ],
    "instance_norm": [
        instance_normed("images", (2, 3, 3, 2)),
        instance_normed("sequences, no vectors", (2, 4, 3), affine=False, eps=1e-3),
        instance_normed("volumes", (1, 2, 2, 3, 2)),
        instance_normed("statistics that follow", (2, 3, 4), running=True, momentum=0.3),
        instance_normed("given statistics", (2, 3, 2, 2), running=True, use_input_stats=False),
        instance_normed("empty batch", (0, 3, 4), running=True),
    ],
    "layer_norm": [
        group_normed("layer_norm", "vectors", (4, 5), 5, 5),
        group_normed("layer_norm", "two axes", (2, 3, 2, 4), (2, 4), (2, 4)),
        group_normed("layer_norm", "no vectors", (3, 2, 4), None, [4], eps=0.1),
        group_normed("layer_norm", "no batch", (5,), 5, 5),
        group_normed("layer_norm", "empty batch", (0, 3), 3, 3),
    ],
    "local_response_norm": [
        Sample(
            f"size {size}",
            (normal(2, 5, 2, 3),),
            lambda x, s=size: F.local_response_norm(x, s, alpha=0.7, beta=0.6, k=1.5),
        )
        for size in (1, 2, 3, 4, 5, 9)
    ]
    + [
        Sample("sequences", (normal(2, 3, 4),), lambda x: F.local_response_norm(x, 3, alpha=1.0)),
        *(
            Sample(
                f"{convention}, size {size}",
                (normal(2, 5, 2),),
                lambda x, s=size, c=convention: F.local_response_norm(x, s, 0.7, convention=c),
            )
            for convention in ("alexnet", "onnx")
            for size in (3, 4)
        ),
    ],
    "lp_batch_norm": [
        *(lp_normed("vectors", (5, 3), p, training=True) for p in (1, 2, np.inf)),
        *(lp_normed("images", (2, 3, 3, 2), p, training=True, eps=0.1) for p in (1, 2, np.inf)),
        lp_normed("given statistics", (4, 3, 2), 1, momentum=0.3),
        lp_normed("empty batch", (0, 3, 2), 2, training=True),
    ],
    "weight_norm": [
        *samples(
            lambda v, g: F.weight_norm(v, g),
            (normal(3, 4), normal(3, 1)),
            (normal(4, 2, 3, 2), normal(4, 1, 1, 1)),
        ),
        Sample(
            "along the last axis",
            (normal(3, 4), normal(1, 4)),
            lambda v, g: F.weight_norm(v, g, dim=-1),
        ),
        Sample(
            "one length in all",
            (normal(3, 4), np.array(1.7)),
            lambda v, g: F.weight_norm(v, g, dim=None),
        ),
    ],
}
