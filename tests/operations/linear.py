"""Products of matrices."""

from minidl import functional as F
from operations.sample import normal, samples

OPERATIONS = {
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
