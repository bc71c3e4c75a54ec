"""Documents leave: checked, put in line, handed over once whatever dies on the way, followed to their end."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from tests.services.test_documents import a_credit_note, an_invoice
from webapp.adapters.access_point import NotSent, ReceiverUnknown, Status
from webapp.adapters.peppol_rules import Finding
from webapp.domain.access import Actor
from webapp.domain.einvoice import Endpoint
from webapp.models.documents import InvoiceDocument
from webapp.models.engine import reading as reading_only
from webapp.models.invoices import Invoice
from webapp.models.records import AuditEntry
from webapp.services import deliveries, dispatch, documents
from webapp.services.dispatch import Round

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 10, tzinfo=UTC)
NORA = Actor(kind="staff", id="nora", name="Nora Maes")
AT_0208, AT_9925 = Endpoint("0208", "0876543270"), Endpoint("9925", "BE0876543270")


class Killed(BaseException):
    """The process dies here, as under `kill -9`: nobody catches it."""


class Findings:
    """Rules that find what they are told to."""

    version = "rules 1.2.3"

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings

    def check(self, document: bytes) -> tuple[Finding, ...]:
        return self.findings


class FakeAccessPoint:
    """Keeps what is deposited and what is let go; `fails` answers first, `dies` kills before or after a call."""

    def __init__(self, *fails: Exception, dies: str = "") -> None:
        self.fails, self.dies = list(fails), dies
        self.registered = {AT_0208}
        self.deposited: dict[str, bytes] = {}
        self.released: list[tuple[str, Endpoint]] = []
        self.ends = Status("sent")

    def knows(self, receiver: Endpoint) -> bool | None:
        return receiver in self.registered

    def deposit(self, ubl: bytes, key: str) -> str:
        self._die("before deposit")
        if self.fails:
            raise self.fails.pop(0)
        self.deposited[f"draft {len(self.deposited)} of {key}"] = ubl
        self._die("after deposit")
        return list(self.deposited)[-1]

    def release(self, transmission_id: str, receiver: Endpoint) -> None:
        self._die("before release")
        self.released.append((transmission_id, receiver))
        self._die("after release")

    def status(self, transmission_id: str) -> Status:
        if transmission_id not in self.deposited:
            raise NotSent("no such document", is_final=True)
        gone = any(each == transmission_id for each, _receiver in self.released)
        return self.ends if gone else Status("waiting")

    def _die(self, where: str) -> None:
        if where == self.dies:
            self.dies = ""
            raise Killed


@pytest.fixture
def transaction(session):
    """A committed transaction of its own, on the test's database."""
    engine = session.get_bind()

    @contextmanager
    def opened():
        with Session(engine) as own, own.begin():
            yield own

    return opened


class Hand:
    """The clock of a round, moved by the test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def moves(self, wait: timedelta) -> None:
        self.now += wait


@pytest.fixture
def hand():
    return Hand()


class Kept(NamedTuple):
    """Which document: rows of a session that is busy would keep SQLite's only pen."""

    id: int
    invoice_id: int


def made(session: Session, invoice: Invoice, **values: object) -> Kept:
    """The document of an invoice, committed, in the state asked for."""
    document = documents.stored(session, invoice, NOW)
    for name, value in values.items():
        setattr(document, name, value)
    session.flush()
    kept = Kept(document.id, document.invoice_id)
    session.commit()
    return kept


@pytest.fixture
def queued(session):
    return made(session, an_invoice(session), state="queued", rules_version="rules 1.2.3")


def now_is(session: Session, kept: Kept) -> InvoiceDocument:
    with Session(session.get_bind()) as own:
        found = own.get_one(InvoiceDocument, kept.id, options=[undefer(InvoiceDocument.ubl)])
        own.expunge(found)
    return found


# ── Made, checked, in line ───────────────────────────────────────────────────────────────────────────────────────


