"""What publishing would do, and drafts brought up to date: worked examples, then any catalogue (C1, C2, S3)."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.domain.catalogue import Catalogue, CatalogueOption, CatalogueOptionPrice, PriceKey
from webapp.domain.catalogue_changes import FieldChange, Published, Standing, changes, differences, effect
from webapp.domain.catalogue_rebase import rebased
from webapp.domain.refusals import OptionKindFixed, PublicationTooEarly

JANUARY, MARCH, JUNE = date(2027, 1, 1), date(2027, 3, 1), date(2027, 6, 1)
MONTHLY, ANNUAL = PriceKey("monthly", "EUR", None), PriceKey("annual", "EUR", None)
TEXTS = {"fr": "Écran", "nl": "Scherm", "en": "Screen"}
SIGNAGE = CatalogueOption(
    code="signage",
    kind="recurring",
    icon="monitor",
    names=TEXTS,
    descriptions=TEXTS,
    unit_names={},
    offered_by=("pro",),
    included_by=(),
    requires=(),
    excludes=(),
    min_quantity=1,
    max_quantity=1,
    feature_code=None,
    prices=(CatalogueOptionPrice(MONTHLY, 1200), CatalogueOptionPrice(ANNUAL, 12000)),
)


def standing(entry=SIGNAGE, number=1, since=JANUARY, until=None, **begins):
    days = {price.key: begins.get(price.key.frequency, since) for price in entry.prices}
    return Standing(entry, number, since, until, entry.content_hash, days)


def dearer(cents):
    return replace(SIGNAGE, prices=(CatalogueOptionPrice(MONTHLY, cents), SIGNAGE.prices[1]))


def published(*standings):
    entries = tuple(each.entry for each in standings if each.is_on_sale)
    return Published(Catalogue((), (), entries), {}, {each.entry.code: each for each in standings})


def test_an_amount_alone_makes_a_new_price_of_the_same_version():
    done = effect(dearer(1300), standing(), JUNE)
    assert (done.what, done.number, done.prices) == ("price", 1, (CatalogueOptionPrice(MONTHLY, 1300),))


def test_what_is_said_the_same_does_nothing():
    assert effect(SIGNAGE, standing(), JUNE).what == "none"


@pytest.mark.parametrize(
    "entry",
    [
        replace(SIGNAGE, names=TEXTS | {"nl": "Bord"}),
        replace(SIGNAGE, prices=SIGNAGE.prices[:1]),  # a price taken away
        dearer(1300),  # a price that begins on the day on which the former one does
    ],
)
def test_the_rest_makes_a_new_version_with_all_its_prices(entry):
    done = effect(entry, standing(monthly=JUNE), JUNE)
    assert (done.what, done.number, done.prices) == ("version", 2, entry.prices)


def test_what_comes_back_on_sale_is_a_new_version():
    assert effect(SIGNAGE, standing(until=MARCH), JUNE).what == "version"


def test_history_is_not_rewritten_and_an_option_keeps_its_kind():
    with pytest.raises(PublicationTooEarly):
        effect(dearer(1300), standing(since=JUNE), MARCH)
    with pytest.raises(PublicationTooEarly):
        differences(published(standing(since=JUNE)), Catalogue((), (), ()), MARCH)
    with pytest.raises(OptionKindFixed):
        effect(replace(SIGNAGE, kind="one_off"), standing(), JUNE)


def test_a_comparison_names_each_field_once_with_both_sides():
    renamed = replace(dearer(1300), names=TEXTS | {"nl": "Bord"}, offered_by=("pro", "flex"))
    assert changes(SIGNAGE, renamed) == (
        FieldChange(("name", "nl"), "Scherm", "Bord"),
        FieldChange(("offered_by",), ("pro",), ("pro", "flex")),
        FieldChange(("price", MONTHLY), SIGNAGE.prices[0], CatalogueOptionPrice(MONTHLY, 1300)),
    )


def test_what_a_draft_leaves_out_is_withdrawn():
    [gone] = differences(published(standing()), Catalogue((), (), ()), JUNE)
    assert (gone.code, gone.what, gone.number) == ("signage", "withdrawn", 1)


def test_an_option_that_only_moves_is_told_as_moved():
    booking = replace(SIGNAGE, code="booking")
    found = differences(published(standing(), standing(booking)), Catalogue((), (), (booking, SIGNAGE)), JUNE)
    assert [(each.code, each.what, each.fields[0].path) for each in found] == [
        ("booking", "texts", ("position",)),
        ("signage", "texts", ("position",)),
    ]


@given(cents=st.integers(0, 5000), name=st.sampled_from(["Scherm", "Bord"]), is_kept=st.booleans())
@settings(max_examples=40)
def test_nothing_differs_exactly_when_publishing_would_do_nothing(cents, name, is_kept):
    entry = replace(dearer(cents), names=TEXTS | {"nl": name})
    draft = Catalogue((), (), (entry,) if is_kept else ())
    found = differences(published(standing()), draft, JUNE)
    assert (not found) == (is_kept and effect(entry, standing(), JUNE).what == "none")


# ── Brought up to date ───────────────────────────────────────────────────────────────────────────────────────────

SECTION = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3), max_size=4)


def fields(plans):
    return {
        "features": [],
        "options": [],
        "plans": [{"code": code, "rank": rank} for code, rank in plans.items()],
    }


def plans_of(rebased_fields):
    return {entry["code"]: entry["rank"] for entry in rebased_fields["plans"]}


def test_a_draft_keeps_what_it_changed_and_takes_up_the_rest():
    base, now, own = {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "d": 1}, {"a": 1, "b": 3, "c": 1}
    merged, conflicts = rebased(fields(base), fields(now), fields(own))
    assert plans_of(merged) == {"a": 2, "b": 3, "d": 1} and conflicts == [("plans", "b")]


@given(base=SECTION, now=SECTION, own=SECTION)
@settings(max_examples=60)
def test_one_side_alone_decides_and_both_sides_together_keep_the_drafts(base, now, own):
    merged, conflicts = rebased(fields(base), fields(now), fields(own))
    for code in "abcd":
        was, is_now, mine, kept = (each.get(code) for each in (base, now, own, plans_of(merged)))
        assert kept == (is_now if mine == was else mine)
        assert (("plans", code) in conflicts) == (mine != was and is_now not in (was, mine))
