"""Whether the work fits in memory, found out before it is begun."""

from __future__ import annotations

import os
from pathlib import Path

from bayescape.study.data import DataError

__all__ = ["available_memory", "check_memory"]

# Matrices of n x n that are alive at once while a Hessian is made, counted by tracemalloc at 1 to 8
# inputs: squared distances, first derivatives, their products with the inverse and temporaries.
FIXED_MATRICES = 2
MATRICES_PER_COORDINATE = 4


def check_memory(n: int, d: int, *, available: int | None = None) -> None:
    """Raise `DataError` if the covariances of ``n`` rows would not fit in memory.

    Parameters
    ----------
    n
        Rows to fit.
    d
        Coordinates of the target.
    available
        Bytes that may be used; by default what the machine says.
    """
    free = available_memory() if available is None else available
    needed = n * n * 8 * (FIXED_MATRICES + MATRICES_PER_COORDINATE * d)
    if needed > free:
        raise DataError(
            f"{n:,} rows need about {needed / 2**30:,.1f} GiB for their covariance matrices, and "
            f"{free / 2**30:,.1f} GiB are free: take a subset of at most "
            f"{int(n * (free / needed) ** 0.5):,} rows"
        )


def available_memory() -> int:
    """Bytes that can be had, within the limit of the control group where there is one."""
    candidates = [_free_on_the_machine()]
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return candidates[0]
    if limit != "max":
        candidates.append(int(limit) - used)
    return max(min(candidates), 0)


def _free_on_the_machine() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # not Linux
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
