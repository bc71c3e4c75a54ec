"""Formule et facturation: the subscription at a glance, and undoing what is scheduled."""

import uuid

from flask import abort, flash, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock, htmx
from webapp.auth import requires
from webapp.blueprints.subscriptions import bp, presenters
from webapp.blueprints.subscriptions.coming_changes import TO_UNDO
from webapp.domain.access import May
from webapp.domain.refusals import ChangeAlreadyDone, Refusal
from webapp.extensions import db
from webapp.i18n import _, explain
from webapp.lateness import lateness
from webapp.rendering import current_locale, render
from webapp.services import contracts, invoices, scheduling, standing, subscriptions
from webapp.transactions import commits

# What an undone change moves: nearly every figure of the page, then the message.
MOVED = ("subscriptions/_overview.html", "components/_flashes.html")


@bp.get("")
@requires(May.READ_SUBSCRIPTION)
def overview(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """The plan, the commitment, the next invoice, what is scheduled, and the latest documents."""
    return render("subscriptions/overview.html", page=_page(subscription_id))


@bp.post("/changements/<int:change_id>/annuler")
@requires(May.CHANGE_OPTIONS)
@commits
def undo_change(subscription_id: uuid.UUID, change_id: int) -> ResponseReturnValue:
    """Take back a scheduled change. A change of plan asks for more than a change of options."""
    session, visit = db.session(), auth.current()
    situation = contracts.load(session, subscription_id)
    change = next((each for each in situation.pending if each.id == change_id), None)
    if change is not None and change.kind not in TO_UNDO:
        abort(404)
    try:
        if change is None:
            raise ChangeAlreadyDone()
        may, action = TO_UNDO[change.kind]
        if not auth.visit_allows(may):
            raise auth.RoleNeeded(may)
        subscriptions.ensure_self_service(situation, action)
        scheduling.undo(session, subscription_id, change_id, clock.today(), visit.actor, clock.now())
    except Refusal as refusal:
        # The page as it is now: what one wanted to undo may have happened meanwhile.
        flash(explain(refusal, current_locale()), "bad")
        status = 409 if isinstance(refusal, ChangeAlreadyDone) else 422
        page = _page(subscription_id)
        return htmx.page_or_fragment("subscriptions/overview.html", MOVED, status=status, page=page)
    flash(_("C’est annulé : rien ne change à cette date."), "good")
    address = url_for(".overview", subscription_id=subscription_id)
    return htmx.done(address, MOVED, page=_page(subscription_id))


def _page(subscription_id: uuid.UUID) -> presenters.Overview:
    session, today = db.session(), clock.today()
    situation = contracts.load(session, subscription_id)
    draft = None
    if situation.contract.on(today).ended_on is None:
        draft = subscriptions.next_invoice(session, situation, today)
    glance = invoices.glance(session, subscription_id, today)
    late = None
    if glance.unpaid is not None:  # what is on time needs no further reading
        late = lateness(standing.of_account(session, situation.customer.account_id, today), today)
    return presenters.overview(situation, draft, glance, late, auth.current(), today, current_locale())
