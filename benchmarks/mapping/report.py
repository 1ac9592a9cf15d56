"""Tables for the terminal, and what a reader of the file must know of the machine."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["machine", "table"]

PACKAGES = ("bayescape", "numpy", "scipy", "numba", "torch", "gpytorch")


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of named cells as aligned text: words to the left, numbers to the right."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(c) for c in column) for column in zip(columns, *cells, strict=True)]
    words = [any(isinstance(row.get(name), str) for row in rows) for name in columns]

    def line(texts: Sequence[str]) -> str:
        aligned = (
            text.ljust(width) if word else text.rjust(width)
            for text, width, word in zip(texts, widths, words, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([f"\n{title}", line(columns), *(line(texts) for texts in cells)])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> dict[str, Any]:
    """The machine, the system, and the versions of what took part."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
