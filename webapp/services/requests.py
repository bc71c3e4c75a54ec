"""The requests inbox: what clients ask of the team, who answers, and what was said (S6, P9).

A request is opened in the transaction that sends today's mail: a message to the support, a quotation asked for, a
termination received, billing details that somebody should check. `waiting_since` says since when its client waits.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, null, select, update
from sqlalchemy.orm import Session, aliased

from webapp.domain.access import Actor, May, StaffRole, is_staff_allowed
from webapp.domain.refusals import StalePage
from webapp.models.accounts import Account, User
from webapp.models.invoices import Invoice, Issuer
from webapp.models.requests import ClientRequest, RequestEntry
from webapp.models.subscriptions import Subscription
from webapp.services import audit, notices, outbox

PAGE = 25
KINDS = ("message", "quotation", "details", "termination", "partner")
STATES = ("new", "assigned", "waiting", "answered", "closed")
VIEWS = ("todo", "mine", "elsewhere", "closed", "all")
LONGEST = 5000  # characters of one answer
DESK_LANGUAGE = "fr"  # of those who read the mails of the desk
_INVOICE_PAGE = re.compile(r"/factures/([A-Za-z0-9-]+)")
_FIRST_WORDS = 160
# Asked by words: these are conversations, which their client reads at once. The others show once they hold words.
CONVERSATIONS = ("message", "quotation", "partner")


class RequestNotFound(LookupError):
    """No such request here: the door answers 404."""


class NobodyToAnswer(RuntimeError):
    """The request has no address to answer to: its page offers no form."""


def reference(request_id: int) -> str:
    """As mails and pages call it.

    >>> reference(418)
    'D-418'
    """
    return f"D-{request_id}"


def thread(request_id: int) -> str:
    """What the mails of a request are grouped by."""
    return f"demande-{request_id}"


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────


def open_one(
    session: Session,
    kind: str,
    account_id: uuid.UUID,
    actor: Actor,
    now: datetime,
    *,
    subscription_id: uuid.UUID | None = None,
    text: str = "",
    facts: Mapping[str, Any] | None = None,
    quotation_id: int | None = None,
) -> ClientRequest:
    """Write the request, and its first words if any. Flushes. What a partner answers does not wait for the team."""
    asker = _asker(session, account_id, actor)
    account = session.get_one(Account, account_id)
    if subscription_id is None:
        subscription_id = session.scalar(
            select(Subscription.id)
            .where(Subscription.account_id == account_id)
            .order_by(Subscription.starts_on.desc())
            .limit(1)
        )
    row = ClientRequest(
        account_id=account_id,
        subscription_id=subscription_id,
        kind=kind,
        state="new",
        facts=dict(facts or {}),
        quotation_id=quotation_id,
        asked_by=actor.name,
        asked_by_id=asker.id if asker else None,
        email=asker.email if asker else "",
        language=(asker.language if asker else None) or account.language,
        opened_at=now,
        last_at=now,
        waiting_since=None if kind == "partner" else now,
    )
    session.add(row)
    session.flush()
    if text.strip():
        _say(session, row, "client", text, actor, now)
    return row


def _asker(session: Session, account_id: uuid.UUID, actor: Actor) -> User | None:
    """Who is written to: the person who acts, else the first owner."""
    try:
        found = session.get(User, uuid.UUID(actor.id)) if actor.kind == "user" else None
    except ValueError:
        found = None
    if found is not None:
        return found
    return next(iter(notices.owners(session, account_id)), None)


def context(session: Session, account_id: uuid.UUID, page: str, plan: Mapping[str, str]) -> dict[str, Any]:
    """What goes with a message: the plan, the page it was written from, and the invoice which that page showed."""
    facts: dict[str, Any] = {"plan": dict(plan), "page": page}
    match = _INVOICE_PAGE.search(page)
    if match and session.scalar(
        select(Invoice.id).where(Invoice.account_id == account_id, Invoice.number == match[1])
    ):
        facts["invoice"] = match[1]
    return facts


def _say(session: Session, row: ClientRequest, side: str, text: str, actor: Actor, now: datetime) -> None:
    session.add(
        RequestEntry(request_id=row.id, side=side, text=text.strip(), written_by=actor.name, written_at=now)
    )
    session.flush()


# ── What the rest of the portal already answers ──────────────────────────────────────────────────────────────────


def quotation_answered(
    session: Session, quotation_id: int, message: str, actor: Actor, now: datetime
) -> None:
    """A price was given: its request is answered, with the words of the offer."""
    for row in _of_quotation(session, quotation_id):
        row.state, row.waiting_since, row.closed_at, row.last_at = "answered", None, None, now
        if message.strip():
            _say(session, row, "team", message, actor, now)
    session.flush()


def quotation_closed(session: Session, quotation_id: int, now: datetime) -> None:
    """The offer was accepted or declined."""
    for row in _of_quotation(session, quotation_id):
        _end(row, now)
    session.flush()


def _of_quotation(session: Session, quotation_id: int) -> list[ClientRequest]:
    return list(session.scalars(select(ClientRequest).where(ClientRequest.quotation_id == quotation_id)))


def termination_cancelled(session: Session, subscription_id: uuid.UUID, now: datetime) -> None:
    """The notice was taken back: there is nothing left to look at."""
    rows = select(ClientRequest).where(
        ClientRequest.subscription_id == subscription_id,
        ClientRequest.kind == "termination",
        ClientRequest.state != "closed",
    )
    for row in session.scalars(rows):
        _end(row, now)
    session.flush()


def _end(row: ClientRequest, now: datetime) -> None:
    row.state, row.waiting_since, row.closed_at, row.last_at = "closed", None, now, now


# ── The inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the inbox. `words` are the first that were written."""

    id: int
    kind: str
    state: str
    account: str
    account_reference: str
    asked_by: str
    assignee: str | None
    last_at: datetime
    waiting_since: datetime | None
    words: str

    @property
    def reference(self) -> str:
        return reference(self.id)


