"""The NumPy specifications against loops, SciPy and central differences; see kernel_oracles."""

import importlib
from pathlib import Path

import minidl.kernels
import pytest
from kernel_oracles import ORACLES

SPECIFICATIONS = sorted(
    path.stem.removesuffix("_numpy") for path in Path(minidl.kernels.__path__[0]).glob("*_numpy.py")
)


def test_every_specification_has_an_oracle():
    assert sorted(ORACLES) == SPECIFICATIONS


@pytest.mark.parametrize(
    ("family", "oracle"),
    [(family, oracle) for family, oracles in ORACLES.items() for oracle in oracles],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_specification_does_what_it_says(family, oracle):
    oracle(importlib.import_module(f"minidl.kernels.{family}_numpy"))
