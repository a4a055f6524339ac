"""Files that someone may drop on a page, and a word of what it should say of each."""

import struct
import zlib
from pathlib import Path

from PIL import Image

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="9" height="9"/></svg>'


def write_hostile(folder: Path) -> dict[str, tuple[Path, str]]:
    """By kind, the file and the word."""
    files = {
        'empty': (b'', 'is empty'),
        'text': (b'I am no picture. ' * 9, 'is no PNG'),
        'bomb': (_declared(60000, 60000), 'megapixels'),
        'svg': (SVG.encode(), 'is no PNG'),
        'half': (_declared(64, 64), 'cannot be decoded'),
    }
    found = {}
    for kind, (content, word) in files.items():
        path = folder / f'{kind}.{"svg" if kind == "svg" else "png"}'
        path.write_bytes(content)
        found[kind] = path, word
    Image.new('L', (10000, 5000)).save(folder / 'large.png')
    return found | {'large': (folder / 'large.png', 'megapixels')}


def _declared(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds almost none of its pixels."""
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b'\x89PNG\r\n\x1a\n' + _chunk(b'IHDR', header) + _chunk(b'IDAT', pixels)[:-6]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
