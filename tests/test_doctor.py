import io

import pytest
from rich.console import Console

from minidl import backend, doctor
from minidl.grading.confine import Layer

REAL_LOAD = backend.load


@pytest.fixture
def without_cython(monkeypatch):
    """A machine on which no extension was built."""

    def load(family, telling):
        return "not built" if telling == "cython" else REAL_LOAD(family, telling)

    monkeypatch.setattr(backend, "load", load)
    monkeypatch.setattr(doctor, "_sources", lambda: ["conv2d", "pool"])
    monkeypatch.setattr(doctor, "kernels", lambda: [("conv2d", "forward", "numba", "not built")])


@pytest.fixture
def with_everything(monkeypatch):
    monkeypatch.setattr(doctor, "extensions", lambda: {"conv2d": "built", "pool": "built"})


def everything():
    console = Console(file=io.StringIO(), width=140)
    doctor.show(console)
    return console.file.getvalue()


def test_everything_is_there():
    text = everything()
    for word in ("Python", "numpy", "numba", "BLAS", "cores", "threads", "C compiler"):
        assert word in text
    for row in backend.table():
        assert row.family in text
        assert row.serving in text
    for word in ("Confinement", "resource limits", "deadline"):
        assert word in text


def test_what_arrays_and_vectors_are_made_with_is_told(monkeypatch):
    rows = dict(doctor.machine())
    assert rows["vectors"].split(" ")[0] in ("baseline", "AVX2", "AVX-512", "scalar")
    assert rows["memory"].startswith("minidl's allocator is ")
    monkeypatch.setattr(backend, "load", lambda family, telling: "not built")
    rows = dict(doctor.machine())
    assert rows["vectors"] == "unknown, the allocator's extension is not built"
    assert rows["memory"] == "minidl's allocator is not built"
    monkeypatch.setenv("MINIDL_ALLOCATOR", "off")
    assert dict(doctor.machine())["memory"].endswith("off (MINIDL_ALLOCATOR)")


def test_every_function_of_every_family_stands_in_exactly_one_row():
    listed = [
        (family, name) for family, names, _, _ in doctor.kernels() for name in names.split(", ")
    ]
    assert sorted(listed) == sorted((row.family, row.function) for row in backend.table())


def test_brief_is_one_line_when_nothing_is_missing(with_everything):
    (line,) = doctor.brief()
    assert "2 compiled Cython kernels are ready" in line


def test_brief_says_what_is_missing_what_serves_and_what_to_do(without_cython, monkeypatch):
    monkeypatch.setattr(doctor, "compiler", lambda: None)
    lines = doctor.brief()
    assert len(lines) == 3
    assert "Cython kernels missing: conv2d, pool (not built)" in lines[1]
    assert "Serving instead: numba" in lines[1]
    assert "install a C compiler" in lines[2]
    assert "apt-get install build-essential python3-dev" in lines[2]


def test_a_compiler_without_headers_is_noticed(without_cython, monkeypatch):
    monkeypatch.setattr(doctor, "compiler", lambda: "/usr/bin/cc")
    monkeypatch.setattr(doctor, "headers", lambda: False)
    assert "install Python's headers" in doctor.brief()[2]


def test_with_a_compiler_the_advice_is_to_look_at_its_messages(without_cython, monkeypatch):
    monkeypatch.setattr(doctor, "compiler", lambda: "/usr/bin/cc")
    monkeypatch.setattr(doctor, "headers", lambda: True)
    assert "MINIDL_REQUIRE_CYTHON=1" in doctor.brief()[2]


def test_a_broken_extension_is_told_apart_from_one_not_built(monkeypatch):
    states = {"conv2d": "broken: undefined symbol", "pool": "not built"}
    monkeypatch.setattr(doctor, "extensions", lambda: states)
    line = doctor.brief()[1]
    assert "conv2d (broken: undefined symbol)" in line
    assert "pool (not built)" in line


@pytest.mark.parametrize(
    ("value", "wanted"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)]
)
def test_demanded(monkeypatch, value, wanted):
    monkeypatch.delenv("MINIDL_REQUIRE_CYTHON", raising=False)
    if value is not None:
        monkeypatch.setenv("MINIDL_REQUIRE_CYTHON", value)
    assert doctor.demanded() is wanted


def test_missing_confinement_is_advice(with_everything, monkeypatch):
    layers = [Layer("deadline", True, True, ""), Layer("Landlock", False, False, "")]
    monkeypatch.setattr(doctor.confine, "layers", lambda: layers)
    (line,) = doctor.advice()
    assert "without Landlock" in line


def test_the_compiler_may_be_named_by_the_environment(monkeypatch, tmp_path):
    own = tmp_path / "mycc"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("CC", f"{own} -pipe")
    assert doctor.compiler() == str(own)
