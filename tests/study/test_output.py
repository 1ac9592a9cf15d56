"""A folder of results is complete or not there at all."""

from pathlib import Path

import pytest

from bayescape.study.data import DataError
from bayescape.study.output import all_or_nothing, check_folder


def test_files_arrive_together_and_leave_others_alone(tmp_path):
    out = tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    (out / "report.html").write_text("old", encoding="utf-8")
    (out / "stale.csv").write_text("old", encoding="utf-8")
    with all_or_nothing(out, remove=("report.html", "stale.csv")) as partial:
        (partial / "report.html").write_text("new", encoding="utf-8")
        assert (out / "report.html").read_text(encoding="utf-8") == "old"
    assert (out / "report.html").read_text(encoding="utf-8") == "new"
    assert (out / "mine.txt").exists()
    assert not (out / "stale.csv").exists()
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind(tmp_path, failure):
    out = tmp_path / "out"

    def fail():
        with all_or_nothing(out) as partial:
            (partial / "report.html").write_text("half", encoding="utf-8")
            raise failure

    with pytest.raises(failure):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_where_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with all_or_nothing(Path("out")) as partial:
        (partial / "a.txt").write_text("a", encoding="utf-8")
    assert (tmp_path / "out" / "a.txt").exists()


def test_folders_that_cannot_be_written_to(tmp_path):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is a file, not a folder"):
        check_folder(file)
    with pytest.raises(DataError, match=r"cannot be made: .*file is not a folder"):
        check_folder(file / "below" / "it")
    check_folder(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()


def test_a_file_system_that_refuses(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bayescape.study.output.tempfile.TemporaryFile", refuse)
    with pytest.raises(DataError, match="cannot be written to: Permission denied"):
        check_folder(tmp_path)
