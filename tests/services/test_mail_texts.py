"""The mails of a contract's life, word for word, in each language: what they say as text and as HTML.

The snapshots are in tests/snapshots/mails. Of the HTML, what is kept is what a reader sees and where the links lead:
its looks are one template's.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction

import lxml.html
import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tests.builders import (
    CLAIRE,
    Signed,
    a_mandate,
    a_new_version,
    a_reseller,
    a_subscription,
    a_user,
    an_account,
    noon,
)
from tests.support.snapshots import agrees
from webapp.domain.access import ResellerRole, Role
from webapp.models.records import OutboxMessage
from webapp.services import (
    announcements,
    billing,
    gestures,
    memberships,
    method_ends,
    payment_methods,
    plan_migrations,
    plan_moves,
    renewals,
    reseller_people,
    terminations,
)
from webapp.services.discount_gestures import Grant
from webapp.services.gestures import Why
from webapp.services.payment_methods import Card
from webapp.services.plan_migrations import Asked
from webapp.services.plan_moves import Links

TODAY, LATE, END = date(2026, 11, 16), date(2027, 1, 2), date(2027, 3, 1)
LINK = "http://localhost/abonnements/0/engagement"
REFERENCE = "CAPP000418"
VISA = Card("demo", "cus_1", "pm_1", "Visa", "1881", (2026, 12))


def give_notice(session: Session, signed: Signed, on: date) -> int:
    shown = terminations.preview(session, signed.id, on)
    done = terminations.terminate(
        session, signed.id, "price", "", shown.fingerprint, on, noon(on), CLAIRE, LINK
    )
    return done.change_id


def in_time(session: Session, signed: Signed) -> None:
    give_notice(session, signed, TODAY)


def too_late(session: Session, signed: Signed) -> None:
    billing.bill_due(session, signed.id, LATE, noon(LATE))
    give_notice(session, signed, LATE)


def taken_back(session: Session, signed: Signed) -> None:
    change_id = give_notice(session, signed, TODAY)
    terminations.cancel(session, signed.id, change_id, TODAY, noon(TODAY), CLAIRE, LINK)


def withdrawn(session: Session, signed: Signed) -> None:
    on = signed.subscription.starts_on + timedelta(days=14)
    shown = terminations.preview_withdrawal(session, signed.id, on)
    terminations.withdraw(session, signed.id, shown.fingerprint, on, noon(on), CLAIRE, LINK)


def renewed(session: Session, signed: Signed) -> None:
    billing.bill_due(session, signed.id, date(2027, 2, 28), noon(date(2027, 2, 28)))
    renewals.turn(session, signed.id, END, noon(END), LINK)


def announced(days_before: int) -> Callable[[Session, Signed], None]:
    def act(session: Session, _signed: Signed) -> None:
        on = date(2027, 1, 1) - timedelta(days=days_before)
        [due] = announcements.due(session, on, (days_before,))
        announcements.announce(session, due, on, noon(on), LINK)

    return act


def invited(session: Session, signed: Signed) -> None:
    memberships.invite(
        session,
        signed.account_id,
        email="lea@parc.example",
        role=Role.ADMINISTRATOR,
        address_of=lambda _token: "http://localhost/invitation/TOKEN",
        actor=CLAIRE,
        now=noon(TODAY),
    )


def partner_invited(session: Session, signed: Signed) -> None:
    """Among a reseller's people, who read its own language first."""
    reseller = a_reseller(session)
    language = signed.account.language
    reseller.languages = [language]
    reseller_people.invite(
        session,
        reseller.id,
        email="tom@plus.example",
        role=ResellerRole.AGENT,
        address_of=lambda _token: "http://localhost/invitation/TOKEN",
        actor=CLAIRE,
        now=noon(TODAY),
    )


def method_changed(kind: str) -> Callable[[Session, Signed], None]:
    def act(session: Session, signed: Signed) -> None:
        if kind == "transfer":
            payment_methods.choose_transfer(session, signed.account_id, noon(TODAY), CLAIRE, LINK)
        elif kind == "card":
            method = payment_methods.add_card(session, signed.account_id, VISA, noon(TODAY), CLAIRE)
            payment_methods.make_primary(session, method, noon(TODAY), CLAIRE, LINK)
        else:
            method = a_mandate(session, signed.id, reference=REFERENCE).method
            payment_methods.tell_owners(session, method, noon(TODAY), CLAIRE, LINK)

    return act


def mandate_taken_back(session: Session, signed: Signed) -> None:
    payment_methods.close(
        session, a_mandate(session, signed.id, reference=REFERENCE).method, noon(TODAY), CLAIRE, LINK
    )


def method_ends_soon(kind: str) -> Callable[[Session, Signed], None]:
    def act(session: Session, signed: Signed) -> None:
        if kind == "card":
            method = payment_methods.add_card(session, signed.account_id, VISA, noon(TODAY), CLAIRE)
            payment_methods.make_primary(session, method, noon(TODAY), CLAIRE)
            on = date(2026, 12, 25)
        else:
            a_mandate(session, signed.id, reference=REFERENCE, signed_on=date(2026, 3, 1))
            on = date(2029, 2, 22)
        [due] = method_ends.due(session, on)
        method_ends.announce(session, due, on, noon(on), LINK)

    return act


