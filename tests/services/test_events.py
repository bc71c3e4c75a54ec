"""Events: what the catalogue promises, what is recorded, and the place each has in the feed."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from jsonschema_rs import validator_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_reseller, a_subscription, an_account, noon, pays
from webapp.domain.access import SYSTEM
from webapp.domain.option_change import Wish
from webapp.models.events import Event, PublishingMark
from webapp.models.invoices import Invoice
from webapp.services import (
    api_keys,
    billing,
    credit_notes,
    establishments,
    events,
    options,
    renewals,
    subscriptions,
    terminations,
)
from webapp.services.subscriptions import NewEstablishment

STARTS, TODAY = date(2026, 11, 1), date(2026, 11, 16)


def told(session: Session, *kinds: str) -> list[Event]:
    found = session.scalars(select(Event).order_by(Event.id))
    return [event for event in found if not kinds or event.kind in kinds]


def everything(session: Session) -> list[str]:
    """Publish all there is; the kinds in the order of the feed."""
    while events.publish(session) == events.PAGE:
        pass
    return [
        event.kind
        for event in session.scalars(
            select(Event).where(Event.position.is_not(None)).order_by(Event.position)
        )
    ]


def test_each_example_is_what_its_kind_promises() -> None:
    for kind in (*events.CATALOGUE.values(), events.TEST_KIND):
        validator_for(kind.schema).validate(kind.example)
        assert kind.when and not kind.when.endswith("."), kind.code


def test_the_documentation_says_what_the_catalogue_says() -> None:
    written = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert written.endswith(events.as_markdown() + "\n"), events.as_markdown()


def test_a_kind_that_nobody_described_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match="describe it"):
        events.record(session, "account.dreamt", None, {}, noon(TODAY))


# ── What is recorded ─────────────────────────────────────────────────────────────────────────────────────────────


def test_signing_is_told(session: Session) -> None:
    signed = a_subscription(session, starts_on=STARTS)
    [event] = told(session)
    assert (event.kind, event.account_id) == ("subscription.signed", signed.account_id)
    assert event.data == {
        "account": signed.account.reference,
        "subscription": str(signed.id),
        "plan": "pro",
        "frequency": "monthly",
        "on": "2026-11-01",
    }


def change_plan(session: Session, signed: object, plan: str, on: date) -> None:
    shown = subscriptions.preview_plan(session, signed.id, plan, "monthly", on)  # type: ignore[attr-defined]
    subscriptions.change_plan(
        session,
        signed.id,
        plan,
        "monthly",
        shown.fingerprint,
        on,
        noon(on),
        CLAIRE,
        "",  # type: ignore[attr-defined]
    )


def test_a_plan_is_told_when_it_takes_effect_and_when_it_is_scheduled(session: Session) -> None:
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    change_plan(session, signed, "premium", TODAY)
    [now] = told(session, "subscription.changed")
    assert (now.data["plan"], now.data["on"]) == ("premium", "2026-11-16")
    change_plan(session, signed, "pro", date(2026, 11, 17))
    [later] = told(session, "subscription.change_scheduled")
    assert later.data["change"] == "plan" and later.data["plan"] == "pro"
    on = date.fromisoformat(later.data["on"])
    billing.bill_due(session, signed.id, on, noon(on))
    assert [each.data["plan"] for each in told(session, "subscription.changed")] == ["premium", "pro"]
    assert told(session, "subscription.changed")[-1].data["on"] == later.data["on"]


def test_options_are_told_with_the_quantity_they_have_from_their_day(session: Session) -> None:
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    for wanted, expected in ((2, ("2026-11-16", 2)), (0, ("2026-12-01", 0))):
        on = TODAY if wanted else TODAY + timedelta(days=1)
        wishes = [Wish("emails", wanted)]
        shown = options.preview(session, signed.id, wishes, on)
        options.save(session, signed.id, wishes, shown.fingerprint, on, noon(on), CLAIRE, "")
        last = told(session, "subscription.options_changed")[-1]
        [moved] = last.data["options"]
        assert (moved["option"], moved["establishment"]) == ("emails", None)
        assert (moved["on"], moved["quantity"]) == expected
    renewals.turn(session, signed.id, date(2026, 12, 1), noon(date(2026, 12, 1)), "")
    billing.bill_due(session, signed.id, date(2026, 12, 1), noon(date(2026, 12, 1)))
    applied = told(session, "subscription.options_changed")[2:]
    assert [each.data["options"][0]["quantity"] for each in applied] == [0]


def test_establishments_are_told_by_their_identifier(session: Session) -> None:
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS, establishments=2)
    adding = [NewEstablishment("Le Zinc", "Rue Haute 9", "1000", "Bruxelles")]
    shown = establishments.preview(session, signed.id, adding, [], TODAY)
    done = establishments.save(
        session, signed.id, adding, [], shown.fingerprint, TODAY, noon(TODAY), CLAIRE, ""
    )
    [row] = done.added
    details = establishments.find(session, signed.id, row.id)
    details = NewEstablishment("Le Comptoir", details.street, details.postcode, details.city)
    establishments.edit(session, signed.id, row.id, details, TODAY, noon(TODAY), CLAIRE)
    gone = [row.id.hex]
    shown = establishments.preview(session, signed.id, [], gone, TODAY)
    establishments.save(session, signed.id, [], gone, shown.fingerprint, TODAY, noon(TODAY), CLAIRE, "")
    establishments.undo_removal(session, signed.id, row.id, TODAY, noon(TODAY), CLAIRE)
    moves = [
        {name: [each["name"] for each in event.data[name]] for name in ("added", "removed", "edited")}
        for event in told(session, "subscription.establishments_changed")
    ]
    assert moves == [
        {"added": ["Le Zinc"], "removed": [], "edited": []},
        {"added": [], "removed": [], "edited": ["Le Comptoir"]},
        {"added": [], "removed": ["Le Comptoir"], "edited": []},
        {"added": ["Le Comptoir"], "removed": [], "edited": []},
    ]
    ids = {
        each["id"]
        for event in told(session, "subscription.establishments_changed")
        for name in ("added", "removed", "edited")
        for each in event.data[name]
    }
    assert ids == {str(row.id)}


def test_a_termination_is_told_when_given_taken_back_and_true(session: Session) -> None:
    signed = a_subscription(session, plan="flex", starts_on=STARTS, billed_through=STARTS)
    for _ in range(2):
        shown = terminations.preview(session, signed.id, TODAY)
        done = terminations.terminate(
            session, signed.id, "price", "", shown.fingerprint, TODAY, noon(TODAY), CLAIRE, ""
        )
        if len(told(session, "subscription.change_cancelled")) == 0:
            terminations.cancel(session, signed.id, done.change_id, TODAY, noon(TODAY), CLAIRE, "")
    given = told(session, "subscription.change_scheduled")
    [taken_back] = told(session, "subscription.change_cancelled")
    assert [each.data["change"] for each in given] == ["termination"] * 2
    assert taken_back.data["on"] == given[0].data["on"]
    end = date.fromisoformat(given[-1].data["on"])
    billing.bill_due(session, signed.id, end, noon(end))
    renewals.turn(session, signed.id, end, noon(end), "")
    [ended] = told(session, "subscription.ended")
    assert ended.data["on"] == end.isoformat()


def test_a_renewal_is_told(session: Session) -> None:
    signed = a_subscription(session, starts_on=date(2025, 11, 1), billed_through=date(2026, 11, 1))
    renewals.turn(session, signed.id, STARTS, noon(STARTS), "")
    [renewed] = told(session, "subscription.renewed")
    assert renewed.data["on"] == "2026-11-01"


def test_what_is_undone_was_never_told(session: Session) -> None:
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    session.commit()
    change_plan(session, signed, "premium", TODAY)
    session.rollback()
    assert told(session, "subscription.changed") == []


# ── Publishing ───────────────────────────────────────────────────────────────────────────────────────────────────


def a_consumer(
    session: Session, name: str = "Sites", reseller: str | None = None, on: date = STARTS
) -> object:
    return api_keys.open_consumer(session, name, reseller, noon(on), SYSTEM)


def test_documents_are_told_from_their_series_each_once_before_what_pays_them(session: Session) -> None:
    consumer = a_consumer(session)
    signed = a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    invoice = session.scalars(select(Invoice)).one()
    pays(session, invoice, invoice.total_cents)
    assert events.is_behind(session)
    kinds = everything(session)
    assert kinds.index("invoice.issued") < kinds.index("payment.received")
    assert not events.is_behind(session)
    wish = credit_notes.Wish()
    shown = credit_notes.preview(session, invoice.number, wish, TODAY)
    credit_notes.issue(session, invoice.number, wish, shown.fingerprint, "Erreur", TODAY, noon(TODAY), CLAIRE)
    assert everything(session)[-1] == "credit_note.issued"
    assert everything(session).count("invoice.issued") == 1
    [issued] = told(session, "invoice.issued")
    assert issued.account_id == signed.account_id
    assert issued.data["number"] == invoice.number and issued.data["total_cents"] == invoice.total_cents
    assert told(session, "credit_note.issued")[0].data["total_cents"] == -invoice.total_cents
    assert [each.kind for each in events.feed(session, consumer)] == everything(session)  # type: ignore[arg-type]


def test_documents_of_before_the_first_consumer_are_not_told(session: Session) -> None:
    a_subscription(session, starts_on=STARTS, billed_through=STARTS)
    everything(session)
    assert told(session, "invoice.issued") == []
    a_consumer(session, on=date(2026, 11, 30))
    second = a_subscription(session, starts_on=date(2026, 12, 1), billed_through=date(2026, 12, 1))
    everything(session)
    assert [each.account_id for each in told(session, "invoice.issued")] == [second.account_id]


@pytest.mark.parametrize("page", [1, 2, 7])
def test_pages_of_any_size_tell_the_same_documents(session: Session, page: int) -> None:
    a_consumer(session)
    for _ in range(3):
        a_subscription(session, starts_on=STARTS, billed_through=date(2026, 12, 1))
    numbers = session.scalars(select(Invoice.number).order_by(Invoice.series_number)).all()
    for _ in range(40):
        events.publish(session, page)
    assert [each.data["number"] for each in told(session, "invoice.issued")] == list(numbers)
    positions = session.scalars(select(Event.position).order_by(Event.position)).all()
    assert list(positions) == list(range(1, len(positions) + 1))
    assert session.get_one(PublishingMark, events.POSITION).last == len(positions)


def test_a_reseller_reads_what_concerns_its_clients(session: Session) -> None:
    ours = a_consumer(session)
    theirs = a_consumer(session, "HorecaPlus", a_reseller(session).slug)
    a_subscription(session, starts_on=STARTS)
    client = a_subscription(session, plan="salle", starts_on=STARTS, reseller=a_reseller(session))
    everything(session)
    assert len(events.feed(session, ours)) == 2  # type: ignore[arg-type]
    [message] = events.feed(session, theirs)  # type: ignore[arg-type]
    assert message.data["account"] == client.account.reference


def test_the_feed_goes_on_from_where_the_reader_is(session: Session) -> None:
    consumer = a_consumer(session)
    account = an_account(session)
    for day in range(1, 6):
        facts = {"account": account.reference, "cause": "unpaid", "invoices": [], "on": f"2026-11-0{day}"}
        kind = "account.suspended" if day % 2 else "account.restored"
        events.record(session, kind, account.id, facts, noon(STARTS + timedelta(days=day)))
    everything(session)
    first = events.feed(session, consumer, limit=2)  # type: ignore[arg-type]
    rest = events.feed(session, consumer, after=first[-1].position or 0)  # type: ignore[arg-type]
    assert [each.data["on"][-1] for each in (*first, *rest)] == ["1", "2", "3", "4", "5"]
    only = events.feed(session, consumer, kind="account.restored", account=account.reference)  # type: ignore[arg-type]
    assert [each.data["on"][-1] for each in only] == ["2", "4"]
    assert events.feed(session, consumer, account="CA-0") == []  # type: ignore[arg-type]