_FIRST_WRITTEN = func.coalesce(
    select(func.substr(RequestEntry.text, 1, _FIRST_WORDS))
    .where(RequestEntry.request_id == ClientRequest.id, RequestEntry.side != "note")
    .order_by(RequestEntry.id)
    .limit(1)
    .correlate(ClientRequest)
    .scalar_subquery(),
    "",
)


def waiting(session: Session) -> int:
    """How many requests wait for the team."""
    return (
        session.scalar(
            select(func.count()).select_from(ClientRequest).where(ClientRequest.waiting_since.is_not(None))
        )
        or 0
    )


def listed(
    session: Session, view: str, user_id: uuid.UUID, *, kind: str = "", number: int = 1
) -> tuple[list[Listed], int]:
    """One page of a view of the inbox, and how many requests it holds. What waits longest comes first."""
    request, account, assignee = ClientRequest, Account, aliased(User)
    conditions, order = _view(view, user_id)
    if kind in KINDS:
        conditions.append(request.kind == kind)
    total = select(func.count()).select_from(request).where(*conditions).scalar_subquery()
    statement = (
        select(
            request.id, request.kind, request.state, account.name, account.reference, request.asked_by,
            assignee.full_name, request.last_at, request.waiting_since, _FIRST_WRITTEN, total,
        )
        .join(account, account.id == request.account_id)
        .outerjoin(assignee, assignee.id == request.assignee_id)
        .where(*conditions)
        .order_by(*order)
        .limit(PAGE)
        .offset((max(1, number) - 1) * PAGE)
    )  # fmt: skip
    rows = session.execute(statement).all()
    return [Listed(*row[:10]) for row in rows], rows[0][10] if rows else 0


def _view(view: str, user_id: uuid.UUID) -> tuple[list[ColumnElement[bool]], tuple[Any, ...]]:
    request = ClientRequest
    oldest = (request.waiting_since.is_(None), request.waiting_since, request.id)
    latest = (request.last_at.desc(), request.id.desc())
    if view == "mine":
        return [request.assignee_id == user_id, request.state != "closed"], oldest
    if view == "elsewhere":
        return [request.waiting_since.is_(None), request.state != "closed"], latest
    if view == "closed":
        return [request.state == "closed"], latest
    if view == "all":
        return [], latest
    return [request.waiting_since.is_not(None)], (request.waiting_since, request.id)


# ── One request, for the team ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request with all that was said of it, oldest first. `seen` is the last entry that its client may read."""

    request: ClientRequest
    account: str
    account_reference: str
    entries: tuple[RequestEntry, ...]
    assignee: str | None = None

    @property
    def reference(self) -> str:
        return reference(self.request.id)

    @property
    def seen(self) -> int:
        return max((each.id for each in self.entries if each.side != "note"), default=0)


