"""Small files of every format, damaged: each is refused, or read as it promises."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import WAYS
from test_damaged_files import check_cut_short

MANY = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("way", WAYS)
def test_truncated_at_every_byte(folder, way):
    check_cut_short(folder, way, range(len(WAYS[way].seed)))


@MANY
@given(
    way=st.sampled_from(sorted(WAYS)),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), min_size=1),
)
def test_flipped_bits(folder, way, flips):
    raw = bytearray(WAYS[way].seed)
    for position, bit in flips:
        raw[position % len(raw)] ^= 1 << bit
    WAYS[way].try_bytes(folder, bytes(raw))


@MANY
@given(
    way=st.sampled_from(sorted(WAYS)),
    head=st.integers(0, 64),
    tail=st.binary(max_size=200),
)
def test_random_bytes(folder, way, head, tail):
    WAYS[way].try_bytes(folder, WAYS[way].seed[:head] + tail)


@MANY
@given(
    way=st.sampled_from(sorted(WAYS)),
    cuts=st.lists(st.integers(0, 2000), min_size=3, max_size=3),
)
def test_repeated_and_missing_parts(folder, way, cuts):
    raw = WAYS[way].seed
    first, second, third = (cut % (len(raw) + 1) for cut in cuts)
    WAYS[way].try_bytes(folder, raw[:first] + raw[second:third] + raw[first:])
    WAYS[way].try_bytes(folder, raw[: min(first, second)] + raw[max(first, second) :])
