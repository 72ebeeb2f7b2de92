"""sdist and wheel hold everything, and the wheel works in an environment of its own."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILT = {".so", ".pyd", ".c", ".pyc"}  # what a checkout collects beside its sources
SOURCES = [
    path.relative_to(ROOT)
    for folder in ("minidl", "kernels", "assignments")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and path.suffix not in BUILT and path.parent.name != "__pycache__"
]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", out, ROOT)
    (archive,) = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """The wheel, built from the unpacked sdist and not from this checkout; quickly, so -O0."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    run(*command, unpacked, env={**os.environ, "CFLAGS": "-O0"})
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh_python(wheel, tmp_path_factory):
    """An interpreter whose minidl is the wheel; dependencies come from this environment."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    purelib = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", wheel)
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_sdist_holds_every_source(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = [path.as_posix() for path in SOURCES if path.as_posix() not in names]
    assert not missing
    assert {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Makefile",
        "setup.py",
    } <= names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_wheel_holds_every_source_where_it_is_imported_from(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    place = {"kernels": "minidl/kernels", "assignments": "minidl/assignments", "minidl": "minidl"}
    wanted = [Path(place[p.parts[0]], *p.parts[1:]).as_posix() for p in SOURCES]
    assert not [path for path in wanted if path not in names]
    assert any(name.endswith("digits/LICENSE") for name in names)


def test_wheel_has_the_compiled_kernels_where_they_are_required(wheel):
    with zipfile.ZipFile(wheel) as archive:
        compiled = {
            Path(n).name.split(".")[0] for n in archive.namelist() if n.endswith((".so", ".pyd"))
        }
    wanted = {path.stem for path in (ROOT / "kernels").glob("*_cython.pyx")}
    wanted |= {f"_compiled_{path.stem}" for path in (ROOT / "minidl").glob("tape*.py")}
    assert compiled == wanted or not os.environ.get("MINIDL_REQUIRE_CYTHON")


def test_the_installed_wheel_trains(fresh_python, tmp_path):
    """The first step of the demo, two epochs of it, away from any checkout."""
    program = (
        "import minidl\n"
        "from minidl.demo import Settings, network\n"
        "from minidl.terminal import console\n"
        "assert 'site-packages' in minidl.__file__, minidl.__file__\n"
        "network.train(Settings(epochs=2, target=0.3), console())\n"
    )
    assert "epoch" in run(fresh_python, "-c", program, cwd=tmp_path)


def test_the_installed_wheel_starts_an_assignment(fresh_python, tmp_path):
    run(
        fresh_python,
        "-m",
        "minidl.cli",
        "start",
        "batch_norm",
        "--to",
        tmp_path / "work",
        cwd=tmp_path,
    )
    assert (tmp_path / "work" / "batch_norm.py").is_file()


def test_without_a_compiler_the_installation_succeeds(tmp_path, sdist):
    """Extensions are optional unless MINIDL_REQUIRE_CYTHON=1."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    command = [sys.executable, "setup.py", "build", "--build-base", str(tmp_path / "out")]
    broken = {**os.environ, "CC": "no-such-compiler", "MINIDL_REQUIRE_CYTHON": "0"}
    run(*command, cwd=unpacked, env=broken)
    refused = subprocess.run(
        command,
        cwd=unpacked,
        env={**broken, "MINIDL_REQUIRE_CYTHON": "1"},
        capture_output=True,
        check=False,
    )
    assert refused.returncode != 0
