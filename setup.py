"""Compiles what loops over bytes and rows (`*.pyx`); all else about the package is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# With LOGAGG_CHECKED=1 every access to an array is checked against its bounds.
CHECKED = os.environ.get("LOGAGG_CHECKED") == "1"
DIRECTIVES = {
    "boundscheck": CHECKED,
    "cdivision": True,
    "embedsignature": True,
    "initializedcheck": CHECKED,
    "language_level": 3,
    "wraparound": False,
}

SHARED = "logagg.columnar.buffers"  # what all of them need to look into arrays, compiled once

modules = [
    Extension(".".join(path.with_suffix("").parts), [str(path)], extra_compile_args=["-O3"])
    for path in sorted(Path("logagg").rglob("*.pyx"))
]
modules.append(Extension(SHARED, [f"{SHARED.replace('.', '/')}.c"]))
setup(
    ext_modules=cythonize(
        modules, build_dir="build/cython", compiler_directives=DIRECTIVES, shared_utility_qualified_name=SHARED
    )
)
