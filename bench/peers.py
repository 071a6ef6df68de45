"""Interpreters for the tools we measure ourselves against: each in an environment of its own, never a dependency of the product."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def python_with(package: str) -> str | None:
    """An interpreter that has `package`: the one CASHTRAIL_<PACKAGE>_PYTHON names, else one made here; None where none can be made."""
    if given := os.environ.get(f"CASHTRAIL_{package.upper()}_PYTHON"):
        return given
    folder = ROOT / f".venv-{package}"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        (folder / ".gitignore").write_text("*\n", "utf-8")
    installed = subprocess.run([str(python), "-m", "pip", "install", "--quiet", package], check=False)
    return str(python) if installed.returncode == 0 else None
