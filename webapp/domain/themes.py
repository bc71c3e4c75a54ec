"""A reseller's theme: one brand colour, corners and letters, from which every shade is worked out (R1).

The brand is used as it is in light pages, and only if it can be read there; in dark pages it is lightened. Contrast is
asked of every pair that carries text, against each ground on which it may stand: at least 4.5 to 1 (WCAG 2.2, 1.4.3).
A brand that is too pale is refused with the nearest one, of the same hue, that passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from webapp.domain.colours import WHITE, Colour, Shade, contrast, mixed
from webapp.domain.refusals import BrandTooPale

ASKED = 4.5
# As css/tokens.css writes them: lightness and most chroma of the grounds, tinted with the brand's hue.
LIGHT_GROUNDS = ((0.968, 0.01), (0.975, 0.007), (0.945, 0.012))
DARK_GROUNDS = ((0.185, 0.014), (0.228, 0.016), (0.2, 0.014), (0.27, 0.018))
WASH = 0.09  # of the accent, in its own pale ground
NEUTRAL_CHROMA = 0.008


class Radius(StrEnum):
    """How round the corners are."""

    SQUARE = "square"
    SOFT = "soft"
    ROUND = "round"


class Font(StrEnum):
    """The letters: those that the portal brings, or those of the reader's machine."""

    FIGTREE = "figtree"
    PLAIN = "plain"
    SYSTEM = "system"
    WIDE = "wide"


RADII = {Radius.SQUARE: "0", Radius.SOFT: "0.5rem", Radius.ROUND: "0.875rem"}
# Text, then titles.
FONTS = {
    Font.FIGTREE: (
        'Figtree, "Segoe UI", system-ui, sans-serif',
        '"Bricolage Grotesque", Figtree, system-ui, sans-serif',
    ),
    Font.PLAIN: ('Figtree, "Segoe UI", system-ui, sans-serif',) * 2,
    Font.SYSTEM: ('system-ui, "Segoe UI", sans-serif',) * 2,
    Font.WIDE: ('Verdana, "DejaVu Sans", sans-serif',) * 2,
}


class Tokens(NamedTuple):
    """What a reseller asks for."""

    brand: Colour
    radius: Radius = Radius.ROUND
    font: Font = Font.FIGTREE


@dataclass(frozen=True, slots=True)
class Scheme:
    """The colours of light pages, or of dark ones. `grounds` are those on which `accent` is written."""

    accent: Colour
    hover: Colour
    on_accent: Colour
    grounds: tuple[Colour, ...]

    @property
    def worst_contrast(self) -> float:
        return min(contrast(one, other) for one, other in self._pairs())

    def _pairs(self) -> Iterator[tuple[Colour, Colour]]:
        yield self.on_accent, self.accent
        yield self.on_accent, self.hover
        for ground in self.grounds:
            yield self.accent, ground
            yield self.hover, ground


@dataclass(frozen=True, slots=True)
class Palette:
    """Every colour that a theme sets. Text on `plaque` is white, and its links are those of dark pages."""

    light: Scheme
    dark: Scheme
    plaque: Colour
    neutral: Colour


def palette(brand: Colour) -> Palette:
    """The shades of a brand. Raises BrandTooPale.

    >>> palette(Colour.parse("#a3195b")).light.accent.text
    '#a3195b'
    """
    found = _derived(brand)
    if _worst(found) < ASKED:
        raise BrandTooPale(brand.text, suggestion(brand).text)
    return found


def suggestion(brand: Colour) -> Colour:
    """The lightest colour of the brand's hue, no lighter than it, that passes. A brand that passes is its own."""
    if _worst(_derived(brand)) >= ASKED:
        return brand
    shade = Shade.of(brand)
    low, high = 0.0, shade.lightness
    best = shade._replace(lightness=0.25).colour
    for _ in range(20):
        middle = (low + high) / 2
        tried = shade._replace(lightness=middle).colour
        if _worst(_derived(tried)) >= ASKED:
            low, best = middle, tried
        else:
            high = middle
    return best


def style_sheet(tokens: Tokens) -> str:
    """The theme as CSS: custom properties only, each written by us. Raises BrandTooPale."""
    shades = palette(tokens.brand)
    text, titles = FONTS[tokens.font]
    light, dark = shades.light, shades.dark
    values = {
        "--theme-accent": tokens.brand.text,
        "--theme-plaque": shades.plaque.text,
        "--theme-neutral": shades.neutral.text,
        "--theme-font-text": text,
        "--theme-font-display": titles,
        "--theme-radius": RADII[tokens.radius],
        "--accent": f"light-dark({light.accent.text}, {dark.accent.text})",
        "--accent-strong": f"light-dark({light.hover.text}, {dark.hover.text})",
        "--on-accent": f"light-dark({light.on_accent.text}, {dark.on_accent.text})",
    }
    lines = "".join(f"  {name}: {value};\n" for name, value in values.items())
    return f":root {{\n{lines}}}\n"


def _derived(brand: Colour) -> Palette:
    shade = Shade.of(brand)
    lifted = shade._replace(lightness=max(shade.lightness, 0.8), chroma=min(shade.chroma, 0.1))
    light = _scheme(brand, _darker(shade).colour, WHITE, WHITE, _grounds(shade, LIGHT_GROUNDS))
    dark = _scheme(
        lifted.colour,
        shade._replace(lightness=min(0.97, lifted.lightness + 0.06), chroma=min(shade.chroma, 0.08)).colour,
        shade._replace(lightness=0.2, chroma=min(shade.chroma, 0.02)).colour,
        _grounds(shade, DARK_GROUNDS)[1],
        _grounds(shade, DARK_GROUNDS),
    )
    plaque = shade._replace(
        lightness=min(0.36, max(0.25, shade.lightness)), chroma=min(shade.chroma, 0.11)
    ).colour
    neutral = shade._replace(lightness=0.95, chroma=min(shade.chroma, NEUTRAL_CHROMA)).colour
    return Palette(light, dark, plaque, neutral)


def _darker(shade: Shade) -> Shade:
    """For the pointer over it; what is nearly black goes lighter, or nothing would be seen."""
    step = -0.07 if shade.lightness > 0.22 else 0.12
    return shade._replace(lightness=shade.lightness + step)


def _scheme(
    accent: Colour, hover: Colour, on_accent: Colour, surface: Colour, grounds: tuple[Colour, ...]
) -> Scheme:
    return Scheme(accent, hover, on_accent, (surface, *grounds, mixed(accent, surface, WASH)))


def _grounds(shade: Shade, wanted: tuple[tuple[float, float], ...]) -> tuple[Colour, ...]:
    return tuple(
        shade._replace(lightness=lightness, chroma=min(shade.chroma, most)).colour
        for lightness, most in wanted
    )


def _worst(found: Palette) -> float:
    on_plaque = min(contrast(each, found.plaque) for each in (WHITE, found.dark.accent))
    return min(found.light.worst_contrast, found.dark.worst_contrast, on_plaque)
