"""The other systems: their keys, the addresses that are told, and what became of each message."""

from collections.abc import Callable

from flask import abort, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields.choices import SelectChoice

from webapp import auth, clock
from webapp.adapters.safe_http import Reach, Refused
from webapp.adapters.vault import Purpose
from webapp.auth import requires
from webapp.blueprints.staff import bp
from webapp.blueprints.staff.integration_forms import KINDS, SCOPES, ConsumerForm, EndpointForm, KeyForm
from webapp.config import Settings
from webapp.domain.access import Actor, May
from webapp.extensions import db
from webapp.htmx import redirect_to
from webapp.i18n import _
from webapp.models.events import ApiConsumer, WebhookEndpoint
from webapp.rendering import render, say, say_count
from webapp.services import api_keys, events, webhooks
from webapp.services.api_keys import ConsumerNotFound, KeyNotFound, NameTaken
from webapp.services.webhooks import DeliveryNotFound, EndpointNotFound
from webapp.transactions import commits
from webapp.vaults import vault

# Why an address is never called, in words.
REFUSED = {
    "scheme": _("Cette adresse ne commence pas par https."),
    "host": _("Cette adresse n’est pas complète. Vérifiez-la."),
    "port": _("Ce port n’est pas permis. Utilisez le port habituel de https."),
    "login": _("Retirez le nom et le mot de passe de l’adresse : la signature suffit."),
    "address": _("Cette adresse est privée : elle ne peut pas être appelée d’ici."),
    "length": _("Cette adresse est trop longue."),
}
STATES = {"en-attente": webhooks.WAITING, "envoyes": webhooks.DELIVERED, "abandonnes": webhooks.GIVEN_UP}


@bp.get("/integrations")
@requires(May.CORRECT_MONEY)
def integrations() -> ResponseReturnValue:
    """The systems that ask or are told, and the form of a new one."""
    return _list()


@bp.post("/integrations")
@requires(May.CORRECT_MONEY)
@commits
def open_integration() -> ResponseReturnValue:
    """A new system: its keys and addresses come next."""
    form = _consumer_form()
    if not form.validate_on_submit():
        return _list(form, 422)
    try:
        consumer = api_keys.open_consumer(
            db.session(), str(form.name.data), form.reseller.data or None, clock.now(), _actor()
        )
    except NameTaken:
        form.name.errors = [_("Un autre système porte déjà ce nom.")]
        return _list(form, 422)
    flash(say("%(name)s est ajouté. Donnez-lui une clé ou une adresse.", name=consumer.name), "good")
    return redirect_to(url_for(".integration", consumer_id=consumer.id))


@bp.get("/integrations/<int:consumer_id>")
@requires(May.CORRECT_MONEY)
def integration(consumer_id: int) -> ResponseReturnValue:
    """One system: its keys and its addresses."""
    return _page(_consumer(consumer_id))


@bp.post("/integrations/<int:consumer_id>/cles")
@requires(May.CORRECT_MONEY)
@commits
def integration_make_key(consumer_id: int) -> ResponseReturnValue:
    """A new key, shown on this answer and never again."""
    consumer, form = _consumer(consumer_id), KeyForm()
    if consumer.closed_at is not None:
        abort(404)
    if not form.validate_on_submit():
        return _page(consumer, key_form=form, status=422)
    _key, clear = api_keys.make(db.session(), consumer_id, form.scopes.data, clock.now(), _actor())
    return _page(consumer, shown_key=clear)


@bp.post("/integrations/cles/<int:key_id>/revocation")
@requires(May.CORRECT_MONEY)
@commits
def integration_revoke_key(key_id: int) -> ResponseReturnValue:
    """From now on this key opens nothing."""
    try:
        key = api_keys.revoke(db.session(), key_id, clock.now(), _actor())
    except KeyNotFound:
        abort(404)
    flash(say("La clé %(prefix)s… est révoquée.", prefix=key.prefix), "good")
    return redirect_to(url_for(".integration", consumer_id=key.consumer_id))