def conversation(session: Session, request_id: int) -> Conversation:
    """Raises RequestNotFound."""
    row = session.execute(_ONE.where(ClientRequest.id == request_id)).first()
    if row is None:
        raise RequestNotFound(request_id)
    entries = select(RequestEntry).where(RequestEntry.request_id == request_id).order_by(RequestEntry.id)
    return Conversation(row[0], row[1], row[2], tuple(session.scalars(entries)), row[3])


_ONE: Select[*tuple[Any, ...]] = (
    select(ClientRequest, Account.name, Account.reference, User.full_name)
    .join(Account, Account.id == ClientRequest.account_id)
    .outerjoin(User, User.id == ClientRequest.assignee_id)
)


def team(session: Session) -> list[tuple[uuid.UUID, str]]:
    """Who may be given a request."""
    places = [each.value for each in StaffRole if is_staff_allowed(each, May.HELP_ACCOUNTS)]
    rows = session.execute(
        select(User.id, User.full_name)
        .where(User.staff_role.in_(places), User.disabled_at.is_(None))
        .order_by(User.full_name)
    )
    return [(row[0], row[1]) for row in rows]


def lock(session: Session, request_id: int) -> ClientRequest:
    """The row, until the end of the transaction. Raises RequestNotFound."""
    statement = select(ClientRequest).where(ClientRequest.id == request_id).with_for_update()
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise RequestNotFound(request_id)
    return row


def assign(session: Session, request_id: int, user_id: uuid.UUID | None, actor: Actor, now: datetime) -> None:
    """Give it to somebody of the team, or to nobody. Raises RequestNotFound, also for who may not be given one."""
    row = lock(session, request_id)
    if user_id is not None and user_id not in dict(team(session)):
        raise RequestNotFound(request_id)
    if row.assignee_id == user_id:
        return
    before, row.assignee_id = row.assignee_id, user_id
    if row.state in ("new", "assigned"):
        row.state = "assigned" if user_id else "new"
    audit.record(
        session, actor, None, "request.assigned", reference(row.id),
        {"assignee": str(before) if before else None}, {"assignee": str(user_id) if user_id else None}, now,
    )  # fmt: skip
    session.flush()


def note(session: Session, request_id: int, text: str, actor: Actor, now: datetime) -> None:
    """Something for colleagues alone. Flushes. Raises RequestNotFound."""
    _say(session, lock(session, request_id), "note", text, actor, now)


def answer(
    session: Session,
    request_id: int,
    text: str,
    *,
    seen: int,
    awaits_client: bool,
    agent_id: uuid.UUID,
    link: Callable[[ClientRequest], str],
    actor: Actor,
    now: datetime,
) -> None:
    """Write to the client, in their language, by a mail of the same thread; the portal keeps the words. Flushes.

    `seen` is the last entry that the writer had read: raises StalePage if the client, or a colleague, wrote since.
    Raises RequestNotFound, NobodyToAnswer. A closed request is open again; one that nobody had is the writer's.
    """
    row = lock(session, request_id)
    if not row.email:
        raise NobodyToAnswer()
    if _last_read_by_client(session, row.id) != seen:
        raise StalePage()
    _say(session, row, "team", text, actor, now)
    row.state = "waiting" if awaits_client else "answered"
    row.waiting_since, row.closed_at, row.last_at = None, None, now
    row.assignee_id = row.assignee_id or agent_id
    outbox.queue(
        session,
        "request_answered",
        recipient=row.email,
        language=row.language,
        account_id=row.account_id,
        now=now,
        thread=thread(row.id),
        reply_to=session.scalar(select(Issuer.email).order_by(Issuer.id).limit(1)),
        full_name=row.asked_by,
        message=text.strip(),
        agent=actor.name,
        request=reference(row.id),
        awaits_client=awaits_client,
        link=link(row),
    )
    audit.record(session, actor, row.account_id, "request.answered", reference(row.id), {}, {}, now)
    session.flush()


def _last_read_by_client(session: Session, request_id: int) -> int:
    last = select(func.max(RequestEntry.id)).where(
        RequestEntry.request_id == request_id, RequestEntry.side != "note"
    )
    return session.scalar(last) or 0


def close(session: Session, request_id: int, actor: Actor, now: datetime) -> None:
    """Nothing more to do; closing twice changes nothing. Flushes. Raises RequestNotFound."""
    row = lock(session, request_id)
    if row.state == "closed":
        return
    before = row.state
    _end(row, now)
    _note_state(session, row, before, actor, now)


def reopen(session: Session, request_id: int, actor: Actor, now: datetime) -> None:
    """Back in the inbox, as waiting from now. Flushes. Raises RequestNotFound."""
    row = lock(session, request_id)
    if row.state == "closed":
        _reopen(row, now)
        _note_state(session, row, "closed", actor, now)


