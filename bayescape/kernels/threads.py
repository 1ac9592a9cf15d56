"""Who gets the cores: BLAS within one point, or several points at once.

BLAS's own number of threads is the one knob (OMP_NUM_THREADS, or threadpoolctl). Ordinary threads
run the compiled loops, which release Python's lock: unlike OpenMP's, they survive a fork.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import threadpoolctl

from bayescape.kernels.lapack import routines

__all__ = ["run_in_chunks", "single_threaded", "threads"]


T = TypeVar("T")


@functools.cache
def _pools() -> Any:
    routines()  # loads the library that is meant
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def threads() -> int:
    """How many threads BLAS may use now."""
    return max((pool.num_threads for pool in _pools().lib_controllers), default=1)


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Keep BLAS to one thread, for when the cores are used otherwise.

    The setting is the process's. Of several threads that ask at a time threadpoolctl heeds the
    first, so that what was there before comes back.
    """
    with _pools().limit(limits=1):
        yield


@functools.cache
def _executor(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="bayescape")


# Threads do not come along into a child process.
os.register_at_fork(after_in_child=_executor.cache_clear)


def run_in_chunks(work: Callable[[slice], T], count: int) -> list[T]:
    """Do ``work`` on slices of ``range(count)``, one slice to each thread."""
    chunks = min(threads(), count)
    edges = [count * i // chunks for i in range(chunks + 1)]
    slices = [slice(a, b) for a, b in itertools.pairwise(edges)]
    with single_threaded():
        others = [_executor(chunks - 1).submit(work, part) for part in slices[1:]]
        return [work(slices[0]), *(other.result() for other in others)]
