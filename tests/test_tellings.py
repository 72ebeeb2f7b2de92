"""benchmarks/kernels.py: one thread, every family that has three tellings, and a table of them."""

import importlib.util
from pathlib import Path

import minidl.kernels
import pytest

import minidl

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kernels.py"


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("tellings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = minidl.get_num_threads()
    yield module
    minidl.set_num_threads(before)


def test_families_with_three_tellings_are_measured_on_one_thread(script, monkeypatch, tmp_path):
    minidl.set_num_threads(2)
    seen = []

    def measure(family, function, arguments, rounds, seconds):
        seen.append((family, minidl.get_num_threads()))
        times = {"numpy": 4.0, "numba": 2.0, "cython": 1.0}
        return {telling: {"min_ms": time, "median_ms": time} for telling, time in times.items()}

    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr("sys.argv", ["kernels.py", "--output", str(tmp_path / "table")])
    script.main()
    folder = Path(minidl.kernels.__path__[0])
    families = {path.stem.removesuffix("_numba") for path in folder.glob("*_numba.py")}
    assert {family for family, _ in seen} == families
    assert {threads for _, threads in seen} == {1}
    assert "| lrn | 0.50, 0.50 | 0.25, 0.25 | cython |" in (tmp_path / "table.md").read_text()
