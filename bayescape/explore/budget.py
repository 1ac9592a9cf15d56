"""What an exploration may spend: evaluations, or time."""

from __future__ import annotations

import dataclasses
import datetime
import math

import pandas as pd

__all__ = ["Budget"]


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """Limits of an exploration; infinite where there is none.

    Attributes
    ----------
    evaluations
        Gradient equivalents.
    seconds
        Of wall time.
    """

    evaluations: float = math.inf
    seconds: float = math.inf

    @classmethod
    def of(cls, budget: float | str | datetime.timedelta | None) -> Budget:
        """From what `bayescape.explore` takes.

        Raises
        ------
        ValueError
            If it is neither a positive number, nor a positive time, nor ``None``.
        """
        if budget is None:
            return cls()
        wrong = ValueError(
            "`budget` must be a positive number of gradient equivalents, a time such as '10 min' "
            f"or a timedelta, or None, got {budget!r}"
        )
        if isinstance(budget, str | datetime.timedelta):
            try:
                seconds = float(pd.Timedelta(budget).total_seconds())
            except ValueError:
                raise wrong from None
            if not seconds > 0 or (isinstance(budget, str) and _bare(budget)):
                raise wrong
            return cls(seconds=seconds)
        try:
            evaluations = float(budget)
        except (TypeError, ValueError):
            raise wrong from None
        if not evaluations > 0:
            raise wrong
        return cls(evaluations=evaluations)

    def __str__(self) -> str:
        if math.isfinite(self.seconds):
            return f"{self.seconds:,.6g} seconds"
        return f"{self.evaluations:,.0f} gradient equivalents"


def _bare(text: str) -> bool:
    """Whether a text is a number without a unit, which pandas would take for nanoseconds."""
    try:
        float(text)
    except ValueError:
        return False
    return True
