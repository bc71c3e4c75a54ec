"""POST /webhooks/<provider>: what a payment provider pushes. Signed, kept raw, answered at once, handled afterwards."""

import logging

from flask import abort, request
from flask.typing import ResponseReturnValue

from webapp import clock, paying
from webapp.adapters.payment_provider import BadSignature
from webapp.auth import requires
from webapp.blueprints.checkout import bp
from webapp.domain.access import May
from webapp.extensions import csrf, db
from webapp.services import provider_events
from webapp.transactions import commits

LONGEST = 64 * 1024  # bytes; those of Stripe are a few thousand, those of Mollie fifteen
log = logging.getLogger(__name__)


@bp.post("/webhooks/<provider>")
@requires(May.ANYONE)
@csrf.exempt  # type: ignore[untyped-decorator]  # no browser sends it: its signature is what is checked, and this address alone is exempt
@commits
def notice(provider: str) -> ResponseReturnValue:
    found = paying.provider()
    if found is None or provider != found.name:
        abort(400)
    request.max_content_length = LONGEST
    body = request.get_data()
    try:
        told = found.verify_webhook(body, dict(request.headers), request.args)
    except BadSignature:
        log.warning("a notice to %s came with a wrong signature, from %s", provider, request.remote_addr)
        abort(400)
    provider_events.keep(db.session(), found.name, told, body, clock.now())
    return "", 200
