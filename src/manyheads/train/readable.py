"""Scores as people read them."""

from __future__ import annotations

import math


def readable(score: float, places: int = 4) -> str:
    """Return a score, most of which are shares, with so many places.

    What is too large or too small for that, such as errors in a currency or of lengths in metres,
    has as many digits instead; what has no meaning is a dash.
    """
    if math.isnan(score):
        return "–"
    if score == 0 or 10**-places <= abs(score) < 10**places:
        return f"{score:.{places}f}"
    is_whole = 1 < abs(score) < 1e12
    return f"{score:,.0f}" if is_whole else f"{score:.{places - 1}e}"
