"""The part of the packaging that must be computed: where packages lie, and the Cython extensions.

Everything else stands in pyproject.toml. An extension that cannot be built (no compiler) does not
stop the installation: NumPy and Numba serve its kernels and `minidl doctor` says so. Setting
MINIDL_REQUIRE_CYTHON=1 turns that into an error.
"""

import os
from pathlib import Path

import numpy
from setuptools import Extension, find_packages, setup

required = os.environ.get("MINIDL_REQUIRE_CYTHON", "") not in ("", "0")

headers = sorted(path.as_posix() for path in Path("kernels/simd").glob("*.h"))


def sources(family: str) -> list[str]:
    """Return the C files of a family: kernels/simd/<family>.c and <family>_*.c."""
    found = Path("kernels/simd").glob(f"{family}*.c")
    return sorted(p.as_posix() for p in found if p.stem == family or p.stem[len(family)] == "_")


extensions = [
    Extension(
        f"minidl.kernels.{path.stem}",
        [path.as_posix(), *sources(path.stem.removesuffix("_cython"))],
        depends=headers,
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=[] if os.name == "nt" else ["-O3"],
        optional=not required,
    )
    for path in sorted(Path("kernels").glob("*_cython.pyx"))
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
        "minidl": ["py.typed"],
        "minidl.data": ["digits/*"],
        "minidl.demo": ["templates/*"],
        "minidl.grading": ["templates/*"],
        "minidl.course": ["templates/*"],
        "minidl.kernels": ["*.pyx", "simd/*"],
        "minidl.assignments": ["*.toml", "*/*.toml", "*/*.md", "*/*.py"],
    },
    ext_modules=extensions,
    options={"build_ext": {"parallel": os.cpu_count()}},
)
