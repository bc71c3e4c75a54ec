"""See the people of an account, invite, give a role, remove; answer an invitation."""

import uuid
from collections.abc import Sequence

from flask import abort, current_app, flash, make_response, redirect, session, url_for
from flask.typing import ResponseReturnValue

from webapp import auth, clock
from webapp.auth import requires
from webapp.blueprints.users import bp
from webapp.blueprints.users.forms import JoinForm, RoleForm
from webapp.domain.access import May, ResellerRole, Role
from webapp.domain.refusals import (
    AlreadyMember,
    InvitationForAnother,
    LastOwner,
    LinkExpired,
    NotAMember,
    PasswordTooWeak,
    TooManyAttempts,
    WorksForAnother,
)
from webapp.extensions import db
from webapp.i18n import explain, translate
from webapp.inviting import RESELLER_ROLE_NOTES, RESELLER_ROLES, ROLE_NOTES, ROLES, InviteForm
from webapp.rendering import current_locale, render, say
from webapp.services import invitations, memberships, people
from webapp.transactions import commits


@bp.get("/abonnements/<uuid:subscription_id>/utilisateurs")
@requires(May.READ_SUBSCRIPTION)
def index(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _page(InviteForm(formdata=None, role=Role.VIEWER.value))


@bp.post("/abonnements/<uuid:subscription_id>/utilisateurs/inviter")
@requires(May.MANAGE_USERS)
@commits
def invite(subscription_id: uuid.UUID) -> ResponseReturnValue:
    form, status = InviteForm(), 422
    if form.validate_on_submit():
        try:
            invitation = memberships.invite(
                db.session(),
                _account_id(),
                email=form.email.data,
                role=Role(form.role.data),
                address_of=_link,
                actor=auth.current().actor,
                now=clock.now(),
            )
            flash(say("Une invitation vient de partir vers %(email)s.", email=invitation.email), "good")
            return redirect(url_for(".index", subscription_id=subscription_id), 303)
        except (AlreadyMember, TooManyAttempts) as refusal:
            form.email.errors = [explain(refusal, current_locale())]
            status = 429 if isinstance(refusal, TooManyAttempts) else 422
    return _page(form), status


@bp.post("/abonnements/<uuid:subscription_id>/utilisateurs/invitations/<int:invitation_id>/renvoyer")
@requires(May.MANAGE_USERS)
@commits
def invite_again(subscription_id: uuid.UUID, invitation_id: int) -> ResponseReturnValue:
    try:
        invitation = memberships.invite_again(
            db.session(),
            _account_id(),
            invitation_id,
            address_of=_link,
            actor=auth.current().actor,
            now=clock.now(),
        )
    except TooManyAttempts as refusal:
        flash(explain(refusal, current_locale()), "bad")
        return redirect(url_for(".index", subscription_id=subscription_id), 303)
    if invitation is None:
        abort(404)
    flash(say("Une nouvelle invitation vient de partir vers %(email)s.", email=invitation.email), "good")
    return redirect(url_for(".index", subscription_id=subscription_id), 303)


@bp.post("/abonnements/<uuid:subscription_id>/utilisateurs/invitations/<int:invitation_id>/reprendre")
@requires(May.MANAGE_USERS)
@commits
def revoke_invitation(subscription_id: uuid.UUID, invitation_id: int) -> ResponseReturnValue:
    invitation = memberships.revoke_invitation(
        db.session(), _account_id(), invitation_id, actor=auth.current().actor, now=clock.now()
    )
    if invitation is None:
        abort(404)
    flash(say("L’invitation de %(email)s est reprise.", email=invitation.email), "good")
    return redirect(url_for(".index", subscription_id=subscription_id), 303)


@bp.post("/abonnements/<uuid:subscription_id>/utilisateurs/<int:membership_id>/role")
@requires(May.MANAGE_USERS)
@commits
def change_role(subscription_id: uuid.UUID, membership_id: int) -> ResponseReturnValue:
    form, here = RoleForm(), auth.current()
    if not form.validate_on_submit():
        abort(400)
    role = Role(form.role.data)
    try:
        user = memberships.change_role(
            db.session(), _account_id(), membership_id, role, actor=here.actor, now=clock.now()
        )
    except NotAMember:
        abort(404)
    except LastOwner as refusal:
        return _page(None, [explain(refusal, current_locale())]), 422
    words = translate(ROLES[role.value], current_locale())
    flash(say("Le rôle de %(name)s est maintenant : %(role)s.", name=user.full_name, role=words), "good")
    if user.id == here.user_id:
        return redirect(url_for("account.home"), 303)
    return redirect(url_for(".index", subscription_id=subscription_id), 303)


@bp.get("/abonnements/<uuid:subscription_id>/utilisateurs/<int:membership_id>/retirer")
@requires(May.MANAGE_USERS)
def confirm_removal(subscription_id: uuid.UUID, membership_id: int) -> ResponseReturnValue:
    """Who loses what, before it happens."""
    found = [
        member
        for member in memberships.members(db.session(), _account_id())
        if member.membership_id == membership_id
    ]
    if not found:
        abort(404)
    return render("users/remove.html", member=found[0], is_oneself=found[0].user_id == auth.current().user_id)


@bp.post("/abonnements/<uuid:subscription_id>/utilisateurs/<int:membership_id>/retirer")
@requires(May.MANAGE_USERS)
@commits
def remove(subscription_id: uuid.UUID, membership_id: int) -> ResponseReturnValue:
    here = auth.current()
    try:
        user = memberships.remove(
            db.session(), _account_id(), membership_id, actor=here.actor, now=clock.now()
        )
    except NotAMember:
        abort(404)
    except LastOwner as refusal:
        return _page(None, [explain(refusal, current_locale())]), 422
    if user.id == here.user_id:
        return redirect(url_for("account.home"), 303)
    flash(say("%(name)s n’a plus accès à ce compte.", name=user.full_name), "good")
    return redirect(url_for(".index", subscription_id=subscription_id), 303)


# --- The person invited ----------------------------------------------------------------------------------------


@bp.get("/invitation/<token>")
@requires(May.ANYONE)
def invitation(token: str) -> ResponseReturnValue:
    try:
        return _answer(token, JoinForm(formdata=None))
    except LinkExpired:
        return render("users/invitation_expired.html"), 410


@bp.post("/invitation/<token>")
@requires(May.ANYONE)
@commits
def join(token: str) -> ResponseReturnValue:
    """A new person chooses a name and a password; a known one, signed in, presses a button."""
    here, form, now = auth.visit(), JoinForm(), clock.now()
    try:
        invited = invitations.invitation_of(db.session(), token, now)
        if not invited.is_known:
            if not form.validate_on_submit():
                return _answer(token, form), 422
            user = invitations.join_as_new(
                db.session(),
                token,
                full_name=form.full_name.data,
                password=form.password.data,
                language=current_locale(),
                now=now,
            )
            opened = people.open_session(
                db.session(),
                user,
                device=auth.device(),
                lifetime=auth.lifetime(),
                now=now,
                means="invitation",
            )
            if here is not None:
                people.sign_out(db.session(), here.session_id, actor=here.actor, now=now)
            session.clear()
            return auth.remember(make_response(redirect(url_for("account.home"), 303)), opened)
        if here is None:
            return redirect(url_for("account.login", next=url_for(".invitation", token=token)), 303)
        invitations.join_as_known(db.session(), token, user_id=here.user_id, now=now)
    except LinkExpired:
        return render("users/invitation_expired.html"), 410
    except PasswordTooWeak as refusal:
        form.password.errors = [explain(refusal, current_locale())]
        return _answer(token, form), 422
    except InvitationForAnother:
        return _answer(token, form), 422
    except WorksForAnother as refusal:
        return _answer(token, form, [explain(refusal, current_locale())]), 422
    flash(say("Vous avez maintenant accès à %(account)s.", account=invited.name), "good")
    into_console = isinstance(invited.role, ResellerRole)
    return redirect(url_for("reseller.clients" if into_console else "account.accounts"), 303)


def _answer(token: str, form: JoinForm, sentences: Sequence[str] = ()) -> str:
    invited = invitations.invitation_of(db.session(), token, clock.now())
    here = auth.visit()
    return render(
        "users/invitation.html",
        invited=invited,
        role=(ROLES | RESELLER_ROLES)[invited.role.value],
        note=(ROLE_NOTES | RESELLER_ROLE_NOTES)[invited.role.value],
        form=form,
        sentences=sentences,
        is_partner=isinstance(invited.role, ResellerRole),
        token=token,
        is_signed_in=here is not None,
        is_reader=here is not None and here.user_email == invited.email,
    )


# --- Pieces ----------------------------------------------------------------------------------------------------


def _page(form: InviteForm | None, sentences: list[str] | None = None) -> str:
    account_id = _account_id()
    return render(
        "users/index.html",
        members=memberships.members(db.session(), account_id),
        invitations=memberships.pending_invitations(db.session(), account_id),
        form=form or InviteForm(formdata=None, role=Role.VIEWER.value),
        sentences=sentences or [],
        roles=ROLES,
        role_notes=ROLE_NOTES,
        may_manage=auth.visit_allows(May.MANAGE_USERS),
        who_may=auth.WHO_MAY[May.MANAGE_USERS],
        now=clock.now(),
    )


def _account_id() -> uuid.UUID:
    account_id = auth.current().account_id
    assert account_id is not None  # the door has answered 404 otherwise
    return account_id


def _link(token: str) -> str:
    settings = current_app.extensions["portal_settings"]
    return str(settings.base_url + url_for("users.invitation", token=token))