def test_files_are_made_for_every_document_and_one_that_fails_keeps_no_other(
    session, transaction, monkeypatch
):
    first = an_invoice(session)
    note = a_credit_note(session, first)
    ids = [first.id, note.id]
    session.commit()
    make = documents.make

    def fails_on_the_first(document):
        if document.kind == "invoice":
            raise RuntimeError("a letter that no font draws")
        return make(document)

    monkeypatch.setattr(documents, "make", fails_on_the_first)

    def reading():
        return Session(reading_only(session.get_bind()))

    assert dispatch.make_files(reading, transaction, lambda: NOW) == (Round(moved=1, closed=1), ids[1])
    assert documents.without_files(session) == [ids[0]]
    assert documents.without_files(session, after=ids[0]) == []
    session.rollback()
    monkeypatch.undo()
    assert dispatch.make_files(reading, transaction, lambda: NOW) == (Round(moved=1), ids[0])


def test_what_a_rule_refuses_is_held_with_the_rule_and_never_put_in_line(session, transaction):
    document = made(session, an_invoice(session))
    fatal = Finding("BR-CO-16", "fatal", "/Invoice[1]", "Amount due for payment")
    assert dispatch.check(transaction, Findings(fatal), lambda: NOW) == Round(closed=1)
    held = now_is(session, document)
    assert (held.state, held.rules_version, held.checked_at) == ("held", "rules 1.2.3", NOW)
    assert held.findings == [
        {"rule": "BR-CO-16", "flag": "fatal", "location": "/Invoice[1]", "text": "Amount due for payment"}
    ]
    assert dispatch.line_up(transaction, NOW, TODAY, may_be_unchecked=True) == Round()
    assert dispatch.check(transaction, Findings(), lambda: NOW) == Round(), (
        "checked again without being asked"
    )


def test_a_warning_does_not_hold(session, transaction):
    document = made(session, an_invoice(session))
    assert dispatch.check(transaction, Findings(Finding("W", "warning", "/", "")), lambda: NOW) == Round(
        moved=1
    )
    assert now_is(session, document).state == "validated"


def test_what_goes_by_mail_is_neither_checked_nor_sent(session, transaction):
    consumer = an_invoice(session, kind="consumer", vat_number=None, enterprise_number=None)
    document = made(session, consumer)
    fatal = Findings(Finding("PEPPOL-EN16931-R010", "fatal", "/", ""))
    assert dispatch.check(transaction, fatal, lambda: NOW) == Round()
    assert dispatch.line_up(transaction, NOW, TODAY, may_be_unchecked=True) == Round()
    assert now_is(session, document).state == "ready"


def test_what_no_rules_have_checked_waits_unless_the_settings_say_otherwise(session, transaction):
    document = made(session, an_invoice(session))
    assert dispatch.line_up(transaction, NOW, TODAY, may_be_unchecked=False) == Round()
    assert now_is(session, document).state == "ready"
    assert dispatch.line_up(transaction, NOW, TODAY, may_be_unchecked=True) == Round(moved=1)
    assert now_is(session, document).state == "queued"


def test_an_old_document_leaves_only_when_somebody_asks(session, transaction):
    invoice = an_invoice(session)
    document = made(session, invoice, state="validated", rules_version="rules 1")
    later = date(2026, 11, 1) + dispatch.NEW_FOR + timedelta(days=1)
    assert dispatch.line_up(transaction, NOW, later, may_be_unchecked=False) == Round()
    assert dispatch.line_up(transaction, NOW, later - timedelta(days=1), may_be_unchecked=False) == Round(
        moved=1
    )
    assert now_is(session, document).queued_at == NOW


# ── Handed over ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_goes_out_once_and_is_followed_to_its_end(session, transaction, queued, hand):
    access_point = FakeAccessPoint()
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert dispatch.send(transaction, access_point, hand) == Round()
    [(transmission_id, receiver)] = access_point.released
    assert receiver == AT_0208
    assert "F2026-00001" in transmission_id
    sent = now_is(session, queued)
    assert (sent.state, sent.receiver, sent.sent_at) == ("sent", "0208:0876543270", NOW)
    assert access_point.deposited[transmission_id] == sent.ubl
    assert dispatch.follow(transaction, access_point, hand) == Round(waiting=1)
    assert dispatch.follow(transaction, access_point, hand) == Round(), "asked again at once"
    hand.moves(dispatch.ASK_EVERY)
    access_point.ends = Status("delivered")
    assert dispatch.follow(transaction, access_point, hand) == Round(moved=1)
    end = now_is(session, queued)
    assert (end.state, end.closed_at) == ("delivered", hand.now)


