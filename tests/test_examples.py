"""The examples run at tiny sizes and print what they measured; the claims need the full sizes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from minidl import data

FOLDER = Path(__file__).resolve().parents[1] / "examples"


def load(name: str) -> ModuleType:
    """Return the module of an example, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run an example's main, check that its code follows its verdict, and return the output."""
    code = load(name).main(arguments.split())
    printed = capsys.readouterr().out
    assert ("the claim holds" in printed) == (code == 0)
    assert ("the claim does NOT hold" in printed) == (code == 1)
    return printed


@pytest.fixture
def fashion(tmp_path):
    """A folder of four small files in Fashion-MNIST's place; returns the folder."""
    for part, n in (("train", 128), ("t10k", 64)):
        rng = np.random.default_rng(n)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    return tmp_path


def write_idx(path: Path, values) -> None:
    """Write bytes in the IDX format."""
    sizes = np.array(values.shape, ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


def test_fashion_mnist_lenet_measures_each_class(fashion, capsys):
    """One epoch on random images: at chance, so the claim does not hold."""
    printed = run("fashion_mnist_lenet", f"--root {fashion} --epochs 1", capsys)
    assert "does NOT hold" in printed
    assert all(name in printed for name in data.FASHION_MNIST_CLASSES)
