"""The examples run at tiny sizes and print what they measured; the claims need the full sizes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from minidl import data

FOLDER = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports an example, which is a script and in no package."""

    def call(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
        example = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, example)  # where its dataclasses look
        spec.loader.exec_module(example)
        return example

    return call


@pytest.fixture
def run(load, capsys):
    """Return a function that runs an example's main and returns what it printed."""

    def call(name: str, arguments: str) -> str:
        code = load(name).main(arguments.split())
        printed = capsys.readouterr().out
        assert ("the claim holds" in printed) == (code == 0)
        assert ("the claim does NOT hold" in printed) == (code == 1)
        return printed

    return call


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


def test_fashion_mnist_lenet_measures_each_class(fashion, run):
    """One epoch on random images: at chance, so the claim does not hold."""
    printed = run("fashion_mnist_lenet", f"--root {fashion} --epochs 1")
    assert "does NOT hold" in printed
    assert all(name in printed for name in data.FASHION_MNIST_CLASSES)


def test_polynomial_overfitting_prints_and_draws(tmp_path, run):
    """Degree 9 goes through ten points whatever the draw."""
    target = tmp_path / "curves.png"
    printed = run("polynomial_overfitting", f"--draws 2 --output {target}")
    first = next(line for line in printed.splitlines() if "its training error" in line)
    assert first.endswith("yes")
    assert target.read_bytes().startswith(b"\x89PNG")


def test_photo_patches_resnet_names_every_photo(run):
    """One epoch on a few patches."""
    arguments = "--per-class 8 --test-per-class 4 --epochs 1 --width 4"
    printed = run("photo_patches_resnet", arguments)
    assert all(name in printed for name in data.PHOTOS)


def test_drop_block_study_compares_three_ways(fashion, run):
    """Two seeds, one epoch each: means, errors and three differences are printed."""
    printed = run("drop_block_study", f"--root {fashion} --seeds 2 --epochs 1 --width 2")
    assert printed.count("+-") == 9
    assert "DropBlock - dropout" in printed


def test_char_lstm_compares_both_and_writes(load, tmp_path, monkeypatch, capsys):
    """Six batches of a small text: both are measured, and the normalized one writes."""
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n\ndef " * 1800)
    example = load("char_lstm")
    monkeypatch.setattr(example, "HIDDEN", 16)
    monkeypatch.setattr(sys, "argv", ["char_lstm.py", "--steps", "6", "--text", str(text)])
    example.main()
    printed = capsys.readouterr().out
    assert "held-out bits per character" in printed
    assert printed.count("--- what the normalized LSTM writes") == 2


def test_optimizer_paths_measures_each_way_and_draws(load, tmp_path, monkeypatch, capsys):
    """Three steps on each surface."""
    example = load("optimizer_paths")
    monkeypatch.setattr(example, "STEPS", 3)
    example.main(tmp_path / "paths.png")
    printed = capsys.readouterr().out
    assert all(name in printed for name in example.WAYS)
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")
