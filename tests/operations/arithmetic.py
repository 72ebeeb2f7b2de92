"""Arithmetic, element by element."""

from minidl import functional as F
from operations.sample import Sample, apart, binary, mask, normal, positive, unary

OPERATIONS = {
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