@pytest.mark.parametrize("where", ["before deposit", "after deposit", "before release", "after release"])
def test_killed_at_any_step_it_leaves_once_when_started_again(session, transaction, queued, hand, where):
    access_point = FakeAccessPoint(dies=where)
    with pytest.raises(Killed):
        dispatch.send(transaction, access_point, hand)
    assert dispatch.send(transaction, access_point, hand) == Round(), "another worker took it at once"
    hand.moves(dispatch.CLAIMED_FOR)
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert len(access_point.released) == 1
    assert now_is(session, queued).state == "sent"


def test_a_kill_before_the_end_is_noted_is_asked_about_and_not_sent_again(
    session, transaction, queued, hand, monkeypatch
):
    access_point = FakeAccessPoint()
    note = dispatch._note

    def dies_at_the_end(opened, this, noted):
        if "state" in noted:
            raise Killed
        note(opened, this, noted)

    monkeypatch.setattr(dispatch, "_note", dies_at_the_end)
    with pytest.raises(Killed):
        dispatch.send(transaction, access_point, hand)
    monkeypatch.undo()
    hand.moves(dispatch.CLAIMED_FOR)
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert len(access_point.released) == 1


def test_a_process_killed_before_or_after_it_sent_leaves_one_document_under_one_name(
    session, queued, hand, tmp_path
):
    """By SIGKILL, over a folder: whatever had left is not sent again, and what had not leaves under the same name."""
    url = session.get_bind().engine.url.render_as_string(hide_password=False)

    def send(*where: str) -> int:
        command = [sys.executable, "-m", "tests.support.killable_sending", url, str(tmp_path)]
        return subprocess.run([*command, hand.now.isoformat(), *where], check=False).returncode

    for where in ("before deposit", "after deposit", "after release"):
        assert send(where) == -signal.SIGKILL
        assert now_is(session, queued).state == "queued"
        hand.moves(dispatch.CLAIMED_FOR)
    [left] = [file.name for file in tmp_path.iterdir()]
    (tmp_path / left).unlink()  # the program that watches the folder has taken it
    assert send() == 0
    sent = now_is(session, queued)
    assert (sent.state, sent.transmission_id, sent.attempts) == ("sent", left, 4)
    assert left == f"F2026-00001-{sent.ubl_sha256[:12]}.xml"
    assert list(tmp_path.iterdir()) == [], "it left a second time"


def test_two_workers_at_once_never_send_the_same_document(session, transaction, hand):
    invoice = an_invoice(session)
    for each in [invoice, a_credit_note(session, invoice)]:
        made(session, each, state="queued", rules_version="rules 1")
    access_point = FakeAccessPoint()
    ready = threading.Barrier(2)
    rounds = []

    def work():
        ready.wait()
        rounds.append(dispatch.send(transaction, access_point, hand))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(each.moved for each in rounds) == 2
    assert len(access_point.released) == len({each for each, _receiver in access_point.released}) == 2