@bp.post("/integrations/<int:consumer_id>/fermeture")
@requires(May.CORRECT_MONEY)
@commits
def integration_close(consumer_id: int) -> ResponseReturnValue:
    """This system asks nothing and is told nothing any more."""
    consumer = _consumer(consumer_id)
    api_keys.close_consumer(db.session(), consumer_id, clock.now(), _actor())
    flash(say("%(name)s est fermé : ses clés n’ouvrent plus rien.", name=consumer.name), "good")
    return redirect_to(url_for(".integrations"))


@bp.post("/integrations/<int:consumer_id>/adresses")
@requires(May.CORRECT_MONEY)
@commits
def integration_add_endpoint(consumer_id: int) -> ResponseReturnValue:
    """A new address to tell; its secret is shown on this answer and never again."""
    consumer, form = _consumer(consumer_id), EndpointForm()
    if consumer.closed_at is not None:
        abort(404)
    if not form.validate_on_submit():
        return _page(consumer, endpoint_form=form, status=422)
    try:
        endpoint, secret = webhooks.add_endpoint(
            db.session(),
            consumer_id,
            str(form.url.data),
            form.kinds.data or (),
            _reach(),
            vault(Purpose.WEBHOOKS),
            clock.now(),
            _actor(),
        )
    except Refused as refused:
        form.url.errors = [REFUSED[refused.reason]]
        return _page(consumer, endpoint_form=form, status=422)
    except webhooks.WrongKinds:
        form.kinds.errors = [_("Choisissez des événements de la liste.")]
        return _page(consumer, endpoint_form=form, status=422)
    return _endpoint_page(endpoint, shown_secret=secret)


@bp.get("/integrations/adresses/<int:endpoint_id>")
@requires(May.CORRECT_MONEY)
def integration_endpoint(endpoint_id: int) -> ResponseReturnValue:
    """One address: how it answers, its secrets, its messages."""
    return _endpoint_page(_endpoint(endpoint_id))


@bp.post("/integrations/adresses/<int:endpoint_id>/essai")
@requires(May.CORRECT_MONEY)
@commits
def integration_test(endpoint_id: int) -> ResponseReturnValue:
    """Send a message that means nothing, to see how the address answers."""
    return _do(endpoint_id, webhooks.send_test, _("Le message d’essai part : son état est dans la liste."))


@bp.post("/integrations/adresses/<int:endpoint_id>/secret")
@requires(May.CORRECT_MONEY)
@commits
def integration_renew_secret(endpoint_id: int) -> ResponseReturnValue:
    """A new secret, shown on this answer and never again; the present one goes on signing along with it."""
    endpoint = _endpoint(endpoint_id)
    secret = webhooks.rotate_secret(db.session(), endpoint_id, vault(Purpose.WEBHOOKS), clock.now(), _actor())
    return _endpoint_page(endpoint, shown_secret=secret)


@bp.post("/integrations/adresses/<int:endpoint_id>/ancien-secret")
@requires(May.CORRECT_MONEY)
@commits
def integration_drop_secret(endpoint_id: int) -> ResponseReturnValue:
    """The former secret signs no more."""
    return _do(endpoint_id, webhooks.end_rotation, _("L’ancien secret ne signe plus."))


@bp.post("/integrations/adresses/<int:endpoint_id>/arret")
@requires(May.CORRECT_MONEY)
@commits
def integration_disable(endpoint_id: int) -> ResponseReturnValue:
    return _do(endpoint_id, webhooks.disable, _("Plus rien n’est envoyé à cette adresse."))


@bp.post("/integrations/adresses/<int:endpoint_id>/reprise")
@requires(May.CORRECT_MONEY)
@commits
def integration_enable(endpoint_id: int) -> ResponseReturnValue:
    return _do(endpoint_id, webhooks.enable, _("Les envois à cette adresse reprennent."))