def gesture(kind: str) -> Callable[[Session, Signed], None]:
    """A discount with its credit note, the same undone, or free months, which issue nothing."""
    why = Why("Panne du 12 novembre", tells=True, link="http://localhost/abonnements/0")
    on_plan = Grant("discount", "plan", None, share=Fraction(1, 5), last_day=date(2027, 1, 31), is_next=False)
    free = Grant("free_months", "plan", None, share=Fraction(1), last_day=date(2027, 1, 31), is_next=True)

    def act(session: Session, signed: Signed) -> None:
        wish = free if kind == "free" else on_plan
        shown = gestures.preview(session, signed.id, wish, TODAY)
        made = gestures.make(
            session, signed.id, wish, shown.fingerprint, why, "0" * 32, TODAY, noon(TODAY), CLAIRE
        )
        if kind == "undone":
            session.execute(delete(OutboxMessage))
            undoing = gestures.preview_undo(session, made, TODAY)
            gestures.undo(session, made, undoing.fingerprint, why, "1" * 32, TODAY, noon(TODAY), CLAIRE)

    return act


def migrated(
    raised_cents: int, is_cancelled: bool = False, **content: object
) -> Callable[[Session, Signed], None]:
    def act(session: Session, signed: Signed) -> None:
        reasons = {
            "fr": "Les coûts d’hébergement ont augmenté.",
            "nl": "De hostingkosten zijn gestegen.",
            "en": "Hosting costs have risen.",
        }
        asked = Asked(*a_new_version(session, raised_cents=raised_cents, **content), END, 30, reasons)
        shown = plan_migrations.simulate(session, asked, TODAY)
        made = plan_migrations.publish(
            session, asked, "a" * 32, shown.fingerprint, TODAY, noon(TODAY), CLAIRE
        )
        links = Links(lambda _id: LINK, lambda _id: f"{LINK}/resilier")
        plan_moves.carry_on(session, made.id, TODAY, noon(TODAY), links)
        if is_cancelled:
            give_notice(session, signed, TODAY)
            known = plan_migrations.cancel_fingerprint(session, made, TODAY)
            plan_migrations.cancel(session, made.id, known, TODAY, noon(TODAY), CLAIRE)
            plan_moves.carry_on(session, made.id, TODAY, noon(TODAY), links)

    return act


MAILS = [
    ("termination-in-time", "termination_received", "business", in_time),
    ("termination-too-late", "termination_received", "business", too_late),
    ("termination-taken-back", "termination_cancelled", "business", taken_back),
    ("withdrawal", "termination_withdrawal", "consumer", withdrawn),
    ("renewal", "renewal_done", "business", renewed),
    ("renewal-consumer", "renewal_done", "consumer", renewed),
    ("announcement-30", "notice_last_day", "business", announced(30)),
    ("announcement-1", "notice_last_day", "consumer", announced(1)),
    ("announcement-0", "notice_last_day", "business", announced(0)),
    ("migration-dearer", "migration_announced", "business", migrated(600)),
    ("migration-same-price", "migration_announced", "consumer", migrated(0, features={"website": True})),
    ("migration-cancelled", "migration_cancelled", "business", migrated(600, is_cancelled=True)),
    ("invitation", "invitation", "business", invited),
    ("reseller-invitation", "reseller_invitation", "business", partner_invited),
    ("method-mandate", "payment_method_changed", "business", method_changed("direct_debit")),
    ("method-card", "payment_method_changed", "business", method_changed("card")),
    ("method-transfer", "payment_method_changed", "business", method_changed("transfer")),
    ("method-taken-back", "payment_method_closed", "business", mandate_taken_back),
    ("method-card-ends", "payment_method_ends", "business", method_ends_soon("card")),
    ("gesture", "gesture", "business", gesture("made")),
    ("gesture-free", "gesture", "business", gesture("free")),
    ("gesture-undone", "gesture", "business", gesture("undone")),
    ("method-mandate-ends", "payment_method_ends", "business", method_ends_soon("mandate")),
]


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize(("name", "template", "kind", "act"), MAILS, ids=[each[0] for each in MAILS])
def test_a_mail_says_this_in_this_language(
    session: Session,
    name: str,
    template: str,
    kind: str,
    act: Callable[[Session, Signed], None],
    language: str,
) -> None:
    account = an_account(session, language=language)
    account.kind = kind
    start = date(2026, 11, 2) if act is withdrawn else date(2026, 3, 1)
    signed = a_subscription(session, account=account, starts_on=start, billed_through=TODAY)
    a_user(session, account, language=language)
    act(session, signed)
    mail = session.scalars(select(OutboxMessage).where(OutboxMessage.template == template)).one()
    assert mail.language == language
    agrees(f"mails/{name}.{language}.txt", f"{mail.subject}\n\n{mail.text_body}")
    agrees(f"mails/{name}.{language}.html.txt", seen(mail.html_body))


def seen(html: str) -> str:
    """The visible words of a mail, a block a line, links with their address."""
    document = lxml.html.document_fromstring(html)
    for hidden in document.xpath("//head | //style"):
        hidden.drop_tree()
    for link in document.iter("a"):
        link.tail = f" <{link.get('href')}>{link.tail or ''}"
    for block in document.iter("p", "h1", "h2", "td", "tr", "div", "li", "br"):
        block.tail = f"\n{block.tail or ''}"
    lines = (re.sub(r"[ \t\n]+", " ", line).strip() for line in document.text_content().split("\n"))
    return "\n".join(line for line in lines if line) + "\n"
