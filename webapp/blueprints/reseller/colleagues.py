"""Who works for the reseller: invite a colleague, give a role, remove."""

from flask import abort, current_app, flash, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.reseller import bp
from webapp.domain.access import May, ResellerRole
from webapp.domain.refusals import AlreadyColleague, LastResellerAdmin, NotAMember, TooManyAttempts
from webapp.extensions import db
from webapp.forms import PortalForm
from webapp.htmx import redirect_to
from webapp.i18n import _, explain, translate
from webapp.inviting import RESELLER_ROLE_NOTES, RESELLER_ROLES, InviteColleagueForm
from webapp.rendering import current_locale, render, say
from webapp.services import reseller_people
from webapp.transactions import commits


class PlaceForm(PortalForm):
    role = SelectField(_("Rôle"), choices=RESELLER_ROLES)


@bp.get("/utilisateurs")
@requires(May.READ_CONSOLE)
def colleagues() -> ResponseReturnValue:
    return _page()


@bp.post("/utilisateurs/inviter")
@requires(May.MANAGE_CONSOLE)
@commits
def colleague_invite() -> ResponseReturnValue:
    form, status = InviteColleagueForm(), 422
    if form.validate_on_submit():
        try:
            invitation = reseller_people.invite(
                db.session(),
                auth.partner().id,
                email=str(form.email.data),
                role=ResellerRole(form.role.data),
                address_of=invitation_link,
                actor=auth.current().partner_actor,
                now=clock.now(),
            )
            flash(say("Une invitation vient de partir vers %(email)s.", email=invitation.email), "good")
            return redirect_to(url_for(".colleagues"))
        except (AlreadyColleague, TooManyAttempts) as refusal:
            form.email.errors = [explain(refusal, current_locale())]
            status = 429 if isinstance(refusal, TooManyAttempts) else 422
    return _page(form), status


@bp.post("/utilisateurs/invitations/<int:invitation_id>/renvoyer")
@requires(May.MANAGE_CONSOLE)
@commits
def colleague_invite_again(invitation_id: int) -> ResponseReturnValue:
    try:
        invitation = reseller_people.invite_again(
            db.session(),
            auth.partner().id,
            invitation_id,
            address_of=invitation_link,
            actor=auth.current().partner_actor,
            now=clock.now(),
        )
    except TooManyAttempts as refusal:
        flash(explain(refusal, current_locale()), "bad")
        return redirect_to(url_for(".colleagues"))
    if invitation is None:
        abort(404)
    flash(say("Une nouvelle invitation vient de partir vers %(email)s.", email=invitation.email), "good")
    return redirect_to(url_for(".colleagues"))


@bp.post("/utilisateurs/invitations/<int:invitation_id>/reprendre")
@requires(May.MANAGE_CONSOLE)
@commits
def colleague_take_back(invitation_id: int) -> ResponseReturnValue:
    invitation = reseller_people.revoke_invitation(
        db.session(),
        auth.partner().id,
        invitation_id,
        actor=auth.current().partner_actor,
        now=clock.now(),
    )
    if invitation is None:
        abort(404)
    flash(say("L’invitation de %(email)s est reprise.", email=invitation.email), "good")
    return redirect_to(url_for(".colleagues"))


@bp.post("/utilisateurs/<int:membership_id>/role")
@requires(May.MANAGE_CONSOLE)
@commits
def colleague_role(membership_id: int) -> ResponseReturnValue:
    form, here = PlaceForm(), auth.current()
    if not form.validate_on_submit():
        abort(400)
    role = ResellerRole(form.role.data)
    try:
        user = reseller_people.change_role(
            db.session(), auth.partner().id, membership_id, role, actor=here.partner_actor, now=clock.now()
        )
    except NotAMember:
        abort(404)
    except LastResellerAdmin as refusal:
        return _page(None, [explain(refusal, current_locale())]), 422
    words = translate(RESELLER_ROLES[role.value], current_locale())
    flash(say("Le rôle de %(name)s est maintenant : %(role)s.", name=user.full_name, role=words), "good")
    return redirect_to(url_for(".colleagues"))


@bp.get("/utilisateurs/<int:membership_id>/retirer")
@requires(May.MANAGE_CONSOLE)
def colleague_confirm_removal(membership_id: int) -> ResponseReturnValue:
    """Who loses what, before it happens."""
    found = [
        each
        for each in reseller_people.colleagues(db.session(), auth.partner().id)
        if each.membership_id == membership_id
    ]
    if not found:
        abort(404)
    return render(
        "reseller/remove_colleague.html",
        colleague=found[0],
        is_oneself=found[0].user_id == auth.current().user_id,
    )


@bp.post("/utilisateurs/<int:membership_id>/retirer")
@requires(May.MANAGE_CONSOLE)
@commits
def colleague_remove(membership_id: int) -> ResponseReturnValue:
    here = auth.current()
    try:
        user = reseller_people.remove(
            db.session(), auth.partner().id, membership_id, actor=here.partner_actor, now=clock.now()
        )
    except NotAMember:
        abort(404)
    except LastResellerAdmin as refusal:
        return _page(None, [explain(refusal, current_locale())]), 422
    if user.id == here.user_id:
        return redirect_to(url_for("account.home"))
    flash(say("%(name)s n’a plus accès à cet espace.", name=user.full_name), "good")
    return redirect_to(url_for(".colleagues"))


def invitation_link(token: str) -> str:
    """The address that an invitation mails."""
    settings = current_app.extensions["portal_settings"]
    return str(settings.base_url + url_for("users.invitation", token=token))


def _page(form: InviteColleagueForm | None = None, sentences: list[str] | None = None) -> str:
    session, reseller_id = db.session(), auth.partner().id
    return render(
        "reseller/colleagues.html",
        colleagues=reseller_people.colleagues(session, reseller_id),
        invitations=reseller_people.pending_invitations(session, reseller_id),
        form=form or InviteColleagueForm(formdata=None, role=ResellerRole.AGENT.value),
        sentences=sentences or [],
        roles=RESELLER_ROLES,
        role_notes=RESELLER_ROLE_NOTES,
        may_manage=auth.visit_allows(May.MANAGE_CONSOLE),
        who_may=auth.WHO_MAY[May.MANAGE_CONSOLE],
        now=clock.now(),
    )