@bp.post("/integrations/adresses/<int:endpoint_id>/renvois")
@requires(May.CORRECT_MONEY)
@commits
def integration_replay_all(endpoint_id: int) -> ResponseReturnValue:
    """Send again what was given up."""
    try:
        again = webhooks.replay_given_up(db.session(), endpoint_id, clock.now(), _actor())
    except EndpointNotFound:
        abort(404)
    flash(say_count("%(count)s message repart.", "%(count)s messages repartent.", again), "good")
    return redirect_to(url_for(".integration_endpoint", endpoint_id=endpoint_id))


@bp.post("/integrations/envois/<int:delivery_id>/renvoi")
@requires(May.CORRECT_MONEY)
@commits
def integration_replay(delivery_id: int) -> ResponseReturnValue:
    """Send one message again, whatever became of it, under the same identifier."""
    try:
        delivery = webhooks.replay(db.session(), delivery_id, clock.now(), _actor())
    except DeliveryNotFound:
        abort(404)
    flash(say("Le message repart, sous le même identifiant."), "good")
    return redirect_to(url_for(".integration_endpoint", endpoint_id=delivery.endpoint_id))


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(form: ConsumerForm | None = None, status: int = 200) -> ResponseReturnValue:
    page = render(
        "staff/integrations.html",
        rows=api_keys.listed(db.session()),
        failing=webhooks.failing(db.session()),
        form=form or _consumer_form(),
    )
    return page, status


def _page(
    consumer: ApiConsumer,
    *,
    key_form: KeyForm | None = None,
    endpoint_form: EndpointForm | None = None,
    shown_key: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    session = db.session()
    page = render(
        "staff/integration.html",
        consumer=consumer,
        keys=api_keys.keys_of(session, consumer.id),
        endpoints=webhooks.endpoints_of(session, consumer.id),
        # What was typed in the other form of the page is not this one's.
        key_form=key_form or KeyForm(formdata=None),
        endpoint_form=endpoint_form or EndpointForm(formdata=None),
        kinds={code: KINDS[code] for code in events.CATALOGUE},
        scopes=SCOPES,
        shown_key=shown_key,
    )
    return page, status


def _endpoint_page(endpoint: WebhookEndpoint, shown_secret: str = "") -> ResponseReturnValue:
    session = db.session()
    state = STATES.get(request.args.get("etat", ""))
    number = request.args.get("page", 1, type=int)
    return render(
        "staff/integration_endpoint.html",
        endpoint=endpoint,
        consumer=api_keys.get_consumer(session, endpoint.consumer_id),
        page=webhooks.deliveries(session, endpoint.id, state, number),
        state=state,
        states=STATES,
        kinds=KINDS,
        most_tries=len(webhooks.WAITS),
        shown_secret=shown_secret,
    )


def _do(endpoint_id: int, verb: Callable[..., object], told: str) -> ResponseReturnValue:
    try:
        verb(db.session(), endpoint_id, clock.now(), _actor())
    except EndpointNotFound:
        abort(404)
    flash(say(told), "good")
    return redirect_to(url_for(".integration_endpoint", endpoint_id=endpoint_id))


def _consumer(consumer_id: int) -> ApiConsumer:
    try:
        return api_keys.get_consumer(db.session(), consumer_id)
    except ConsumerNotFound:
        abort(404)


def _endpoint(endpoint_id: int) -> WebhookEndpoint:
    try:
        return webhooks.get_endpoint(db.session(), endpoint_id)
    except EndpointNotFound:
        abort(404)


def _consumer_form() -> ConsumerForm:
    form = ConsumerForm()
    known = [SelectChoice(slug, name) for slug, name in api_keys.resellers(db.session())]
    form.reseller.choices = [*form.reseller.choices, *known]
    return form


def _actor() -> Actor:
    return auth.current().staff_actor


def _reach() -> Reach:
    settings: Settings = current_app.extensions["portal_settings"]
    return Reach(frozenset(settings.webhook_ports), settings.webhooks_anywhere)
