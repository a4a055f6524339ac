"""Damaged files, and what must come of reading one: the content, or a sentence that names the file."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

EXTREMES = (
    b'\0', b'\xff', b'\x7f', b'\x80', b'\0' * 4, b'\xff' * 4, b'\xff' * 8, b'\x7f\xff\xff\xff', b'\xff\xff\xff\x7f',
    b'\0\0\0\x01', b'nan', b'inf', b'-1', b'1e999', b'9' * 30, b'\n', b'"', b'{', b'[', b'(', b',', b'..')
SECONDS = 20  # no file of the tests takes a hundredth of it


@st.composite
def damaged(draw: Callable, files: list[bytes]) -> bytes:
    """One of ``files`` with a few bytes changed, put in, repeated or cut off; rarely, only noise."""
    data = bytearray(draw(st.sampled_from(files)))
    kinds = draw(st.lists(st.sampled_from(['flip', 'overwrite', 'insert', 'remove', 'repeat', 'cut', 'noise']),
                          min_size=1, max_size=4))
    for kind in kinds:
        # Headers are short, and what can go wrong is in them.
        at = draw(st.one_of(st.integers(0, min(len(data), 64)), st.integers(0, len(data))))
        length = draw(st.integers(1, 32))
        if kind == 'flip' and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 'overwrite':
            extreme = draw(st.sampled_from(EXTREMES))
            data[at:at + len(extreme)] = extreme
        elif kind == 'insert':
            data[at:at] = draw(st.sampled_from(EXTREMES))
        elif kind == 'remove':
            del data[at:at + length]
        elif kind == 'repeat':
            data[at:at] = data[at:at + length] * draw(st.integers(1, 50))
        elif kind == 'cut':
            del data[at:]
        elif kind == 'noise':
            data = bytearray(draw(st.binary(max_size=200)))
    return bytes(data)


def read_or_refuse(read: Callable[[Path], object], path: Path) -> bool:
    """Whether ``read`` refused a file, as it should: in time, with a message that names it or its folder."""
    try:
        with time_limit():
            read(path)
    except (ValueError, OSError) as error:
        assert not isinstance(error, Hang), f'{path} was not read within {SECONDS} s'
        assert path.name in str(error) or str(path.parent) in str(error), f'{path.name} is not named: {error!r}'
        return True
    return False


class Hang(OSError):
    """A file took far too long."""


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise ``Hang`` in a block that does not end."""
    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
