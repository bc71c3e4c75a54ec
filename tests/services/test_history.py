"""The history: a sentence for every action of the code, in every language, and a trail that nobody rewrites."""

import ast
import inspect
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import webapp
from tests.builders import CLAIRE, a_subscription
from webapp.domain.access import SYSTEM
from webapp.domain.contract import ChangeKind
from webapp.i18n import LANGUAGES
from webapp.models.records import AuditEntry
from webapp.services import audit, history
from webapp.services.history import Reader

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
FRENCH = Reader("fr", {"pro": "Pro", "booking": "Réservation en ligne"})
# Actions whose name is put together when they are recorded.
INVITING = ("invited", "invitation_sent_again", "invitation_revoked")
COMPOSED = {
    "payment_method.{verb}": {f"payment_method.{verb}" for verb in ("added", "blocked", "expired", "closed")},
    "subscription.{kind.value}_applied": {f"subscription.{kind.value}_applied" for kind in ChangeKind},
    "dunning.{wish.act}": {f"dunning.{act}" for act in ("hold", "dispute", "pass", "resume")},
    "dunning.{act}": {"dunning.suspend", "dunning.lift"},
    "job.{what}": {"job.asked", "job.paused", "job.resumed"},
    "gesture.{gesture.kind}": {
        f"gesture.{kind}"
        for kind in (
            "discount",
            "free_months",
            "free_option",
            "price",
            "terms",
            "payment",
            "refund",
            "card_refund",
            "due_date",
        )
    },
    "account.{turn}": {"account.suspended", "account.restored"},
    "bank_entry.{verb}": {"bank_entry.assigned", "bank_entry.taken_back"},
    "integration.{done}": {
        f"integration.{done}"
        for done in (
            "endpoint_disabled",
            "endpoint_enabled",
            "former_secret_dropped",
            "replayed",
            "secret_renewed",
            "tested",
        )
    },
    "user.{verb}": {f"user.{verb}" for verb in INVITING},
    "reseller.user_{verb}": {f"reseller.user_{verb}" for verb in INVITING},
    "reseller.{what}_changed": {
        f"reseller.{what}_changed" for what in ("policy", "contact", "origins", "theme")
    },
    "payment.{verb}": {"payment.received", "payment.returned"},
    "quotation.{step}": {f"quotation.{step}" for step in ("requested", "answered", "accepted", "declined")},
}


