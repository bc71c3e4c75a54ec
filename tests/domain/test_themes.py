"""A reseller's colours: shades that can be read in light and dark, or a refusal with one that can."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from webapp.domain.colours import WHITE, Colour, Shade, contrast
from webapp.domain.refusals import BrandTooPale
from webapp.domain.themes import ASKED, Font, Radius, Tokens, palette, style_sheet, suggestion

COLOURS = st.builds(Colour, *[st.integers(0, 255)] * 3)


def test_a_brand_that_can_be_read_is_used_as_it_is():
    shades = palette(Colour.parse("#a3195b"))
    assert shades.light.accent.text == "#a3195b"
    assert shades.light.on_accent == WHITE
    assert contrast(shades.light.accent, WHITE) == pytest.approx(7.37, abs=0.01)
    assert shades.dark.worst_contrast >= ASKED


def test_a_pale_brand_is_refused_with_a_darker_one_of_its_hue():
    yellow = Colour.parse("#ffd400")
    with pytest.raises(BrandTooPale) as refused:
        palette(yellow)
    found = Colour.parse(refused.value.suggestion)
    assert palette(found).light.accent == found
    assert Shade.of(found).hue == pytest.approx(Shade.of(yellow).hue, abs=4)
    assert Shade.of(found).lightness < Shade.of(yellow).lightness


@given(COLOURS)
@example(Colour(0, 0, 0))
@example(WHITE)
@example(Colour(255, 255, 0))
@example(Colour(0, 0, 255))
@settings(max_examples=150, deadline=None)
def test_any_colour_gives_text_that_can_be_read_or_a_suggestion_that_does(brand):
    try:
        shades = palette(brand)
    except BrandTooPale as refused:
        shades = palette(Colour.parse(refused.suggestion))
    for scheme in (shades.light, shades.dark):
        assert scheme.worst_contrast >= ASKED
    assert min(contrast(WHITE, shades.plaque), contrast(shades.dark.accent, shades.plaque)) >= ASKED


@given(COLOURS)
@settings(max_examples=60, deadline=None)
def test_a_suggestion_is_the_lightest_that_passes(brand):
    found = suggestion(brand)
    assert suggestion(found) == found
    if found != brand:
        lighter = Shade.of(found)._replace(lightness=Shade.of(found).lightness + 0.03).colour
        with pytest.raises(BrandTooPale):
            palette(lighter)


@given(COLOURS)
@settings(max_examples=60, deadline=None)
def test_a_colour_survives_the_journey_to_lightness_and_hue(colour):
    there_and_back = Shade.of(colour).colour
    assert all(abs(one - other) <= 1 for one, other in zip(colour, there_and_back, strict=True))


def test_the_sheet_says_custom_properties_and_nothing_else():
    sheet = style_sheet(Tokens(Colour.parse("#a3195b"), Radius.SOFT, Font.WIDE))
    lines = sheet.splitlines()
    assert (lines[0], lines[-1]) == (":root {", "}")
    assert all(line.startswith("  --") and line.endswith(";") for line in lines[1:-1])
    assert "  --theme-radius: 0.5rem;" in lines
    assert "url(" not in sheet


@pytest.mark.parametrize("text", ["", "#fff", "a3195b", "#a3195g", "#a3195b;", "red", "#a3195b\n"])
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(ValueError, match="is no colour"):
        Colour.parse(text)
