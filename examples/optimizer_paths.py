"""Optimizers on four surfaces: who arrives, who is held by the saddle. Writes optimizer_paths.png.

python examples/optimizer_paths.py [FILE.png]
"""

import sys
from pathlib import Path

import numpy as np

from minidl import optim, viz

STEPS = 300
WAYS = {
    "SGD": lambda p: optim.SGD(p, lr=1e-3),
    "momentum": lambda p: optim.SGD(p, lr=1e-3, momentum=0.9),
    "AdaGrad": lambda p: optim.Adagrad(p, lr=0.3),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.02),
    "Adam": lambda p: optim.Adam(p, lr=0.05),
}


def main(target: Path) -> None:
    """Print how far from the minimum each ends, and draw the paths."""
    print(f"Distance from the minimum after {STEPS} steps (of the saddle: from the saddle point)")
    print(" " * 22 + "".join(f"{name:>10}" for name in WAYS))
    for surface in viz.SURFACES:
        goal = np.array(surface.minima[0] if surface.minima else (0.0, 0.0))
        ends = [viz.optimizer_path(surface, make, STEPS)[-1] for make in WAYS.values()]
        print(f"{surface.name:22}" + "".join(f"{np.linalg.norm(end - goal):10.3f}" for end in ends))
    target.write_bytes(viz.png(viz.optimizer_paths(viz.SURFACES, WAYS, STEPS)))
    print(f"Drawn: {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "optimizer_paths.png"))
