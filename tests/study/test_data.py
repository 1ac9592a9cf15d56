"""Tables in, or one clear sentence about why not."""

import numpy as np
import pytest

from bayescape.study.data import DataError, Table, check_table, read_table, take_rows

GOOD = "x,z,y\n1,4,2.5\n2,5,3.5\n3,7,1.0\n4,1,0.5\n"


@pytest.fixture
def write(tmp_path):
    def written(text, name="data.csv"):
        path = tmp_path / name
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, encoding="utf-8")
        return path

    return written


def test_reads_columns_by_name(write):
    table = read_table(write(GOOD), "y")
    assert table.input_names == ("x", "z")
    assert table.output_name == "y"
    np.testing.assert_array_equal(table.X, [[1, 4], [2, 5], [3, 7], [4, 1]])
    np.testing.assert_array_equal(table.y, [2.5, 3.5, 1.0, 0.5])
    assert table.notes == ()


def test_reads_chosen_inputs_in_the_order_asked(write):
    table = read_table(write(GOOD), "x", inputs=["y", "z"])
    assert table.input_names == ("y", "z")
    np.testing.assert_array_equal(table.X[0], [2.5, 4])


def test_a_column_that_is_not_used_may_hold_text(write):
    table = read_table(write("x,name,y\n1,a,2\n2,b,3\n3,c,5\n"), "y", inputs=["x"])
    np.testing.assert_array_equal(table.X[:, 0], [1, 2, 3])


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffx,z,y\n1,4,2.5\n2,5,3.5\n3,7,1.0\n4,1,0.5\n",
        "x, z ,y\r\n1, 4,2.5\r\n\r\n2,5,3.5\r\n3,7,1.0\r\n4,1,5e-1\r\n",
        '"x","z","y"\n"1","4","2.5"\n2,5,3.5\n3,7,1.0\n4,1,0.5',
    ],
    ids=["byte order mark", "windows", "quoted"],
)
def test_reads_what_spreadsheets_write(write, text):
    plain = read_table(write(GOOD), "y")
    table = read_table(write(text, "other.csv"), "y")
    np.testing.assert_array_equal(table.X, plain.X)
    np.testing.assert_array_equal(table.y, plain.y)
    assert table.input_names == plain.input_names


@pytest.mark.parametrize(
    ("text", "target", "sentence"),
    [
        ("", "y", "data.csv is empty"),
        ("\n \n", "y", "data.csv is empty"),
        ("x,y\n", "y", "a line of column names and no rows"),
        (GOOD, "Y ", r"no column 'Y ', only 'x', 'z', 'y'"),
        ("height,weight\n1,2\n", "wieght", r"did you mean 'weight'\?"),
        ("height,weight\n1,2\n", "Weight", r"did you mean 'weight'\?"),
        ("a;b\n1;2\n", "b", "separated by something other than commas"),
        ("x,y\n1,2\n3,abc\n", "y", r"column 'y', line 3 of .* holds 'abc', which is not a number"),
        ("x,y\n1,2\n3,4\n1_0,4\n", "y", r"column 'x', line 4 of .* holds '1_0'"),
        ("x,y\n1,2\n3,NaN\n", "y", r"column 'y', line 3 .* holds 'NaN'; .* finite number"),
        ("x,y\n1,2\n-inf,4\n", "y", r"column 'x', line 3 .* holds '-inf'; .* finite number"),
        ("x,y\n1,2\n1e999,4\n", "y", r"column 'x', line 3 .* holds '1e999'; .* finite number"),
        ("x,y\n1,2\n1e300,4\n", "y", r"column 'x', line 3 .* holds '1e300', which is too large"),
        ("x,y\n1,2\n,4\n", "y", r"column 'x', line 3 of .* is empty"),
        ("x,y\n1,2\n3,4,5\n", "y", "line 3 of .* has 3 fields, and .* names has 2"),
        ("x,x,y\n1,2,3\n", "y", "more than one column named 'x'"),
        ("x,,y\n1,2,3\n", "y", "column 2 of .* has no name"),
        ("1,2\n3,4\n", "y", "first line of .* must hold the columns' names, got 1, 2"),
        ("y\n1\n2\n", "y", "no column besides 'y'"),
        ('x,y\n1,"2\n', "y", "is not a CSV file"),
        (b"x,y\n1,\xff\xfe\n", "y", "not a text file in UTF-8"),
        (b"PK\x03\x04\x00\x00\x80", "y", "not a text file in UTF-8"),
        ("x,y\n1,2\n3,4\n1,2\n1,2\n", "y", r"lines 2 and 4 .* identical \(2 such rows in all\)"),
    ],
)
def test_says_in_one_sentence_why_not(write, text, target, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(write(text), target)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*nothing\.csv"):
        read_table(tmp_path / "nothing.csv", "y")
    with pytest.raises(DataError, match="is a folder, not a CSV file"):
        read_table(tmp_path, "y")


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (["x", "q"], "no column 'q'"),
        (["x", "x"], "named twice"),
        (["x", "y"], "both the target and an input"),
    ],
)
def test_checks_the_inputs_asked_for(write, inputs, sentence):
    with pytest.raises(DataError, match=sentence):
        read_table(write(GOOD), "y", inputs=inputs)


def test_repeated_rows_are_kept_or_dropped_when_told_to(write):
    path = write("x,y\n3,4\n1,2\n3,4\n5,6\n3,4\n")
    kept = read_table(path, "y", duplicates="keep")
    dropped = read_table(path, "y", duplicates="drop")
    np.testing.assert_array_equal(kept.X[:, 0], [3, 1, 3, 5, 3])
    np.testing.assert_array_equal(dropped.X[:, 0], [3, 1, 5])
    assert "2 rows" in kept.notes[0]
    assert "kept" in kept.notes[0]
    assert "dropped" in dropped.notes[0]


def test_repeated_inputs_with_another_output_are_measurements(write):
    table = read_table(write("x,y\n1,2\n1,3\n2,4\n"), "y")
    assert len(table.y) == 3


def table_of(X, y):
    X = np.asarray(X, dtype=float)
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    return Table(X, np.asarray(y, dtype=float), names, "y", "it")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (table_of([[1.0]], [2.0]), "leaves 1 row to fit; at least 3"),
        (table_of([[1.0], [2.0]], [2.0, 3.0]), "leaves 2 rows to fit"),
        (table_of(np.eye(3), [1.0, 2.0, 3.0]), r"more columns \(4\) than rows to fit \(3\)"),
        (table_of([[1.0], [2.0], [3.0]], [7.0, 7.0, 7.0]), "column 'y' of it is 7 in every row"),
        (table_of([[1.0], [1.0], [1.0]], [1.0, 2.0, 3.0]), "column 'x0' of it is 1 in every row"),
    ],
)
def test_tables_that_nothing_can_be_fitted_to(table, sentence):
    with pytest.raises(DataError, match=sentence):
        check_table(table)


def test_taking_rows_leaves_the_table_alone():
    table = table_of([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    part = take_rows(table, [2, 0])
    np.testing.assert_array_equal(part.y, [3, 1])
    np.testing.assert_array_equal(table.y, [1, 2, 3])
