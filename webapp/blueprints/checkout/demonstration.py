"""The page of the demo's payment provider: no card, no money. It exists only when PAYMENT_PROVIDER is demo."""

from typing import Any
from urllib.parse import urlsplit

from flask import abort, redirect, request
from flask.typing import ResponseReturnValue

from webapp import auth, clock, paying
from webapp.adapters.demo_provider import CARDS, DemoProvider
from webapp.adapters.payment_provider import ReferenceUnknown
from webapp.auth import requires
from webapp.blueprints.checkout import bp
from webapp.blueprints.checkout.forms import DemoForm
from webapp.domain.access import May
from webapp.domain.money import Money
from webapp.extensions import db
from webapp.rendering import render
from webapp.services import provider_events
from webapp.transactions import commits


@bp.get("/demonstration/<reference>")
@requires(May.SIGNED_IN)
def demo_page(reference: str) -> ResponseReturnValue:
    return _page(reference)


@bp.post("/demonstration/<reference>")
@requires(May.SIGNED_IN)
@commits
def demo_answer(reference: str) -> ResponseReturnValue:
    """accept, refuse, ask for the bank's check first, leave the bank silent, or pay and lose the notice."""
    provider, facts = _known(reference)
    form = DemoForm()
    answer, card = form.answer.data, form.card.data or "valid"
    if not form.validate_on_submit() or card not in CARDS:
        abort(400)
    if answer == "check":
        return _page(reference, is_checking=True)
    if answer in ("accept", "lose"):
        provider.accept(reference, clock.today(), card)
    elif answer == "refuse":
        provider.refuse(reference)
    else:
        provider.keep_waiting(reference)
    if answer == "lose":
        return _page(reference, is_lost=True)
    body, headers = provider.notice(reference)
    told = provider.verify_webhook(body, headers, {})
    provider_events.keep(db.session(), provider.name, told, body, clock.now())
    return redirect(auth.local_path(urlsplit(facts["back_to"]).path) or "/", 303)


def _page(reference: str, *, is_checking: bool = False, is_lost: bool = False) -> str:
    _provider, facts = _known(reference)
    kinds = {"card": "card", "bancontact": "direct_debit"}
    wanted = kinds.get(facts["kind"], "card")
    return render(
        "checkout/demonstration.html",
        reference=reference,
        purpose=facts["purpose"],
        amount=Money(facts["amount_cents"], facts["currency"]),
        description=facts["description"],
        state=facts["state"],
        back_to=auth.local_path(urlsplit(facts.get("back_to", "")).path) or "/",
        cards={code: card for code, card in CARDS.items() if card.kind == wanted},
        chosen=request.form.get("card", "")
        or next(code for code, card in CARDS.items() if card.kind == wanted),
        is_checking=is_checking,
        is_lost=is_lost,
    )


def _known(reference: str) -> tuple[DemoProvider, dict[str, Any]]:
    provider = paying.provider()
    if not isinstance(provider, DemoProvider):
        abort(404)
    try:
        facts = provider.shown(reference)
    except ReferenceUnknown:
        abort(404)
    if facts["purpose"] == "charge":
        abort(404)
    return provider, facts