def _reopen(row: ClientRequest, now: datetime) -> None:
    row.state = "assigned" if row.assignee_id else "new"
    row.closed_at, row.last_at = None, now
    row.waiting_since = None if row.kind == "partner" else row.waiting_since or now


def _note_state(session: Session, row: ClientRequest, before: str, actor: Actor, now: datetime) -> None:
    audit.record(
        session,
        actor,
        row.account_id,
        "request.closed" if row.state == "closed" else "request.reopened",
        reference(row.id),
        {"state": before},
        {"state": row.state},
        now,
    )
    session.flush()


# ── For the client ───────────────────────────────────────────────────────────────────────────────────────────────


def of_account(
    session: Session, account_id: uuid.UUID, asked_by: uuid.UUID | None, limit: int = 50
) -> list[Listed]:
    """The latest requests that a client may read: all of the account, or those of one person."""
    statement = (
        select(
            ClientRequest.id, ClientRequest.kind, ClientRequest.state, Account.name, Account.reference,
            ClientRequest.asked_by, null(), ClientRequest.last_at, ClientRequest.waiting_since, _FIRST_WRITTEN,
        )
        .join(Account, Account.id == ClientRequest.account_id)
        .where(*_readable(account_id, asked_by))
        .order_by(ClientRequest.last_at.desc(), ClientRequest.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [Listed(*row) for row in session.execute(statement)]


def for_client(
    session: Session, account_id: uuid.UUID, request_id: int, asked_by: uuid.UUID | None
) -> Conversation:
    """One of them, without the notes of the team. Raises RequestNotFound."""
    row = session.execute(
        _ONE.where(ClientRequest.id == request_id, *_readable(account_id, asked_by))
    ).first()
    if row is None:
        raise RequestNotFound(request_id)
    entries = (
        select(RequestEntry)
        .where(RequestEntry.request_id == request_id, RequestEntry.side != "note")
        .order_by(RequestEntry.id)
    )
    return Conversation(row[0], row[1], row[2], tuple(session.scalars(entries)))


def _readable(account_id: uuid.UUID, asked_by: uuid.UUID | None) -> list[ColumnElement[bool]]:
    said = (
        select(RequestEntry.id)
        .where(RequestEntry.request_id == ClientRequest.id, RequestEntry.side == "team")
        .exists()
    )
    conditions = [
        ClientRequest.account_id == account_id,
        ClientRequest.kind.in_(CONVERSATIONS) | said,
    ]
    if asked_by is not None:
        conditions.append(ClientRequest.asked_by_id == asked_by)
    return conditions


def reply(
    session: Session,
    account_id: uuid.UUID,
    request_id: int,
    text: str,
    *,
    asked_by: uuid.UUID | None,
    desk_email: str,
    sender: tuple[str, str],
    link: str,
    actor: Actor,
    now: datetime,
) -> None:
    """The client writes again: the desk is told by mail, and the request waits for it, reopened if it was closed.

    `sender` is a name and the address to answer to. Flushes. Raises RequestNotFound.
    """
    lock(session, request_id)
    found = for_client(session, account_id, request_id, asked_by)
    row = found.request
    _say(session, row, "client", text, actor, now)
    _reopen(row, now)
    name, email = sender
    outbox.queue(
        session,
        "request_replied",
        recipient=desk_email,
        language=DESK_LANGUAGE,
        account_id=account_id,
        now=now,
        thread=thread(row.id),
        reply_to=email,
        message=text.strip(),
        sender_name=name,
        sender_email=email,
        account=found.account,
        reference=found.account_reference,
        request=found.reference,
        link="" if row.kind == "partner" else link,
    )
    audit.record(session, actor, account_id, "request.replied", found.reference, {}, {}, now)
    session.flush()


def erase(session: Session, account_id: uuid.UUID) -> None:
    """The account is closed: what was asked and answered goes with it (U4)."""
    ours = select(ClientRequest.id).where(ClientRequest.account_id == account_id)
    session.execute(delete(RequestEntry).where(RequestEntry.request_id.in_(ours)))
    session.execute(delete(ClientRequest).where(ClientRequest.account_id == account_id))


def forget_people(session: Session, people: list[uuid.UUID]) -> None:
    """Who is erased here may have asked in another account, by a former membership."""
    session.execute(
        update(ClientRequest).where(ClientRequest.asked_by_id.in_(people)).values(asked_by="", email="")
    )
