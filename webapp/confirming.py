"""A confirmation, whatever it confirms: what was shown is done once, or shown again if a figure moved (P1, A4)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from flask import flash
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import HiddenField
from wtforms.validators import InputRequired, Length, Regexp

from webapp import auth, clock, htmx
from webapp.domain.access import Actor
from webapp.domain.refusals import Refusal, StalePreview
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.models.accounts import Reseller
from webapp.services import idempotency, scheduling


class ConfirmForm(PortalForm):
    """A confirmation: the key that makes it happen once, and the fingerprint of what was shown."""

    idempotency_key = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9a-f]{32}$")])
    preview = HiddenField(validators=[InputRequired(), Length(max=64)])


@dataclass(frozen=True, slots=True)
class Given:
    """What the act of a confirmation is given: it does what `fingerprint` stands for, or raises StalePreview."""

    session: Session
    fingerprint: str
    today: date
    now: datetime
    actor: Actor


Act = Callable[[Given], str]  # does it, and says where its answer leads
Show = Callable[[int], ResponseReturnValue]  # the preview as it is now, under this status
Refuse = Callable[[uuid.UUID, Refusal], ResponseReturnValue]


def new_key() -> str:
    """The key that a preview carries to its confirmation."""
    return uuid.uuid4().hex


def once(
    subscription_id: uuid.UUID,
    form: ConfirmForm,
    asked: tuple[object, ...],
    act: Act,
    *,
    show: Show,
    refuse: Refuse,
    said: str = "",
    account_id: uuid.UUID | None = None,
) -> ResponseReturnValue:
    """Do what was previewed, once per key: the second time, the same answer and nothing done.

    `asked` names what is confirmed, key and fingerprint aside: the same key for something else is refused. `said` is
    told on the page that the answer leads to. `account_id` is given by the team's doors, whose addresses name no account of
    their visitor: the actor is then of the team. 422 from `show` when the form is not whole, 409 when a figure or a date
    moved; `refuse` gives the sentence of any other refusal. What a refused act had begun is undone before its page is
    made. For a view under `@commits`.
    """
    visit, session = auth.current(), db.session()
    actor = visit.actor if account_id is None else visit.staff_actor
    account_id = account_id or visit.account_id
    if not form.validate_on_submit() or account_id is None:
        return show(422)
    scheduling.lock(session, subscription_id)
    return _answered(
        form,
        (subscription_id, *asked),
        act,
        actor,
        account_id,
        show=show,
        refuse=partial(refuse, subscription_id),
        said=said,
    )


def once_for_client(
    form: ConfirmForm,
    asked: tuple[object, ...],
    act: Callable[[Given, uuid.UUID], str],
    *,
    show: Show,
    refuse: Callable[[Refusal], ResponseReturnValue],
    said: str,
) -> ResponseReturnValue:
    """As `once`, for somebody who works for a reseller and opens the account of a client, which `act` is given the id of.

    The id follows from the reseller and the key, and the reseller's row is held: sent twice, even at once, one account is
    opened, and both answers lead to it.
    """
    visit, session, reseller_id = auth.current(), db.session(), auth.partner().id
    if not form.validate_on_submit():
        return show(422)
    session.get_one(Reseller, reseller_id, with_for_update=True)
    account_id = uuid.uuid5(reseller_id, str(form.idempotency_key.data))
    return _answered(
        form,
        asked,
        lambda given: act(given, account_id),
        visit.partner_actor,
        account_id,
        show=show,
        refuse=refuse,
        said=said,
    )


def _answered(
    form: ConfirmForm,
    asked: tuple[object, ...],
    act: Act,
    actor: Actor,
    account_id: uuid.UUID,
    *,
    show: Show,
    refuse: Callable[[Refusal], ResponseReturnValue],
    said: str,
) -> ResponseReturnValue:
    """Whatever `act` changes is locked by the caller."""
    session = db.session()
    key, fingerprint = str(form.idempotency_key.data), str(form.preview.data)
    request_hash = idempotency.request_hash(*asked, fingerprint)
    try:
        location = idempotency.replied(session, account_id, key, request_hash)
        if location is None:
            given = Given(session, fingerprint, clock.today(), clock.now(), actor)
            location = act(given)
            idempotency.remember(session, account_id, key, request_hash, location, given.now)
    except StalePreview:
        session.rollback()
        return show(409)
    except Refusal as refusal:
        session.rollback()
        return refuse(refusal)
    if said:
        flash(said, "good")
    return htmx.redirect_to(location)
