"""Quotations from request to invoice: every step told, audited, and refused when its time has passed."""

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, Signed, a_reseller, a_subscription, a_user, noon
from webapp.domain.access import Actor
from webapp.domain.money import euros
from webapp.domain.refusals import QuotationClosed, QuotationExpired, QuotationPending, Refusal, UnknownOption
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.models.subscriptions import Quotation
from webapp.services import quotations
from webapp.services.quotations import QuotationNotFound

TENTH, LAST = date(2026, 11, 10), date(2026, 11, 30)
NORA = Actor(kind="staff", id="nora", name="Nora Maes")


def signed(session: Session, **more: object) -> Signed:
    made = a_subscription(session, billed_through=TENTH, **more)  # type: ignore[arg-type]
    a_user(session, made.account)
    return made


def ask(session: Session, of: Signed, code: str = "concierge") -> Quotation:
    return quotations.request(
        session,
        of.id,
        code,
        "Tenir le site",
        TENTH,
        noon(TENTH),
        CLAIRE,
        "lien",
        lambda number: f"devis {number}",
    )


def answer(session: Session, quotation: Quotation, today: date = TENTH, until: date = LAST) -> Quotation:
    monthly, annual = euros("60.00"), euros("600.00")
    return quotations.answer(
        session, quotation.id, monthly, annual, "Deux heures.", until, today, noon(today), NORA, "lien"
    )


def accept(session: Session, of: Signed, quotation: Quotation, today: date = TENTH) -> int | None:
    shown = quotations.preview_acceptance(session, of.id, quotation.id, today)
    saved = quotations.accept(
        session, of.id, quotation.id, shown.fingerprint, today, noon(today), CLAIRE, link="lien"
    )
    return saved.document.net_cents if saved.document else None


def test_each_step_is_audited_and_mailed(session: Session) -> None:
    of = signed(session)
    quotation = answer(session, ask(session, of))
    assert accept(session, of, quotation) == 4200  # 60,00 × 21/30
    actions = session.scalars(
        select(AuditEntry.action).where(AuditEntry.account_id == of.account_id).order_by(AuditEntry.id)
    ).all()
    assert [each for each in actions if each.startswith("quotation.")] == [
        "quotation.requested",
        "quotation.answered",
        "quotation.accepted",
    ]
    mails = session.scalars(
        select(OutboxMessage.template).where(OutboxMessage.template.like("quotation%"))
    ).all()
    assert mails == ["quotation_requested", "quotation_for_staff", "quotation_answered"]
    assert (quotation.status, quotation.closed_by) == ("accepted", CLAIRE.name)


def test_annual_billing_takes_the_annual_price(session: Session) -> None:
    of = signed(session, frequency="annual")
    assert accept(session, of, answer(session, ask(session, of))) == 18247  # 600,00 × 111/365


def test_the_last_day_counts_and_the_next_does_not(session: Session) -> None:
    of = signed(session)
    quotation = answer(session, ask(session, of))
    assert quotations.preview_acceptance(session, of.id, quotation.id, LAST).change.moves
    with pytest.raises(QuotationExpired):
        quotations.preview_acceptance(session, of.id, quotation.id, date(2026, 12, 1))
    with pytest.raises(QuotationExpired):
        answer(session, quotation, today=TENTH, until=date(2026, 11, 9))


def test_one_request_at_a_time_until_it_is_declined(session: Session) -> None:
    of = signed(session)
    first = ask(session, of)
    with pytest.raises(QuotationPending):
        ask(session, of)
    with pytest.raises(QuotationClosed):
        quotations.preview_acceptance(session, of.id, first.id, TENTH)  # no price yet
    quotations.decline(session, of.id, first.id, TENTH, noon(TENTH), CLAIRE, "lien")
    with pytest.raises(QuotationClosed):
        answer(session, first)
    assert ask(session, of).id != first.id


def test_only_what_is_quoted_can_be_asked_for(session: Session) -> None:
    of = signed(session)
    for code in ("reviews", "unknown"):
        with pytest.raises(UnknownOption):
            ask(session, of, code)
    client = signed(session, reseller=a_reseller(session))
    with pytest.raises(Refusal):  # a reseller quotes for itself
        ask(session, client)


def test_anothers_quotation_does_not_exist(session: Session) -> None:
    mine, other = signed(session), signed(session)
    quotation = answer(session, ask(session, mine))
    with pytest.raises(QuotationNotFound):
        quotations.preview_acceptance(session, other.id, quotation.id, TENTH)
    with pytest.raises(QuotationNotFound):
        quotations.decline(session, other.id, quotation.id, TENTH, noon(TENTH), CLAIRE, "lien")
