"""A folder of results that is complete or not there at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bayescape.study.data import DataError

__all__ = ["all_or_nothing", "check_folder"]


def check_folder(out: Path) -> None:
    """Raise `DataError` unless results can be written to the folder ``out``.

    Parameters
    ----------
    out
        The folder; it need not exist yet. Files in it other than the results are left alone.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"--out {out} is a file, not a folder")
    existing = _nearest_existing(out.absolute())
    if not existing.is_dir():
        raise DataError(f"--out {out} cannot be made: {existing} is not a folder")
    # Asking is not enough (read-only file systems, the superuser): a file is really made.
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise DataError(f"--out {out} cannot be written to: {error.strerror}") from None


@contextlib.contextmanager
def all_or_nothing(out: Path, *, remove: tuple[str, ...] = ()) -> Iterator[Path]:
    """Give a new folder to write to, whose files are moved to ``out`` if all goes well.

    Parameters
    ----------
    out
        The folder to fill; made if it is not there. Files of the same names are replaced.
    remove
        Names of files that an earlier run may have left in ``out``; those that this one did not
        write are removed, so that what lies together belongs together.

    Yields
    ------
    Path
        A temporary folder beside ``out``, on the same file system; removed in any case.
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        yield partial
        out.mkdir(exist_ok=True)
        written = set()
        for path in sorted(partial.iterdir()):
            os.replace(path, out / path.name)
            written.add(path.name)
        for name in set(remove) - written:
            (out / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _nearest_existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
