"""Which uploaded files are decoded at all."""

from pathlib import Path

from PIL import Image

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 2048 * 1024
"""As many as an image of Cityscapes has. For half of them the toy MADM takes 13 s of one core."""

_OTHERWISE = 'Make it smaller, or let `mmdass infer` segment it.'
_SIGNATURES = {b'\x89PNG\r\n\x1a\n': 'PNG', b'\xff\xd8\xff': 'JPEG', b'BM': 'BMP'}


class RefusedImageError(ValueError):
    """A file that the page does not decode, in a sentence for who uploaded it."""


def require_image(path: str | Path) -> None:
    """Decode a file of unknown origin once, by the one decoder of Pillow that its first bytes choose.

    Its size is looked at before its bytes, those before its header, and the header before its pixels, so that what is
    refused costs neither time nor memory.

    Raises:
        RefusedImageError: The file is empty, too large, no PNG, JPEG, WebP or BMP, has too many pixels, or is damaged.
    """
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        raise RefusedImageError('The file is empty: it has 0 bytes.')
    if size > MAX_BYTES:
        raise RefusedImageError(
            f'The file has {size / 2**20:.0f} MiB; this page takes {MAX_BYTES // 2**20}. {_OTHERWISE}')
    kind = _kind(path)
    if kind is None:
        raise RefusedImageError(
            'The file is no PNG, JPEG, WebP or BMP, whatever its name says: its first bytes are those of something '
            'else. This page takes no other kinds.')
    try:
        with Image.open(path, formats=[kind]) as image:
            width, height = image.size
            if width * height <= MAX_PIXELS:
                image.load()
    except Image.DecompressionBombError:
        width = height = 2**16
    except Exception as error:  # Pillow's decoders meet damage with whatever its bytes lead to
        raise RefusedImageError(f'The file begins like a {kind} and cannot be decoded: {error}.') from error
    if width * height > MAX_PIXELS:
        raise RefusedImageError(
            f'The picture has more than {MAX_PIXELS / 1e6:.1f} megapixels, which this page does not decode. '
            f'{_OTHERWISE}')


def _kind(path: Path) -> str | None:
    with path.open('rb') as file:
        head = file.read(12)
    if head[:4] == b'RIFF' and head[8:] == b'WEBP':
        return 'WEBP'
    return next((kind for signature, kind in _SIGNATURES.items() if head.startswith(signature)), None)
