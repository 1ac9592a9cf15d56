"""The checkpoint: what was found, written as it is found, so that no kill loses more than moments.

A journal is a file to which records are only ever added. Each carries its length and a checksum;
one that was cut off by a kill is left out when the file is read, and overwritten.
"""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bayescape.targets.target import Target

__all__ = ["Journal", "Recorded"]

Array = NDArray[np.float64]

MAGIC = b"bayescape checkpoint 1\n"
FRAME = struct.Struct("<QI")  # length of a record, and its checksum
SLOW = 2.0  # seconds after which a task's evaluations are kept one by one
FLUSH = 5.0  # seconds between writes of them


class Journal:
    """Records in a file, read when it is opened and added at its end.

    Parameters
    ----------
    path
        The file. It is made when it is not there.

    Attributes
    ----------
    records
        Those that it held when it was opened.

    Raises
    ------
    ValueError
        If the file holds something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.records: list[dict[str, Any]] = []
        self._file: BinaryIO = open(self.path, "a+b")
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        self._file.seek(0)
        start = self._file.read(len(MAGIC))
        if MAGIC[: len(start)] != start:
            raise ValueError(f"`checkpoint`: {self.path} is not a checkpoint of an exploration")
        if len(start) < len(MAGIC):  # new, or killed in its first moment
            self._file.truncate(0)
            self._file.write(MAGIC)
            self._file.flush()
            return
        whole = len(MAGIC)
        while len(frame := self._file.read(FRAME.size)) == FRAME.size:
            length, checksum = FRAME.unpack(frame)
            body = self._file.read(length)
            if len(body) < length or zlib.crc32(body) != checksum:
                break
            self.records.append(_unpacked(body))
            whole += FRAME.size + length
        self._file.truncate(whole)

    def add(self, record: Mapping[str, Any], *, flush: bool = True) -> None:
        """Add a record of arrays and of whatever JSON can hold, by name."""
        body = _packed(record)
        self._file.write(FRAME.pack(len(body), zlib.crc32(body)) + body)
        if flush:
            self._file.flush()

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def truncate(self, count: int) -> None:
        """Keep the first records only."""
        kept = self.records[:count]
        self._file.truncate(len(MAGIC))
        for record in kept:
            self.add(record, flush=False)
        self._file.flush()
        self.records = kept

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _packed(record: Mapping[str, Any]) -> bytes:
    arrays = {k: v for k, v in record.items() if isinstance(v, np.ndarray)}
    rest = {k: v for k, v in record.items() if k not in arrays}
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **{**arrays, "json": text})
    return buffer.getvalue()


def _unpacked(body: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(body), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    rest = json.loads(arrays.pop("json").tobytes())
    return arrays | rest


class Recorded:
    """A target whose evaluations are kept in a file once they take long, and read from it again.

    For a target so slow that a single task of an exploration lasts minutes: after a kill the task
    begins anew, and comes in no time to where it was. The file is there only while it is of use.

    Parameters
    ----------
    target
        The target.
    path
        The file. One that is there is of an earlier run of the same task.
    """

    def __init__(self, target: Target, path: str | os.PathLike[str]) -> None:
        self.target, self.path = target, Path(path)
        self._started = self._flushed = time.monotonic()
        self._waiting: list[dict[str, Any]] = []
        self._journal = Journal(path) if self.path.exists() else None
        self._stored = list(self._journal.records) if self._journal else []
        self._next = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "target":
            raise AttributeError(name)
        return getattr(self.target, name)

    def energy(self, theta: Array) -> Array:
        """As the target's."""
        energy: Array = self._call("energy", theta)[0]
        return energy

    def energy_and_gradient(self, theta: Array) -> tuple[Array, Array]:
        """As the target's."""
        energy, gradient = self._call("energy_and_gradient", theta)
        return energy, gradient

    def hessian(self, theta: Array) -> Array:
        """As the target's."""
        hessian: Array = self._call("hessian", theta)[0]
        return hessian

    def _call(self, kind: str, theta: Array) -> tuple[Array, ...]:
        if self._next < len(self._stored):
            stored = self._stored[self._next]
            if stored["kind"] == kind and np.array_equal(stored["theta"], theta):
                self._next += 1
                return tuple(stored[f"answer_{i}"] for i in range(stored["answers"]))
            # Of another run: what follows is of no use.
            if self._journal is not None:
                self._journal.truncate(self._next)
            self._stored = self._stored[: self._next]
        asked = np.array(theta)
        answer = getattr(self.target, kind)(theta)
        parts = tuple(answer) if isinstance(answer, tuple) else (answer,)
        record = {"kind": kind, "theta": asked, "answers": len(parts)}
        self._keep(record | {f"answer_{i}": np.asarray(part) for i, part in enumerate(parts)})
        return parts

    def _keep(self, record: dict[str, Any]) -> None:
        self._waiting.append(record)
        now = time.monotonic()
        if self._journal is None and now - self._started > SLOW:
            self._journal = Journal(self.path)
        if self._journal is not None and now - self._flushed > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what waits, if the file is open."""
        if self._journal is not None:
            for record in self._waiting:
                self._journal.add(record, flush=False)
            self._journal.flush()
            self._waiting.clear()
            self._flushed = time.monotonic()

    def finish(self, *, keep: bool) -> None:
        """Close the file; remove it unless it is to be kept for another run of the task."""
        if keep:
            self.flush()
        if self._journal is not None:
            self._journal.close()
            if not keep:
                self.path.unlink(missing_ok=True)
