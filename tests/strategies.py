"""Hypothesis strategies: sizes that find the edges, and pictures of every kind of content."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Size = tuple[int, int]

nasty = settings(max_examples=3 * settings().max_examples)
"""For properties whose domain hides its traps: parsers, names, overlaps, rounding."""

lengths = st.one_of(st.integers(1, 12), st.integers(13, 90))
sizes = st.tuples(lengths, lengths)
channels = st.sampled_from([1, 3, 4])


@st.composite
def related(draw: st.DrawFn) -> tuple[Size, Size]:
    """Two sizes: any two, or two that a simple factor lies between."""
    pair = st.tuples(sizes, sizes)
    scaled = st.tuples(sizes, st.sampled_from([(1, 1), (2, 1), (3, 1), (3, 2), (5, 2)])).map(
        lambda drawn: (
            (drawn[0][0] * drawn[1][1], drawn[0][1] * drawn[1][1]),
            (drawn[0][0] * drawn[1][0], drawn[0][1] * drawn[1][0]),
        )
    )
    first, second = draw(st.one_of(pair, scaled))
    return draw(st.sampled_from([(first, second), (second, first)]))


@st.composite
def pictures(draw: st.DrawFn, size: Size, alpha: bool = True) -> Bytes:
    """Uint8 `[*size, 1, 3 or 4]`: noise, black and white, few levels, or hypothesis's own.

    Four channels come only with `alpha`.
    """
    shape = (*size, draw(channels if alpha else channels.filter(lambda count: count < 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([256, 2, 5]))
    made = st.just((rng.integers(0, levels, shape) * (255 // (levels - 1))).astype(np.uint8))
    return draw(st.one_of(made, arrays(np.uint8, shape)))
