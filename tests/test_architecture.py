"""The house keeps its order: what a room may import, how long a module is, who may print."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import bayescape

PACKAGE = Path(bayescape.__file__).parent
ROOT = PACKAGE.parent
ROOMS = ("kernels", "targets", "landscape", "explore", "sample", "predict", "plots", "study")
# Not rooms but furniture: used from the room of the same position onwards.
FURNITURE = {"arguments": "kernels", "evaluations": "targets", "progress": "kernels"}
MODULES = sorted(PACKAGE.rglob("*.py"))
IN_ROOMS = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in ROOMS]
COMMAND_LINE = PACKAGE / "study" / "cli.py"
LONGEST_MODULE = 400


def label(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room_of(dotted: str) -> str:
    """The room, or piece of furniture, that an import of ``dotted`` enters."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else ""


def imported(path: Path) -> set[str]:
    """Dotted names of the package's modules that the module at ``path`` imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "bayescape"}


def position(room: str) -> int:
    return ROOMS.index(FURNITURE.get(room, room))


@pytest.mark.parametrize("path", IN_ROOMS, ids=label)
def test_a_room_imports_only_earlier_rooms(path):
    room = path.relative_to(PACKAGE).parts[0]
    later = {
        name
        for name in imported(path)
        if room_of(name) in (*ROOMS, *FURNITURE) and position(room_of(name)) > position(room)
    }
    assert not later, f"{room} imports later rooms: {sorted(later)}"


@pytest.mark.parametrize("path", IN_ROOMS, ids=label)
def test_a_room_does_not_import_the_front_door(path):
    taken = imported(path) - {"bayescape", "bayescape.__version__"}
    known = (*ROOMS, *FURNITURE)
    assert not {name for name in taken if room_of(name) not in known}


def test_every_folder_is_a_known_room_and_is_packaged():
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}
    assert folders == set(ROOMS)
    assert files == set(FURNITURE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packaged = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    expected = {f"bayescape/{name}" for name in folders | {"py.typed", "__init__.py"}}
    assert packaged == expected | {f"bayescape/{name}.py" for name in files}


def test_public_names_are_the_documented_ones():
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\s{0,4}bayescape\.(\w+)$", page, flags=re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert sorted(documented) == sorted(set(bayescape.__all__) - {"__version__", "kernels"})
    assert "bayescape.kernels.MaternKernel" in page
    assert all(hasattr(bayescape, name) for name in documented)


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_a_module_can_be_read_in_one_go(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", [p for p in MODULES if p != COMMAND_LINE], ids=label)
def test_nothing_prints_but_the_command_line(path):
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not calls, f"print( in lines {calls}"


def test_the_checks_of_imports_can_fail(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("from bayescape.study import cli\n", encoding="utf-8")
    assert imported(module) == {"bayescape.study", "bayescape.study.cli"}
    assert position("study") > position("targets")
