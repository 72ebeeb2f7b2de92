"""Means and variances."""

from minidl import functional as F
from operations.sample import Sample, normal

OPERATIONS = {
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
for _name in OPERATIONS:  # a bound function is not looked up again, so the last sample looks it up
    OPERATIONS[_name][-1].call = lambda x, f=_name: getattr(F, f)(x)
OPERATIONS["var"].append(
    Sample("correction", (normal(4, 3),), lambda x: F.var(x, axis=0, correction=1))
)
