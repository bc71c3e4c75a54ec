"""The mails sent on the account: their list, and each as it was."""

import uuid

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue

from webapp import auth
from webapp.auth import requires
from webapp.blueprints.history import bp
from webapp.domain.access import May
from webapp.extensions import db
from webapp.rendering import render
from webapp.services import messages


@bp.get("/abonnements/<uuid:subscription_id>/historique/messages")
@requires(May.READ_MESSAGES)
def sent(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """What was sent, latest first."""
    found = messages.page(db.session(), _account_id(), request.args.get("page", 1, type=int))

    def address(number: int) -> str:
        return url_for(".sent", subscription_id=subscription_id, page=number if number > 1 else None)

    near = sorted({1, found.pages, found.number - 1, found.number, found.number + 1})
    return render(
        "history/messages.html",
        found=found,
        pages=[(each, address(each), each == found.number) for each in near if 1 <= each <= found.pages],
        next_page=address(found.number + 1) if found.number < found.pages else "",
    )


@bp.get("/abonnements/<uuid:subscription_id>/historique/messages/<int:message_id>")
@requires(May.READ_MESSAGES)
def message(subscription_id: uuid.UUID, message_id: int) -> ResponseReturnValue:
    """One message, in the words in which it left."""
    session = db.session()
    found = messages.find(session, _account_id(), message_id)
    if found is None:
        abort(404)
    return render("history/message.html", message=found, attachments=messages.attachments(session, found.id))


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    if account_id is None:
        abort(404)
    return account_id
