import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon.smpp.framing import MAX_PDU_BYTES, Frame, Framer, FramingError, frame

frames = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=300)
)


@given(st.lists(frames, max_size=8), st.data())
def test_any_cut_of_the_stream_gives_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(frame(*one) for one in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    framer = Framer()
    got: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += framer.feed(stream[start:end])
    assert got == sent


def test_octet_by_octet() -> None:
    framer = Framer()
    stream = frame(4, 0, 7, b"body") + frame(0x15, 0, 8)
    got = [one for octet in stream for one in framer.feed(bytes([octet]))]
    assert got == [(4, 0, 7, b"body"), (0x15, 0, 8, b"")]


@pytest.mark.parametrize("length", [0, 1, 15, MAX_PDU_BYTES + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_trap_01_a_length_that_cannot_be_true_is_an_error_as_soon_as_it_is_known(length: int) -> None:
    with pytest.raises(FramingError):
        Framer().feed(struct.pack(">I", length))
    with pytest.raises(FramingError):
        Framer().feed(struct.pack(">IIII", length, 4, 0, 1) + b"x" * 10)


def test_trap_01_frames_before_the_fault_are_not_lost() -> None:
    with pytest.raises(FramingError) as error:
        Framer().feed(frame(0x80000004, 0, 1, b"id\0") + b"\0\0\0\x08garbage garbage")
    assert error.value.frames == [(0x80000004, 0, 1, b"id\0")]


def test_trap_01_memory_follows_what_came_not_what_was_announced() -> None:
    framer = Framer()
    assert framer.feed(struct.pack(">IIII", MAX_PDU_BYTES, 4, 0, 1)) == []
    assert len(framer._held) == 16


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_garbage_never_raises_anything_but_a_framing_error(chunks: list[bytes]) -> None:
    framer = Framer()
    try:
        for chunk in chunks:
            framer.feed(chunk)
    except FramingError:
        pass
