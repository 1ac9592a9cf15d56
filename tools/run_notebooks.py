"""Execute every notebook of a folder, in order, and stop at the first one that fails."""

import importlib.util
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NEEDED = {"botorch": "botorch"}  # by notebook, a package that bayescape does without


def run(folder: Path) -> int:
    """Execute the notebooks of ``folder`` without writing their outputs; return their number."""
    paths = sorted(folder.glob("*.ipynb"))
    for path in paths:
        needed = NEEDED.get(path.stem)
        if needed is not None and importlib.util.find_spec(needed) is None:
            print(f"SKIPPED {path}: {needed} is not installed (bayescape[notebook] has it)")
            continue
        started = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
        print(f"{path}: {time.perf_counter() - started:.0f} s")
    return len(paths)


if __name__ == "__main__":
    if run(Path(sys.argv[1])) == 0:
        sys.exit(f"no notebook in {sys.argv[1]}")
