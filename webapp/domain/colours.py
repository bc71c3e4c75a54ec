"""Colours as a rule can reason about them: written in hexadecimal, mixed in OKLCH, compared by contrast.

OKLCH says lightness (0 to 1), chroma (0 is grey) and hue (degrees); two colours of one lightness look equally light,
which makes shades predictable. Sources: Björn Ottosson, "A perceptual color space for image processing" (2020), as in
CSS Color 4; contrast is WCAG 2.2, "relative luminance" and "contrast ratio".
"""

import re
from math import atan2, cos, degrees, hypot, radians, sin
from typing import NamedTuple, Self

HEXADECIMAL = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


class Colour(NamedTuple):
    """One opaque sRGB colour, each part from 0 to 255.

    >>> Colour.parse("#A3195B").text
    '#a3195b'
    """

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Six hexadecimal digits after #. Raises ValueError for anything else."""
        if not HEXADECIMAL.fullmatch(text):
            raise ValueError(f"{text!r} is no colour such as #a3195b")
        return cls(*bytes.fromhex(text[1:]))

    @property
    def text(self) -> str:
        return "#" + bytes(self).hex()

    @property
    def luminance(self) -> float:
        """Relative, from 0 (black) to 1 (white)."""
        red, green, blue = map(_linear, self)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Shade(NamedTuple):
    """A colour in OKLCH. It may lie outside what a screen shows: `colour` then gives up chroma, never lightness."""

    lightness: float
    chroma: float
    hue: float

    @classmethod
    def of(cls, colour: Colour) -> Self:
        lightness, a, b = _oklab(colour)
        return cls(lightness, hypot(a, b), degrees(atan2(b, a)) % 360)

    @property
    def colour(self) -> Colour:
        found = _rgb(self)
        if found is None:
            low, high = 0.0, self.chroma
            for _ in range(24):
                middle = (low + high) / 2
                low, high = (low, middle) if _rgb(self._replace(chroma=middle)) is None else (middle, high)
            found = _rgb(self._replace(chroma=low)) or (Colour(0, 0, 0) if self.lightness < 0.5 else WHITE)
        return found


WHITE = Colour(255, 255, 255)


def contrast(one: Colour, other: Colour) -> float:
    """From 1 (the same) to 21 (black on white); text of a normal size asks for 4.5 (AA).

    >>> round(contrast(Colour(0, 0, 0), WHITE), 1)
    21.0
    """
    darker, lighter = sorted((one.luminance, other.luminance))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(one: Colour, other: Colour, part: float) -> Colour:
    """`part` (0 to 1) of `one` in `other`, mixed in OKLab as `color-mix(in oklab, …)` does."""
    mix = [part * mine + (1 - part) * theirs for mine, theirs in zip(_oklab(one), _oklab(other), strict=True)]
    lightness, a, b = mix
    return Shade(lightness, hypot(a, b), degrees(atan2(b, a)) % 360).colour


def _linear(part: int) -> float:
    value = part / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _oklab(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = map(_linear, colour)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _rgb(shade: Shade) -> Colour | None:
    """The same in sRGB, None when a screen cannot show it."""
    a, b = shade.chroma * cos(radians(shade.hue)), shade.chroma * sin(radians(shade.hue))
    long = (shade.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (shade.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (shade.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    parts = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    if any(not -0.0005 <= part <= 1.0005 for part in parts):
        return None
    return Colour(*(_encoded(min(1.0, max(0.0, part))) for part in parts))


def _encoded(part: float) -> int:
    value = 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
    return round(255 * value)
