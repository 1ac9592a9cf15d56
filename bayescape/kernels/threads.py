"""Who gets the cores: BLAS within one point, or several points at once.

BLAS's own number of threads is the one knob (OMP_NUM_THREADS, or threadpoolctl). Ordinary threads
run the compiled loops, which release Python's lock: unlike OpenMP's, they survive a fork.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import threadpoolctl

from bayescape.kernels.lapack import routines

__all__ = ["run_in_chunks", "single_threaded", "threads"]


T = TypeVar("T")


@functools.cache
def _knobs() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Functions that read and set the number of threads of the OpenBLAS that SciPy uses.

    Called directly, since they are called often: threadpoolctl takes as long as a small matrix.
    """
    routines()  # loads the library that is meant
    found = []
    every = threadpoolctl.ThreadpoolController().select(internal_api="openblas").lib_controllers
    # Wheels of NumPy and SciPy bring one each.
    own = [controller for controller in every if "scipy.libs" in controller.filepath]
    for library in (controller.dynlib for controller in own or every):
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            names = (f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
            knob = tuple(getattr(library, name, None) for name in names)
            if None not in knob:
                found.append(knob)
    return tuple(found)  # type: ignore[arg-type]  # ctypes' functions have no types


class _Held:
    """How many callers hold BLAS to one thread, and what there was before the first did."""

    lock = threading.Lock()
    callers = 0
    before: tuple[int, ...] = ()


def threads() -> int:
    """How many threads BLAS may use, while nobody holds it to one."""
    with _Held.lock:
        present = _Held.before if _Held.callers else [get() for get, _ in _knobs()]
    return max(present, default=1)


class single_threaded:  # used like a function
    """Keep BLAS to one thread, for when the cores are used otherwise or have too little to do.

    The setting is the process's: of several callers the first makes it, and the last takes it back.
    """

    def __enter__(self) -> None:
        with _Held.lock:
            if _Held.callers == 0:
                _Held.before = tuple([get() for get, _ in _knobs()])
                for (_, set_threads), before in zip(_knobs(), _Held.before, strict=True):
                    if before != 1:
                        set_threads(1)
            _Held.callers += 1

    def __exit__(self, *error: object) -> None:
        with _Held.lock:
            _Held.callers -= 1
            if _Held.callers == 0:
                _give_back()


def _give_back() -> None:
    for (_, set_threads), before in zip(_knobs(), _Held.before, strict=True):
        if before != 1:
            set_threads(before)


@functools.cache
def _executor(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="bayescape")


def _begin_anew() -> None:
    """In a forked child: threads, and who held what, do not come along."""
    _executor.cache_clear()
    _Held.lock = threading.Lock()
    if _Held.callers:
        _Held.callers = 0
        _give_back()


os.register_at_fork(after_in_child=_begin_anew)


def run_in_chunks(work: Callable[[slice], T], count: int) -> list[T]:
    """Do ``work`` on slices of ``range(count)``, one slice to each thread."""
    chunks = min(threads(), count)
    edges = [count * i // chunks for i in range(chunks + 1)]
    slices = [slice(a, b) for a, b in itertools.pairwise(edges)]
    with single_threaded():
        others = [_executor(chunks - 1).submit(work, part) for part in slices[1:]]
        return [work(slices[0]), *(other.result() for other in others)]