def recorded_actions() -> set[str]:
    """Every action that the code hands to `audit.record`, read from its source."""
    found: set[str] = set()
    position = list(inspect.signature(audit.record).parameters).index("action")
    for path in Path(webapp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = ast.unparse(node.func)
            if name == "self.record":  # the demo's own
                found |= texts(node.args[0])
            elif name == "audit.record":
                named = [each.value for each in node.keywords if each.arg == "action"]
                found |= texts(named[0] if named else node.args[position])
    return found


def texts(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return texts(node.body) | texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return COMPOSED[ast.unparse(node)[2:-1]]
    return set()


def an_entry(action: str, subject: str = "", before: object = None, after: object = None) -> AuditEntry:
    return AuditEntry(action=action, subject=subject, before=before or {}, after=after or {})


def test_every_action_that_is_recorded_has_its_sentence() -> None:
    silent = recorded_actions() - set(history.TOLD)
    assert not silent, f"give {silent} a theme and a sentence in services/history.py"


def test_no_sentence_is_kept_for_an_action_that_is_gone() -> None:
    assert set(history.TOLD) - recorded_actions() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_is_said_even_of_an_entry_that_lacks_its_facts(language: str) -> None:
    for action in history.TOLD:
        said = history.sentence(an_entry(action), Reader(language, {}))
        assert said.endswith("."), f"{action}: {said}"
        assert not re.search(r"%\(|None|\{", said)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            an_entry(
                "subscription.plan_changed",
                "pro",
                {"plan": "essentiel"},
                {"plan": "pro", "frequency": "annual"},
            ),
            "Formule essentiel remplacée par Pro, facturation annuelle.",
        ),
        (
            an_entry("subscription.termination_scheduled", "pro", {}, {"effective_on": "2027-03-01"}),
            "Résiliation demandée : le dernier jour de l’abonnement est le 28 février 2027.",
        ),
        (
            an_entry("subscription.change_undone", "termination", {"effective_on": "2027-03-01"}),
            "La résiliation qui prenait effet le 1er mars 2027 est annulée.",
        ),
        (
            an_entry(
                "subscription.options_changed",
                after={"moves": [{"kind": "added", "code": "booking", "effective_on": "2026-11-16"}]},
            ),
            "Options : Réservation en ligne ajoutée.",
        ),
        (
            an_entry(
                "subscription.establishments_changed",
                before={"removed": ["Le Quai"]},
                after={"added": ["A", "B"], "charged_from": "2026-12-01"},
            ),
            "Établissements ajoutés : A et B, comptés à partir du 1er décembre 2026. Établissement retiré : Le Quai.",
        ),
        (
            an_entry("billing_details.changed", after={"city": "Forest", "vat_number": None}),
            "Coordonnées de facturation modifiées : localité et numéro de TVA.",
        ),
        (
            an_entry(
                "user.role_changed",
                "Karim",
                {"email": "k@x", "role": "viewer"},
                {"email": "k@x", "role": "owner"},
            ),
            "Rôle de Karim : lecteur, puis propriétaire.",
        ),
    ],
)
def test_a_sentence_holds_its_facts_in_words(entry: AuditEntry, said: str) -> None:
    assert history.sentence(entry, FRENCH).replace("\xa0", " ") == said


def test_pages_are_newest_first_and_never_show_another_account(session: Session) -> None:
    ours, theirs = a_subscription(session), a_subscription(session)
    for number in range(30):
        audit.record(
            session, CLAIRE, ours.account_id, "support.written", "", {}, {}, NOW.replace(minute=number)
        )
    audit.record(session, SYSTEM, theirs.account_id, "support.written", "", {}, {}, NOW)
    session.flush()
    first = history.page(session, ours.account_id, FRENCH)
    assert (first.count, first.pages, len(first.lines)) == (31, 2, 25)
    assert [line.at for line in first.lines] == sorted((line.at for line in first.lines), reverse=True)
    assert history.page(session, ours.account_id, FRENCH, number=99).number == 2
    signed = history.page(session, ours.account_id, FRENCH, theme="formule")
    assert [line.sentence for line in signed.lines] == [
        "Abonnement signé\xa0: formule Pro, à partir du 1er mars 2026."
    ]
    since = datetime(2026, 11, 16, tzinfo=UTC)
    assert history.page(session, ours.account_id, FRENCH, since=since).count == 30
    assert history.page(session, ours.account_id, FRENCH, until=since).count == 1
    assert date(2026, 3, 1) == signed.lines[0].at.date()


@pytest.mark.parametrize(
    "statement", [update(AuditEntry).values(subject="x"), delete(AuditEntry)], ids=["update", "delete"]
)
def test_the_database_refuses_to_rewrite_the_past(session: Session, statement) -> None:
    a_subscription(session)
    session.commit()
    with pytest.raises(DBAPIError, match="audit entries are never changed"):
        session.execute(statement)
    session.rollback()
    signed = select(AuditEntry.subject).where(AuditEntry.action == "subscription.signed")
    assert session.scalars(signed).all() == ["pro"]


def test_an_entry_changed_in_memory_is_refused_too(session: Session) -> None:
    a_subscription(session)
    session.commit()
    entry = session.scalars(select(AuditEntry).limit(1)).one()
    entry.actor_name = "Personne"
    with pytest.raises(DBAPIError, match="audit entries are never changed"):
        session.flush()
