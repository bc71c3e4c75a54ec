"""A logo as bytes: which raster image it is, and how large. Drawings that can carry a script (SVG) are refused."""

import struct

PNG, JPEG = "image/png", "image/jpeg"
_PNG_BEGINS = b"\x89PNG\r\n\x1a\n"
# Markers that begin a JPEG frame and say its size; the three left out mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class NotAnImage(ValueError):
    """Neither a PNG nor a JPEG, whatever its name says."""


def recognise(content: bytes) -> tuple[str, int, int]:
    """Media type, width and height in pixels, read from the bytes themselves. Raises NotAnImage."""
    if content.startswith(_PNG_BEGINS) and content[12:16] == b"IHDR" and len(content) > 32:
        return PNG, *struct.unpack(">II", content[16:24])
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG, *_jpeg_size(content)
    raise NotAnImage()


def _jpeg_size(content: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise NotAnImage()
