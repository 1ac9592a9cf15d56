"""Which rows are held out for the comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayescape.study.data import FEWEST_ROWS, DataError

__all__ = ["held_out_rows"]


def held_out_rows(n: int, fraction: float, seed: int) -> NDArray[np.int_]:
    """Positions of a random part of ``n`` rows, in order.

    Parameters
    ----------
    n
        Rows there are.
    fraction
        Part to hold out, strictly between 0 and 1; rounded to whole rows.
    seed
        The same seed holds out the same rows.

    Raises
    ------
    DataError
        If the fraction is out of range, or leaves too few rows on either side.
    """
    if not 0 < fraction < 1:
        raise DataError(
            f"the fraction of rows to test on must lie strictly between 0 and 1, got {fraction:g}"
        )
    count = round(fraction * n)
    if count < 1:
        raise DataError(f"a fraction of {fraction:g} of {n} rows leaves no row to test on")
    if n - count < FEWEST_ROWS:
        raise DataError(
            f"a fraction of {fraction:g} of {n} rows leaves {n - count} to fit; at least "
            f"{FEWEST_ROWS} are needed"
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 3]))
    return np.sort(rng.permutation(n)[:count])
