"""Check that a wheel holds every file of the package that git knows, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path


def differences(wheel: str) -> list[str]:
    """Sentences about what is missing from ``wheel``, or there without a reason."""
    root = Path(__file__).resolve().parents[1]
    listed = subprocess.run(
        ["git", "ls-files", "bayescape"], cwd=root, check=True, capture_output=True, text=True
    )
    expected = set(listed.stdout.split("\n")) - {""}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    return [f"missing from the wheel: {name}" for name in sorted(expected - found)] + [
        f"in the wheel without a reason: {name}" for name in sorted(found - expected)
    ]


if __name__ == "__main__":
    problems = differences(sys.argv[1])
    print("\n".join(problems) or f"{Path(sys.argv[1]).name} holds what it should")
    sys.exit(bool(problems))
