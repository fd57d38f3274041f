"""Import time is a feature, measured in fresh processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What takes long to import, and what a machine without extras does not have.
SLOW = ("torch", "pyarrow", "tokenizers", "sklearn", "matplotlib", "jieba", "pandas", "numpy")


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import manyheads", "import manyheads.errors"])
def test_opening_the_package_imports_nothing_slow(statement: str) -> None:
    assert not modules_after(statement) & set(SLOW)


@pytest.mark.parametrize("package", ["text", "client", "client.synchronous", "bulk"])
def test_what_needs_no_torch(package: str) -> None:
    assert "torch" not in modules_after(f"import manyheads.{package}")


def test_the_lower_floors_import_no_extra_and_no_peer() -> None:
    found = modules_after("from manyheads.hub import load_model")
    assert {"torch", "tokenizers"} <= found
    assert not found & {"sklearn", "matplotlib", "jieba", "pandas", "pyarrow", "transformers"}
