"""The part of the packaging that must be computed: where packages lie, and the Cython extensions.

Everything else stands in pyproject.toml. An extension that cannot be built (no compiler) does not
stop the installation: NumPy and Numba serve its kernels and `minidl doctor` says so. Setting
MINIDL_REQUIRE_CYTHON=1 turns that into an error.

MINIDL_BOUNDS_CHECK=1 makes the build that `make fuzz` tests: Cython checks its indices, and GCC's
sanitizers every access to memory and every integer in C. It is slow: give it a folder of its own.
"""

import hashlib
import os
import re
from pathlib import Path

import numpy
from setuptools import Extension, find_packages, setup

required = os.environ.get("MINIDL_REQUIRE_CYTHON", "") not in ("", "0")
checked = os.environ.get("MINIDL_BOUNDS_CHECK", "") not in ("", "0")

headers = sorted(path.as_posix() for path in Path("kernels").rglob("*.h"))


def sources(family: str) -> list[str]:
    """Return the C files of a family: kernels/simd/<family>.c and <family>_*.c."""
    found = Path("kernels/simd").glob(f"{family}*.c")
    return sorted(p.as_posix() for p in found if p.stem == family or p.stem[len(family)] == "_")


def cython_source(path: Path) -> str:
    """Return the Cython file to compile: for a checked build, a copy with the checks switched on.

    What a file says in its first line goes before what a build is told, hence the copy.
    """
    if not checked:
        return path.as_posix()
    text = re.sub(r"\b(boundscheck|initializedcheck)=False", r"\1=True", path.read_text())
    text = text.replace("# cython: ", "# cython: show_performance_hints=False, ", 1)
    copy = Path("build/bounds-checked/source") / path.name
    if not copy.exists() or copy.read_text() != text:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    return copy.as_posix()


def tape_sources() -> list[str]:
    """Return the files to compile as minidl._compiled_tape*: copies of minidl/tape*.py and types.

    The copies have names of their own, so that what is compiled never hides what is read, and end
    with the SHA-256 of all they come from: `minidl.autograd` uses them only where they agree.
    """
    files = sorted(Path("minidl").glob("tape*.p*"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    first = b"# cython: language_level=3, annotation_typing=False, auto_pickle=False\n"
    copies = {"__init__.py": b""}
    for file in files:
        text = file.read_bytes().replace(b"from minidl.tape", b"from minidl._compiled_tape")
        if file.suffix == ".py":
            text = first + text + f'\nSOURCE = "{digest}"\n'.encode()
        copies[f"_compiled_{file.name}"] = text
    folder = Path("build/tape/minidl")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in copies.items():
        if not (folder / name).exists() or (folder / name).read_bytes() != content:
            (folder / name).write_bytes(content)
    return [
        (folder / f"_compiled_{file.name}").as_posix() for file in files if file.suffix == ".py"
    ]


# Who sets CFLAGS says how much is optimized, and what a debugger sees (a third of the time).
flags = os.environ.get("CFLAGS", "")
compile_args = [] if os.name == "nt" else [f for f in ("-O3", "-g0") if f[:2] not in flags]
link_args = []
macros = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
if checked:
    link_args = ["-fsanitize=address,undefined"]
    compile_args = [*link_args, "-fno-sanitize-recover=all", "-fno-wrapv", "-O1", "-g1"]
    compile_args += ["-Wno-psabi", "-Wno-unused-function"]
    macros += [("MINIDL_CHECKED", "1")]

extensions = [
    Extension(
        f"minidl.kernels.{path.stem}",
        [cython_source(path), *sources(path.stem.removesuffix("_cython"))],
        depends=headers,
        include_dirs=[numpy.get_include(), "kernels"],
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        optional=not required,
    )
    for path in sorted(Path("kernels").glob("*_cython.pyx"))
]
if not checked:
    extensions += [
        Extension(
            f"minidl.{Path(source).stem}",
            [source],
            depends=[path.as_posix() for path in Path(source).parent.glob("*.pxd")],
            include_dirs=[numpy.get_include()],
            define_macros=macros,
            extra_compile_args=compile_args,
            optional=not required,
        )
        for source in tape_sources()
    ]

setup(
    packages=[
        *find_packages(include=["minidl", "minidl.*"]),
        "minidl.kernels",
        "minidl.assignments",
    ],
    package_dir={
        "minidl": "minidl",
        "minidl.kernels": "kernels",
        "minidl.assignments": "assignments",
    },
    package_data={
        "minidl": ["py.typed", "tape*.pxd"],
        "minidl.data": ["digits/*"],
        "minidl.demo": ["templates/*"],
        "minidl.grading": ["templates/*", "attacks/*.toml", "attacks/assignment/*"],
        "minidl.course": ["templates/*"],
        "minidl.kernels": ["*.pyx", "*.h", "simd/*"],
        "minidl.assignments": ["*.toml", "*/*.toml", "*/*.md", "*/*.py", "*/collected/*.py"],
    },
    ext_modules=extensions,
    options={"build_ext": {"parallel": os.cpu_count()}},
)
