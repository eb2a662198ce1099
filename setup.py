"""Compiles what loops over bytes and rows (`*.pyx`), and makes the links of README.md absolute; the rest is in pyproject.toml."""

import os
import re
import shutil
import tomllib
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

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
ABI3 = os.environ.get("LOGAGG_ABI3") == "1"
MACROS = [("Py_LIMITED_API", "0x030B0000")] if ABI3 else []


def extension(name: str, source: str) -> Extension:
    return Extension(name, [source], define_macros=MACROS, py_limited_api=ABI3, extra_compile_args=["-O3"])


def readme() -> str:
    """Return README.md for an index of packages, which has no other file of the repository.

    Links to those files begin with the address of the source; while that has none, they are words without a link.
    """
    text = Path("README.md").read_text("utf-8")
    source = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"].get("urls", {}).get("Source")
    if source:
        return re.sub(r"\]\((?!https?:|#)", f"]({source}/", text)
    text = re.sub(r"!\[([^\]]*)\]\((?!https?:)[^)]*\)", "", text)
    return re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#)[^)]*\)", r"\1", text)


class WithDocs(build_py):
    """Puts the pages of docs/ into the package, for `logagg docs`; a repository has them beside it."""

    def pages(self) -> dict[str, Path]:
        if self.editable_mode:
            return {}
        return {str(Path(self.build_lib, "logagg/docs", page.name)): page for page in Path("docs").glob("*.md")}

    def run(self) -> None:
        super().run()
        for place, page in self.pages().items():
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, place)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self.pages()]


modules = [extension(".".join(path.with_suffix("").parts), str(path)) for path in sorted(Path("logagg").rglob("*.pyx"))]
modules.append(extension(SHARED, f"{SHARED.replace('.', '/')}.c"))
setup(
    long_description=readme(),
    long_description_content_type="text/markdown",
    ext_modules=cythonize(
        modules, build_dir="build/cython", compiler_directives=DIRECTIVES, shared_utility_qualified_name=SHARED
    ),
    cmdclass={"build_py": WithDocs},
    options={
        "build_ext": {"parallel": os.cpu_count()},
        **({"bdist_wheel": {"py_limited_api": "cp311"}} if ABI3 else {}),
    },
)
