"""The command line, from the outside: exit status, one sentence, and what is left on the disk."""

import re

import numpy as np
import pytest

from bayescape import __version__
from bayescape.study import cli
from bayescape.targets.gaussian_process import GaussianProcess

FILES = {"report.html", "landscape.nc", "posterior.nc", "comparison.csv"}


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 18))
    y = np.sin(x) + 0.1 * rng.normal(size=18)
    path = tmp_path / "data.csv"
    rows = [f"{a:.6g},{b:.6g}" for a, b in zip(x, y, strict=True)]
    path.write_text("\n".join(["time,level", *rows]) + "\n", encoding="utf-8")
    return path


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def study(capsys, data, out, *more):
    return run(capsys, "study", data, "--target", "level", "--out", out, *more)


def test_the_whole_way_on_a_small_table(data, tmp_path, capsys):
    out = tmp_path / "out"
    status, told, errors = study(capsys, data, out, "--draws", 100)
    assert status == 0, errors
    assert {path.name for path in out.iterdir()} == FILES
    assert f"The report is {out / 'report.html'}" in told
    assert "How many basins are there?" in told
    assert {path.name for path in tmp_path.iterdir()} == {"data.csv", "out"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert "level" in page
    assert page.count("<img ") >= 4
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert all("alt=" in tag for tag in re.findall(r"<img [^>]*>", page))


def test_quiet_says_nothing_and_no_test_compares_nothing(data, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "comparison.csv").write_text("of another study", encoding="utf-8")
    status, told, errors = study(capsys, data, out, "--draws", 40, "--no-test", "-q")
    assert (status, told, errors) == (0, "", "")
    assert {path.name for path in out.iterdir()} == FILES - {"comparison.csv"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no file"),
        ("time,depth\n1,2\n", "has no column 'level'"),
        ("time,level\n1,2\n2,low\n", r"column 'level', line 3 of .* holds 'low'"),
        ("time,level\n1,2\n2,nan\n", "finite number"),
        ("time,level\n1,inf\n2,3\n", "finite number"),
        ("time,level\n1,2\n2,2\n3,2\n", "'level' of .* is 2 in every row"),
        ("time,level\n1,2\n", "leaves 1 row to fit"),
        ("time,level\n1,2\n1,2\n3,5\n", "lines 2 and 3 of .* are identical"),
        ("a,b,c,level\n1,2,3,4\n2,5,3,1\n7,1,1,2\n", r"more columns \(4\) than rows to fit \(3\)"),
    ],
)
def test_bad_tables_end_in_one_sentence(content, sentence, tmp_path, capsys):
    data, out = tmp_path / "data.csv", tmp_path / "out"
    if content is not None:
        data.write_text(content, encoding="utf-8")
    before = set(tmp_path.iterdir())
    status, told, errors = study(capsys, data, out)
    assert status == 2
    assert told == ""
    assert re.search(sentence, errors)
    assert errors.count("\n") == 1
    assert "Traceback" not in errors
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--test", "0"), "strictly between 0 and 1"),
        (("--test", "1.5"), "strictly between 0 and 1"),
        (("--test", "0.95"), "leaves 1 to fit"),
        (("--test-file", "nowhere.csv"), "there is no file nowhere.csv"),
        (("--inputs", "tiem"), "did you mean 'time'"),
    ],
)
def test_bad_requests_end_in_one_sentence(more, sentence, data, tmp_path, capsys):
    status, _, errors = study(capsys, data, tmp_path / "out", *more)
    assert status == 2
    assert re.search(sentence, errors)
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_test_file_must_have_the_inputs(data, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("hour,level\n1,2\n2,3\n", encoding="utf-8")
    status, _, errors = study(capsys, data, tmp_path / "out", "--test-file", other)
    assert status == 2
    assert "has no column 'time'" in errors


def test_a_file_where_the_folder_should_be(data, tmp_path, capsys):
    status, _, errors = study(capsys, data, data)
    assert status == 2
    assert "is a file, not a folder" in errors


def test_too_many_rows_for_the_memory(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bayescape.study.memory.available_memory", lambda: 1000)
    status, _, errors = study(capsys, data, tmp_path / "out")
    assert status == 2
    assert "18 rows need about" in errors


@pytest.mark.parametrize("method", ["energy_and_gradient", "predict"])
def test_an_interrupted_study_writes_nothing(method, data, tmp_path, capsys, monkeypatch):
    """The search, which gives its first gradient, would return half a map: that is no study."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianProcess, method, interrupt)
    status, told, errors = study(capsys, data, tmp_path / "out", "-q")
    assert status == 130
    assert told == ""
    assert "interrupted, and nothing was written" in errors
    assert {path.name for path in tmp_path.iterdir()} == {"data.csv"}


@pytest.mark.parametrize(
    "option",
    [
        ("--draws", "0"),
        ("--seed", "-1"),
        ("--nu", "0.1"),
        ("--nu", "rough"),
        ("--seed", "x"),
        ("--effort", "0.5"),
        ("--effort", "inf"),
        ("--effort", "much"),
    ],
)
def test_options_out_of_range(option, data, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        study(capsys, data, tmp_path / "out", *option)
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"bayescape {__version__}\n"
