"""Which rows are held out, and whether the rest fits in memory."""

import numpy as np
import pytest

from bayescape.study.data import DataError
from bayescape.study.memory import available_memory, check_memory
from bayescape.study.split import held_out_rows


def test_the_same_seed_holds_out_the_same_rows():
    rows = held_out_rows(50, 0.2, seed=3)
    np.testing.assert_array_equal(rows, held_out_rows(50, 0.2, seed=3))
    assert len(set(rows.tolist())) == 10
    assert rows.min() >= 0
    assert rows.max() < 50
    assert not np.array_equal(rows, held_out_rows(50, 0.2, seed=4))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_fraction_out_of_range(fraction):
    with pytest.raises(DataError, match="strictly between 0 and 1"):
        held_out_rows(50, fraction, seed=0)


def test_fractions_that_leave_too_little():
    with pytest.raises(DataError, match="leaves no row to test on"):
        held_out_rows(4, 0.1, seed=0)
    with pytest.raises(DataError, match="leaves 1 to fit; at least 3"):
        held_out_rows(10, 0.9, seed=0)


def test_too_many_rows_for_the_memory_say_how_many_would_do():
    with pytest.raises(DataError, match=r"1,000,000 rows need about .* GiB .* at most") as caught:
        check_memory(1_000_000, 5, available=8 * 2**30)
    most = int(str(caught.value).split("at most ")[1].split()[0].replace(",", ""))
    check_memory(most, 5, available=8 * 2**30)
    with pytest.raises(DataError, match="GiB"):
        check_memory(most + 2, 5, available=8 * 2**30)


def test_the_machine_has_memory():
    assert 2**20 < available_memory() < 2**50
    check_memory(100, 5)
