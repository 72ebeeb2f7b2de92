"""The table of differentiable operations: the plan by which test_operations.py tests them.

One row for each public function of minidl.functional, under its name: samples of arrays in float64
and the call on Tensors. Values stay away from kinks, where a difference quotient is no derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minidl.tensor import Tensor
from minidl import functional as F


@dataclass
class Sample:
    """One call of an operation: what it shows, its arrays, and the call on Tensors of them."""

    label: str
    arrays: tuple[np.ndarray, ...]
    call: Callable[..., Tensor]


_rng = np.random.default_rng(20_240_607)


def normal(*shape):
    return _rng.normal(size=shape)


def positive(*shape):
    return _rng.uniform(0.5, 2.0, shape)


def apart(*shape):
    """Distinct values, none closer to another or to 0 than 0.05: maxima and signs are stable."""
    count = int(np.prod(shape))
    return (_rng.permutation(count) - count // 2 + 0.5).reshape(shape) * 0.1


def mask(*shape):
    return _rng.random(shape) < 0.6


def samples(call, *cases):
    """Samples of one call without options: cases are tuples of arrays."""
    return [Sample("x".join(str(a.shape) for a in arrays), arrays, call) for arrays in cases]


def unary(call, draw=normal):
    """Samples over ranks 0 to 4, sizes of one and none."""
    return samples(call, *((draw(*s),) for s in [(), (1,), (5,), (3, 1, 2), (2, 3, 2, 3), (0, 4)]))


def binary(call, draw=normal, right=None):
    """Samples of equal and of broadcast shapes, and of Python numbers."""
    shapes = [((3, 4), (3, 4)), ((3, 1), (1, 4)), ((4,), (2, 3, 4)), ((2, 3), ()), ((), ())]
    cases = [(draw(*a), (right or draw)(*b)) for a, b in shapes]
    x = draw(2, 3)
    return [
        *samples(call, *cases),
        Sample("a number on the right", (x,), lambda a: call(a, 1.7)),
        Sample("a number on the left", (positive(2, 3),), lambda b: call(1.7, b)),
        Sample(
            "twice the same", (x,) if right is None else (positive(2, 3),), lambda a: call(a, a)
        ),
    ]


ARITHMETIC = {
    "add": binary(lambda a, b: F.add(a, b)),
    "sub": binary(lambda a, b: F.sub(a, b)),
    "mul": binary(lambda a, b: F.mul(a, b)),
    "div": binary(lambda a, b: F.div(a, b), right=positive),
    "power": [
        *binary(lambda a, b: F.power(a, b), positive),
        Sample("negative base, whole exponents", (apart(3, 2),), lambda x: F.power(x, 3)),
        Sample("exponent 0", (normal(3),), lambda x: F.power(x, 0)),
    ],
    "maximum": [
        *binary(lambda a, b: F.maximum(a, b), lambda *s: apart(*s) + 0.01 * len(s)),
        Sample("against 0", (apart(3, 4),), lambda x: F.maximum(x, 0.0)),
    ],
    "neg": unary(lambda x: F.neg(x)),
    "exp": unary(lambda x: F.exp(x)),
    "log": unary(lambda x: F.log(x), positive),
    "sqrt": unary(lambda x: F.sqrt(x), positive),
    "absolute": unary(lambda x: F.absolute(x), apart),
    "clip": [
        *(
            Sample(f"{low} to {high}", (apart(3, 5),), lambda x, lo=low, hi=high: F.clip(x, lo, hi))
            for low, high in [(-0.4, 0.4), (None, 0.2), (-0.2, None), (-9.0, 9.0)]
        )
    ],
    "where": [
        Sample("three arrays", (mask(3, 4), normal(3, 4), normal(3, 4)), lambda *a: F.where(*a)),
        Sample("broadcast", (mask(2, 1, 4), normal(3, 1), normal(4)), lambda *a: F.where(*a)),
        Sample("a number", (mask(3, 4), normal(3, 4)), lambda c, a: F.where(c, a, 0.5)),
    ],
}

REDUCTION = {
    name: [
        Sample(
            f"axis={axis}, keepdims={keep}",
            (normal(3, 1, 4, 2),),
            lambda x, f=name, a=axis, k=keep: getattr(F, f)(x, axis=a, keepdims=k),
        )
        for axis in (None, 0, -1, (0, 2), (1, 3))
        for keep in (False, True)
        if name == "mean" or axis != (1, 3)
    ]
    + [Sample("a scalar", (normal(),) if name == "mean" else (normal(4),), getattr(F, name))]
    for name in ("mean", "var")
}
for _name in REDUCTION:  # a bound function is not looked up again, so the last sample looks it up
    REDUCTION[_name][-1].call = lambda x, f=_name: getattr(F, f)(x)
REDUCTION["var"].append(
    Sample("correction", (normal(4, 3),), lambda x: F.var(x, axis=0, correction=1))
)

SHAPE = {
    "reshape": [
        Sample("to 2 axes", (normal(3, 2, 4),), lambda x: F.reshape(x, (4, 6))),
        Sample("one size free", (normal(3, 2, 4),), lambda x: F.reshape(x, (2, -1, 3))),
        Sample("to a scalar", (normal(1, 1),), lambda x: F.reshape(x, ())),
        Sample("empty", (normal(0, 4),), lambda x: F.reshape(x, (2, 0))),
    ],
    "transpose": [
        Sample("reversed", (normal(3, 2, 4),), lambda x: F.transpose(x)),
        Sample("in order", (normal(3, 2, 4, 5),), lambda x: F.transpose(x, (2, 0, 3, 1))),
    ],
    "flatten": [
        Sample("images", (normal(2, 3, 4, 5),), lambda x: F.flatten(x)),
        Sample("all", (normal(2, 3),), lambda x: F.flatten(x, 0)),
        Sample("empty batch", (normal(0, 3, 2),), lambda x: F.flatten(x)),
    ],
    "broadcast_to": [
        Sample("a row", (normal(4),), lambda x: F.broadcast_to(x, (3, 4))),
        Sample("ones", (normal(3, 1, 2),), lambda x: F.broadcast_to(x, (2, 3, 5, 2))),
    ],
    "getitem": [
        Sample("a slice", (normal(5, 4),), lambda x: F.getitem(x, (slice(1, 4, 2), -1))),
        Sample("repeats", (normal(5, 3),), lambda x: F.getitem(x, np.array([0, 2, 2, 0]))),
        Sample("a mask", (normal(2, 2),), lambda x: F.getitem(x, np.array([[True, False]] * 2))),
        Sample("a new axis", (normal(5),), lambda x: F.getitem(x, (None, ...))),
    ],
    "concatenate": [
        Sample("rows", (normal(2, 3), normal(1, 3)), lambda *t: F.concatenate(t)),
        Sample(
            "columns", (normal(2, 3), normal(2, 1), normal(2, 2)), lambda *t: F.concatenate(t, 1)
        ),
    ],
    "stack": [
        Sample("first axis", (normal(2, 3), normal(2, 3)), lambda *t: F.stack(t)),
        Sample("last axis", (normal(2, 3), normal(2, 3)), lambda *t: F.stack(t, -1)),
    ],
    "pad": [
        Sample("uneven", (normal(3, 2),), lambda x: F.pad(x, [(1, 0), (2, 3)], 0.5)),
        Sample("none", (normal(3),), lambda x: F.pad(x, [(0, 0)])),
    ],
}

LINEAR = {
    "matmul": samples(
        lambda a, b: F.matmul(a, b),
        *(
            (normal(*a), normal(*b))
            for a, b in [
                ((3, 4), (4, 2)),
                ((4,), (4,)),
                ((4,), (4, 2)),
                ((3, 4), (4,)),
                ((5, 1, 3, 4), (2, 4, 1)),
                ((0, 4), (4, 2)),
            ]
        ),
    ),
    "linear": samples(
        lambda *a: F.linear(*a),
        (normal(5, 3), normal(4, 3), normal(4)),
        (normal(5, 3), normal(4, 3)),
        (normal(3), normal(1, 3), normal(1)),
        (normal(2, 5, 3), normal(4, 3), normal(4)),
        (normal(0, 3), normal(4, 3), normal(4)),
    ),
}


def conv(label, x, weight, bias=True, **options):
    arrays = (normal(*x), normal(*weight), *([normal(weight[0])] if bias else []))
    return Sample(label, arrays, lambda x, w, b=None: F.conv2d(x, w, b, **options))


def pooled(name, label, shape, *args, **options):
    return Sample(label, (apart(*shape),), lambda x: getattr(F, name)(x, *args, **options))


IMAGE = {
    "conv2d": [
        conv("plain", (2, 3, 5, 4), (4, 3, 3, 2)),
        conv("without bias", (1, 2, 4, 5), (3, 2, 1, 1), bias=False),
        conv("strides", (2, 2, 7, 5), (3, 2, 3, 2), stride=(2, 3)),
        conv("padding", (1, 2, 3, 4), (2, 2, 3, 2), padding=(2, 1)),
        conv("same", (1, 2, 5, 4), (2, 2, 3, 5), padding="same"),
        conv("dilation", (1, 2, 7, 6), (2, 2, 3, 2), dilation=(2, 3), padding=1),
        conv("groups", (2, 4, 4, 5), (6, 2, 2, 3), groups=2, stride=2, padding=1),
        conv("depthwise", (1, 3, 4, 4), (3, 1, 3, 3), groups=3, padding=1),
        conv("kernel as large as the image", (2, 1, 3, 4), (2, 1, 3, 4)),
        conv("empty batch", (0, 2, 4, 4), (2, 2, 3, 3)),
    ],
    "max_pool2d": [
        pooled("max_pool2d", "plain", (2, 3, 4, 6), 2),
        pooled("max_pool2d", "overlapping", (1, 2, 7, 5), (3, 2), (2, 1)),
        pooled("max_pool2d", "padding", (1, 2, 5, 4), 3, 2, 1),
        pooled("max_pool2d", "dilation", (1, 1, 7, 6), 2, 1, 0, (3, 2)),
        pooled("max_pool2d", "ceil", (2, 1, 6, 5), 3, 2, ceil_mode=True),
        pooled("max_pool2d", "empty batch", (0, 2, 4, 4), 2),
    ],
    "avg_pool2d": [
        pooled("avg_pool2d", "plain", (2, 3, 4, 6), 2),
        pooled("avg_pool2d", "overlapping", (1, 2, 7, 5), (3, 2), (2, 1)),
        pooled("avg_pool2d", "padding", (1, 2, 5, 4), 3, 2, 1),
        pooled("avg_pool2d", "padding not counted", (1, 2, 5, 4), 3, 2, 1, count_include_pad=False),
        pooled("avg_pool2d", "ceil", (2, 1, 6, 5), 3, 2, 1, ceil_mode=True),
        pooled("avg_pool2d", "empty batch", (0, 2, 4, 4), 2),
    ],
    "adaptive_avg_pool2d": [
        pooled("adaptive_avg_pool2d", "to one", (2, 3, 4, 5), 1),
        pooled("adaptive_avg_pool2d", "uneven", (1, 2, 7, 5), (3, 2)),
        pooled("adaptive_avg_pool2d", "larger than the image", (1, 1, 2, 3), (3, 4)),
        pooled("adaptive_avg_pool2d", "one pixel", (2, 3, 1, 1), 1),
    ],
}


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


NORM = {
    "batch_norm": [
        batch_normed("vectors", (5, 3), training=True),
        batch_normed("sequences", (3, 2, 4), training=True, momentum=0.3),
        batch_normed("images", (2, 3, 3, 2), training=True, eps=1e-3),
        batch_normed("one image", (1, 2, 3, 3), training=True),
        batch_normed("neither weight nor bias", (4, 3), affine=False, training=True),
        batch_normed("inference", (2, 3, 2, 3)),
        batch_normed("inference without weight", (1, 3), affine=False),
        batch_normed("empty batch", (0, 3, 2, 2), training=True),
        Sample("no statistics", (normal(4, 2),), lambda x: F.batch_norm(x, None, None)),
        batch_normed_and_more("images and ReLU", (3, 2, 3, 2), True, add=False),
        batch_normed_and_more("residual", (3, 2, 3, 2), False),
        batch_normed_and_more("residual and ReLU", (4, 2, 5, 4), True),
        batch_normed_and_more("vectors, residual and ReLU", (5, 3), True),
        batch_normed_and_more("inference, residual and ReLU", (3, 2, 2), True, training=False),
        batch_normed_and_more("empty batch, residual and ReLU", (0, 2, 2), True),
    ],
    "group_norm": [
        group_normed("group_norm", "images", (2, 6, 3, 2), 6, 3),
        group_normed("group_norm", "one group", (3, 4), 4, 1, eps=0.1),
        group_normed("group_norm", "sequences, no vectors", (2, 4, 3), None, 2),
        group_normed("group_norm", "empty batch", (0, 4, 3), 4, 2),
    ],
    "instance_norm": [
        group_normed("instance_norm", "images", (2, 3, 3, 2), 3),
        group_normed("instance_norm", "sequences, no vectors", (2, 4, 3), None, eps=1e-3),
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
    + [Sample("sequences", (normal(2, 3, 4),), lambda x: F.local_response_norm(x, 3, alpha=1.0))],
}


def seeded(call):
    """The call with a fresh generator of one seed, so that every call draws the same mask."""
    return lambda x: call(x, np.random.default_rng(5))


DROPOUT = {
    "dropout": [
        Sample("half", (normal(4, 5),), seeded(lambda x, g: F.dropout(x, 0.5, rng=g))),
        Sample("a tenth", (normal(2, 3, 2),), seeded(lambda x, g: F.dropout(x, 0.1, rng=g))),
        Sample("all", (normal(6),), seeded(lambda x, g: F.dropout(x, 1.0, rng=g))),
        Sample("none", (normal(6),), lambda x: F.dropout(x * 1.0, 0.0)),
        Sample("evaluation", (normal(6),), lambda x: F.dropout(x * 1.0, training=False)),
    ],
    "drop_block": [
        Sample(
            f"keep {keep}, block {block}, shared {shared}",
            (normal(2, 3, 5, 4),),
            seeded(lambda x, g, k=keep, b=block, s=shared: F.drop_block(x, k, b, shared=s, rng=g)),
        )
        for keep, block, shared in [
            (0.5, 1, False),
            (0.6, 2, False),
            (0.7, 3, True),
            (0.5, 4, False),
            (0.0, 1, True),
        ]
    ],
}


def over_classes(name):
    return [
        *samples(
            lambda x: getattr(F, name)(x), (normal(3, 4),), (normal(5),), (3 * normal(2, 3, 1),)
        ),
        Sample("the middle axis", (normal(2, 3, 4),), lambda x: getattr(F, name)(x, axis=1)),
        Sample("empty batch", (normal(0, 3),), lambda x: getattr(F, name)(x)),
    ]


ACTIVATION = {
    "relu": unary(lambda x: F.relu(x), apart),
    "sigmoid": unary(lambda x: F.sigmoid(x)),
    "tanh": unary(lambda x: F.tanh(x)),
    "softmax": over_classes("softmax"),
    "log_softmax": over_classes("log_softmax"),
}

_targets = np.array([2, 0, 3, 3])
LOSS = {
    "cross_entropy": [
        Sample(
            f"{reduction}, smoothing {eps}",
            (normal(4, 5),),
            lambda x, r=reduction, e=eps: F.cross_entropy(x, _targets, r, e),
        )
        for reduction in ("mean", "sum", "none")
        for eps in (0.0, 0.1, 1.0)
    ]
    + [
        Sample("one class", (normal(2, 1),), lambda x: F.cross_entropy(x, np.array([0, 0]))),
        Sample("empty", (normal(0, 3),), lambda x: F.cross_entropy(x, np.zeros(0, int), "sum")),
    ]
}

OPERATIONS: dict[str, list[Sample]] = {
    **ARITHMETIC,
    **REDUCTION,
    **SHAPE,
    **LINEAR,
    **IMAGE,
    **NORM,
    **DROPOUT,
    **ACTIVATION,
    **LOSS,
}