def test_a_worker_that_comes_while_the_access_point_thinks_leaves_it_alone(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint()
    during = []
    deposit = access_point.deposit

    def slow(ubl, key):
        during.append(dispatch.send(transaction, FakeAccessPoint(), hand))
        return deposit(ubl, key)

    access_point.deposit = slow  # type: ignore[method-assign]
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert during == [Round()]


def test_a_receiver_unknown_by_its_enterprise_number_is_tried_once_by_its_vat_number(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint()
    access_point.registered = {AT_9925}
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert [receiver for _id, receiver in access_point.released] == [AT_9925]
    assert now_is(session, queued).receiver == "9925:BE0876543270"


def test_a_receiver_found_nowhere_fails_at_once_and_is_sent_no_mail_instead(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint()
    access_point.registered = set()
    assert dispatch.send(transaction, access_point, hand) == Round(closed=1)
    failed = now_is(session, queued)
    assert (failed.state, failed.problem, failed.channel) == ("failed", "receiver_unknown", "peppol")
    assert failed.last_error == "nobody receives invoices at 0208:0876543270, 9925:BE0876543270"
    assert access_point.released == []


def test_a_receiver_unknown_only_when_it_is_let_go_is_tried_by_its_vat_number_too(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint()
    access_point.registered = {AT_0208, AT_9925}
    release = access_point.release

    def refuses_0208(transmission_id, receiver):
        if receiver == AT_0208:
            raise ReceiverUnknown("not on this network")
        release(transmission_id, receiver)

    access_point.release = refuses_0208  # type: ignore[method-assign]
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert access_point.released[0][1] == AT_9925


def test_an_address_abroad_has_no_second_one(session):
    buyer = an_invoice(session).buyer
    assert dispatch.receivers_of(buyer) == (AT_0208, AT_9925)
    abroad = buyer | {"country": "LU", "vat_number": "LU26375245", "enterprise_number": None}
    assert dispatch.receivers_of(abroad) == (Endpoint("9938", "LU26375245"),)
    assert dispatch.receivers_of(buyer | {"vat_number": None}) == (AT_0208,)


def test_an_access_point_that_is_away_is_tried_at_longer_and_longer_intervals_for_two_days(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint(*[NotSent("away")] * dispatch.MOST_ATTEMPTS)
    waits = []
    while dispatch.send(transaction, access_point, hand) == Round(waiting=1):
        assert dispatch.send(transaction, access_point, hand) == Round(), "tried again before its time"
        waits.append(now_is(session, queued).next_at - hand.now)
        hand.moves(waits[-1])
    assert tuple(waits) == dispatch.WAITS == tuple(sorted(waits))
    failed = now_is(session, queued)
    assert (failed.state, failed.problem, failed.last_error) == ("failed", "no_answer", "away")
    assert timedelta(days=1) < failed.closed_at - NOW < timedelta(days=3)


def test_a_document_refused_is_not_tried_again(session, transaction, queued, hand):
    access_point = FakeAccessPoint(NotSent("not a UBL", is_final=True))
    assert dispatch.send(transaction, access_point, hand) == Round(closed=1)
    assert now_is(session, queued).problem == "refused"


def test_a_rejection_keeps_its_reason(session, transaction, queued, hand):
    access_point = FakeAccessPoint()
    dispatch.send(transaction, access_point, hand)
    access_point.ends = Status("rejected", "unknown order number")
    assert dispatch.follow(transaction, access_point, hand) == Round(closed=1)
    rejected = now_is(session, queued)
    assert (rejected.state, rejected.last_error, rejected.problem) == (
        "rejected",
        "unknown order number",
        None,
    )


def test_an_access_point_that_does_not_answer_leaves_what_was_sent_as_it_is(
    session, transaction, queued, hand
):
    access_point = FakeAccessPoint()
    dispatch.send(transaction, access_point, hand)
    access_point.deposited.clear()
    assert dispatch.follow(transaction, access_point, hand) == Round(waiting=1)
    found = now_is(session, queued)
    assert (found.state, found.last_error) == ("sent", "no such document")


# ── What people ask for ──────────────────────────────────────────────────────────────────────────────────────────


def ask(session, kept, verb, **values):
    session.expire_all()
    invoice, found = session.get_one(Invoice, kept.invoice_id), session.get_one(InvoiceDocument, kept.id)
    verb(session, invoice, found, NORA, NOW, **values)
    session.commit()


def test_sent_again_a_rejected_document_leaves_under_another_key(session, transaction, queued, hand):
    access_point = FakeAccessPoint()
    dispatch.send(transaction, access_point, hand)
    access_point.ends = Status("rejected", "unknown order number")
    dispatch.follow(transaction, access_point, hand)
    ask(session, queued, deliveries.send_again, may_be_unchecked=False)
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    first, second = (each for each, _receiver in access_point.released)
    assert first != second and second.endswith("-2")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "invoice.sent_again")).one()
    assert (entry.actor_name, entry.before, entry.after) == (
        "Nora Maes", {"state": "rejected"}, {"state": "queued"},
    )  # fmt: skip


def test_sent_again_after_no_answer_a_document_that_had_left_is_not_sent_twice(
    session, transaction, queued, hand
):
    """The answer to the last try was lost, not the document."""
    access_point = FakeAccessPoint(dies="after release")
    with pytest.raises(Killed):
        dispatch.send(transaction, access_point, hand)
    made(
        session,
        session.get_one(Invoice, queued.invoice_id),
        state="failed",
        problem="no_answer",
        next_at=None,
    )
    ask(session, queued, deliveries.send_again, may_be_unchecked=False)
    assert dispatch.send(transaction, access_point, hand) == Round(moved=1)
    assert len(access_point.released) == 1


def test_what_was_never_checked_is_not_sent_by_a_button_either(session):
    document = made(session, an_invoice(session))
    with pytest.raises(deliveries.NotChecked):
        ask(session, document, deliveries.send_again, may_be_unchecked=False)
    ask(session, document, deliveries.send_again, may_be_unchecked=True)
    assert now_is(session, document).state == "queued"


def test_checked_again_a_held_document_waits_for_the_rules_of_that_day(session, transaction):
    document = made(session, an_invoice(session))
    dispatch.check(transaction, Findings(Finding("BR-01", "fatal", "/", "")), lambda: NOW)
    ask(session, document, deliveries.check_again)
    asked = now_is(session, document)
    assert (asked.state, asked.findings, asked.rules_version) == ("ready", [], None)
    assert dispatch.check(transaction, Findings(), lambda: NOW) == Round(moved=1)


@pytest.mark.parametrize("state", ["queued", "sent", "delivered"])
def test_what_is_on_its_way_is_left_alone(session, state):
    document = made(session, an_invoice(session), state=state, rules_version="rules 1")
    for verb, values in ((deliveries.check_again, {}), (deliveries.send_again, {"may_be_unchecked": True})):
        with pytest.raises(deliveries.WrongState, match=f"is {state}"):
            ask(session, document, verb, **values)
        session.rollback()


@pytest.mark.parametrize("state", ["validated", "failed", "rejected"])
def test_another_check_never_sends_again_what_was_refused_on_its_way(session, state):
    document = made(session, an_invoice(session), state=state, rules_version="rules 1")
    with pytest.raises(deliveries.WrongState):
        ask(session, document, deliveries.check_again)


def test_what_failed_unchecked_may_be_checked_and_then_leaves(session, transaction):
    document = made(session, an_invoice(session), state="failed", problem="refused")
    ask(session, document, deliveries.check_again)
    assert dispatch.check(transaction, Findings(), lambda: NOW) == Round(moved=1)
    assert dispatch.line_up(transaction, NOW, TODAY, may_be_unchecked=False) == Round(moved=1)
    assert now_is(session, document).turn == 2


def test_a_list_is_filtered_by_state_and_searched_by_number_or_client(session):
    held = made(session, an_invoice(session), state="held")
    sent = made(session, an_invoice(session, kind="public"), state="sent")
    made(session, an_invoice(session, kind="consumer", vat_number=None, enterprise_number=None))
    everything = deliveries.listed(session)
    assert [row.document.id for row in everything.rows] == [sent.id, held.id]
    assert everything.counts == {"held": 1, "sent": 1}
    assert [row.document.id for row in deliveries.listed(session, ["held"]).rows] == [held.id]
    number = session.get_one(Invoice, held.invoice_id).number
    assert [row.number for row in deliveries.listed(session, text=number.lower()).rows] == [number]
    assert deliveries.listed(session, text="brasserie").count == 2
    assert deliveries.listed(session, text="100%").count == 0
