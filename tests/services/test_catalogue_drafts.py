"""Drafts kept, compared and published, on both databases (S3)."""

from datetime import date

import pytest
from sqlalchemy import select

from tests import builders
from tests.builders import CATALOGUE, CLAIRE, noon
from webapp.adapters.catalogue_file import BrokenFile, read_catalogue, read_draft
from webapp.adapters.catalogue_tree import fields_of, file_text
from webapp.domain.access import Actor
from webapp.domain.catalogue import PriceKey
from webapp.domain.refusals import DraftChanged, DraftClosed, DraftIncomplete, DraftOutdated, StalePreview
from webapp.models.catalogue import PlanVersion
from webapp.services import catalogue, catalogue_drafts, catalogue_holders, catalogue_published
from webapp.services.subscriptions import NewOption

TODAY, JANUARY = date(2026, 11, 16), date(2027, 1, 1)
NOW = noon(TODAY)
LUC = Actor(kind="staff", id="luc", name="Luc Aerts")
MONTHLY = PriceKey("monthly", "EUR", None)


@pytest.fixture
def signed(session):
    options = [NewOption("emails", 4)]
    return builders.a_subscription(session, starts_on=date(2026, 10, 1), options=options)


@pytest.fixture
def draft(session, signed):
    return catalogue_drafts.start(session, "Tarifs 2027", LUC, NOW)


def with_price(draft, plan, amount):
    """The fields of the draft with another first tariff of a plan."""
    plans = [
        entry | {"prices": [entry["prices"][0] | {"amount": amount}, *entry["prices"][1:]]}
        if entry["code"] == plan
        else entry
        for entry in draft.content["plans"]
    ]
    return draft.content | {"plans": plans}


def publish(session, draft, key="k", on=JANUARY, fingerprint=None):
    shown = fingerprint or catalogue_drafts.compare(session, draft, on).fingerprint
    return catalogue_drafts.publish(session, draft.id, on, shown, key, LUC, NOW)


def test_what_is_published_is_read_back_as_the_file_that_published_it(session, signed, tmp_path):
    written = read_catalogue(CATALOGUE, ["horecaplus"])
    read = catalogue_published.published(session).catalogue
    assert {plan.code: plan.content_hash for plan in read.plans} == {
        p.code: p.content_hash for p in written.plans
    }
    assert {o.code: o.content_hash for o in read.options} == {o.code: o.content_hash for o in written.options}
    assert read.features == written.features
    file = tmp_path / "catalogue.yaml"
    file.write_text(file_text(fields_of(read)), encoding="utf-8")
    assert not catalogue.publish(session, catalogue.check(session, file), TODAY, LUC, NOW)


def test_a_file_and_a_draft_are_told_the_same(tmp_path):
    fields = fields_of(read_catalogue(CATALOGUE, ["horecaplus"]))
    fields["plans"][0]["name"]["nl"] = ""
    fields["plans"][0]["prices"][0]["amount"] = "39,00"
    fields["options"][0]["offered_by"] = ["por"]
    file = tmp_path / "catalogue.yaml"
    file.write_text(file_text(fields), encoding="utf-8")
    told = []
    for read, source in ((read_catalogue, file), (read_draft, fields)):
        with pytest.raises(BrokenFile) as broken:
            read(source, ["horecaplus"])
        told.append(sorted((each.path, each.message, str(each.facts)) for each in broken.value.problems))
    assert told[0] == told[1] and len(told[0]) >= 3


def test_a_draft_begins_with_nothing_to_publish(session, draft):
    assert catalogue_drafts.compare(session, draft, JANUARY).differences == []


def test_a_page_made_before_a_colleague_saved_is_refused(session, draft):
    taken = catalogue_drafts.take(session, draft.id, 1)
    catalogue_drafts.save(session, taken, with_price(draft, "pro", "84.00"), "plans/pro", LUC, NOW)
    with pytest.raises(DraftChanged) as refused:
        catalogue_drafts.take(session, draft.id, 1)
    assert refused.value.changed_by == "Luc Aerts"
    assert catalogue_drafts.take(session, draft.id, 2).version == 2


def test_publishing_prices_anew_keeps_what_was_signed_and_happens_once(session, draft, signed):
    catalogue_drafts.save(session, draft, with_price(draft, "pro", "84.00"), "plans/pro", LUC, NOW)
    shown = catalogue_drafts.compare(session, draft, JANUARY)
    assert [(each.code, each.what) for each in shown.differences] == [("pro", "price")]
    assert publish(session, draft).changes[0].what == "price"
    assert publish(session, draft, fingerprint=shown.fingerprint) is None  # the same key again
    with pytest.raises(DraftClosed):
        publish(session, draft, key="other", fingerprint=shown.fingerprint)
    offers = [
        next(offer for offer in catalogue.plans_for_sale(session, None, day) if offer.code == "pro")
        for day in (date(2026, 12, 31), JANUARY)
    ]
    assert [offer.price("monthly").amount_cents for offer in offers] == [7900, 8400]
    assert signed.subscription.plan_price.amount_cents == 7900
    assert len(session.scalars(select(PlanVersion).where(PlanVersion.number > 1)).all()) == 0


def test_a_draft_that_is_wrong_or_has_moved_is_not_published(session, draft):
    catalogue_drafts.save(session, draft, with_price(draft, "pro", "84.00"), "plans/pro", LUC, NOW)
    shown = catalogue_drafts.compare(session, draft, JANUARY)
    catalogue_drafts.save(session, draft, with_price(draft, "pro", "beaucoup"), "plans/pro", LUC, NOW)
    with pytest.raises(DraftIncomplete):
        publish(session, draft, fingerprint=shown.fingerprint)
    catalogue_drafts.save(session, draft, with_price(draft, "pro", "85.00"), "plans/pro", LUC, NOW)
    with pytest.raises(StalePreview):
        publish(session, draft, fingerprint=shown.fingerprint)


def test_what_was_published_meanwhile_is_not_undone_unseen(session, draft):
    other = catalogue_drafts.start(session, "Flex", CLAIRE, NOW)
    catalogue_drafts.save(session, other, with_price(other, "flex", "99.00"), "plans/flex", CLAIRE, NOW)
    publish(session, other)
    catalogue_drafts.save(session, draft, with_price(draft, "pro", "84.00"), "plans/pro", LUC, NOW)
    with pytest.raises(DraftOutdated):
        publish(session, draft)
    assert catalogue_drafts.bring_up_to_date(session, draft, LUC, NOW) == []
    assert [each.code for each in catalogue_drafts.compare(session, draft, JANUARY).differences] == ["pro"]
    assert publish(session, draft)


def test_holders_are_counted_by_version_and_signed_price(session, signed):
    builders.a_subscription(session, starts_on=date(2026, 11, 1))
    held = catalogue_holders.holders(session, TODAY)
    pro = next(each for each in held if each.code == "pro")
    emails = next(each for each in held if each.code == "emails")
    assert (pro.number, pro.key, pro.amount_cents, pro.count) == (1, MONTHLY, 7900, 2)
    assert (emails.key, emails.amount_cents, emails.count) == (MONTHLY, 250, 1)
    assert catalogue_holders.count_of(held, "plan", "pro", 1, MONTHLY) == 2
    assert catalogue_holders.count_of(held, "plan", "pro", 2) == 0
