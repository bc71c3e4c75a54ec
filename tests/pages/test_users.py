"""The people of an account, over HTTP: invited, joining, given a role, removed at once."""

import re
from email import message_from_bytes, policy

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import PASSWORD, Signed, a_subscription, a_user, an_account
from tests.support.page import Page
from tests.support.page_linter import problems
from tests.support.signing_in import sign_in
from webapp.adapters import passwords
from webapp.config import Settings
from webapp.domain.access import Role
from webapp.models.accounts import Invitation, LoginSession, Membership, User
from webapp.models.records import AuditEntry, OutboxMessage

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def contract(session: Session) -> Signed:
    contract = a_subscription(session)
    session.commit()
    return contract


@pytest.fixture
def owner(app: Flask, session: Session, contract: Signed) -> FlaskClient:
    return sign_in(app.test_client(), session, a_user(session, contract.account, email="claire@parc.example"))


def users(client: FlaskClient, contract: Signed) -> Page:
    return Page.get(client, f"/abonnements/{contract.id}/utilisateurs")


def invite(page: Page, email: str = "lea@parc.example", role: str = "viewer") -> Page:
    return page.form("invite").fill(email=email, role=role).submit()


def mailed_link(settings: Settings) -> str:
    assert settings.mail_folder is not None
    newest = max(settings.mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    body = message_from_bytes(newest.read_bytes(), policy=policy.default).get_body(("plain",))
    assert body is not None
    found = re.search(r"http://localhost(/\S+)", body.get_content())
    assert found is not None
    return found[1]


def actions(session: Session) -> list[str]:
    found = list(
        session.scalars(
            select(AuditEntry.action).where(AuditEntry.account_id.is_not(None)).order_by(AuditEntry.id)
        )
    )
    session.rollback()
    return found


def roles(session: Session, contract: Signed) -> dict[str, str]:
    rows = session.execute(
        select(User.email, Membership.role).join(User).where(Membership.account_id == contract.account_id)
    )
    found = {row.email: row.role for row in rows}
    session.rollback()
    return found


def test_a_new_person_joins_with_a_password_of_their_own(
    owner: FlaskClient, client: FlaskClient, contract: Signed, session: Session, settings: Settings
) -> None:
    page = invite(users(owner, contract), "Lea@Parc.example", "administrator")
    assert "lea@parc.example" in page.text("#invitations")
    answer = Page.get(client, mailed_link(settings))
    assert "Brasserie du Parc" in answer.text("h1")
    assert problems(answer.html) == []
    weak = answer.form().fill(full_name="Léa Dubois", password="court").submit()
    assert weak.status == 422
    assert "12 caractères" in weak.form().error("password")
    assert weak.form().values["full_name"] == ["Léa Dubois"]
    answer = weak.form().fill(password=PASSWORD).submit()
    assert answer.status in (200, 404)  # the overview may be another person's work
    assert users(client, contract).status == 200
    assert roles(session, contract)["lea@parc.example"] == "administrator"
    assert actions(session)[-2:] == ["user.invited", "user.joined"]
    assert not users(owner, contract).has("#invitations")


def test_a_known_person_signs_in_to_join(
    owner: FlaskClient, client: FlaskClient, contract: Signed, session: Session, settings: Settings
) -> None:
    elsewhere = an_account(session, "Ailleurs")
    a_user(session, elsewhere, email="anne@f.example", password_hash=passwords.hash_password(PASSWORD))
    session.commit()
    invite(users(owner, contract), "anne@f.example", "accountant")
    page = Page.get(client, mailed_link(settings)).form().submit()
    assert page.address.startswith("/connexion?next=/invitation/")
    page = page.form(action=page.one("main form").get("action")).fill(
        email="anne@f.example", password=PASSWORD
    )
    page = page.submit()
    page = page.form().submit("Rejoindre le compte")
    assert "Vous avez maintenant accès à Brasserie du Parc." in page.text("#flashes")
    assert roles(session, contract)["anne@f.example"] == "accountant"


def test_a_link_read_by_somebody_else_gives_nothing(
    app: Flask, owner: FlaskClient, contract: Signed, session: Session, settings: Settings
) -> None:
    a_user(session, email="anne@f.example")
    other = sign_in(app.test_client(), session, a_user(session, an_account(session, "Ailleurs")))
    invite(users(owner, contract), "anne@f.example")
    page = Page.get(other, mailed_link(settings))
    assert "vous êtes connecté avec une autre adresse" in page.text("main")
    assert not page.has("main button[type=submit]:not([name=language])")
    token = page.all("meta[name='csrf-token']")[0].get("content")
    answer = other.post(mailed_link(settings), data={"csrf_token": token})
    assert answer.status_code == 422
    assert "anne@f.example" not in roles(session, contract)


def test_an_invitation_can_be_sent_again_and_taken_back(
    owner: FlaskClient, client: FlaskClient, contract: Signed, session: Session, settings: Settings, clock
) -> None:
    page = invite(users(owner, contract))
    first = mailed_link(settings)
    page = page.form(action="/renvoyer").submit()
    second = mailed_link(settings)
    assert Page.get(client, first).status == 410
    assert Page.get(client, second).status == 200
    page.form(action="/reprendre").submit()
    assert Page.get(client, second).status == 410
    assert actions(session)[-3:] == ["user.invited", "user.invitation_sent_again", "user.invitation_revoked"]


def test_an_invitation_is_valid_seven_days(
    owner: FlaskClient, client: FlaskClient, contract: Signed, settings: Settings, clock
) -> None:
    from datetime import date

    invite(users(owner, contract))
    link = mailed_link(settings)
    clock.set(date(2026, 11, 22))
    assert Page.get(client, link).status == 200
    clock.set(date(2026, 11, 24))
    assert Page.get(client, link).status == 410


def test_inviting_twice_leaves_one_invitation_and_a_member_is_not_invited(
    owner: FlaskClient, contract: Signed, session: Session
) -> None:
    page = invite(invite(users(owner, contract)))
    assert len(page.all("#invitations .spread")) == 1
    page = invite(page, "claire@parc.example")
    assert page.status == 422
    assert "a déjà accès à ce compte" in page.form("invite").error("email")
    page = invite(page, "pas une adresse")
    assert "Écrivez une adresse e-mail complète" in page.form("invite").error("email")
    assert page.form("invite").values["email"] == ["pas une adresse"]


def test_invitations_are_counted(owner: FlaskClient, contract: Signed, session: Session) -> None:
    page = users(owner, contract)
    for number in range(21):
        page = invite(page, f"n{number}@parc.example")
    assert page.status == 429
    assert len(session.scalars(select(Invitation.id)).all()) == 20


def test_a_role_changes_from_the_next_click(
    app: Flask, owner: FlaskClient, contract: Signed, session: Session
) -> None:
    karim = a_user(session, contract.account, Role.VIEWER, full_name="Karim Benali")
    browser = sign_in(app.test_client(), session, karim)
    membership = session.scalars(select(Membership.id).where(Membership.user_id == karim.id)).one()
    session.rollback()
    page = users(owner, contract).form(f"member-{membership}").fill(role="accountant").submit()
    assert "Le rôle de Karim Benali est maintenant : Comptable." in page.text("#flashes").replace("\xa0", " ")
    assert users(browser, contract).status == 403
    assert actions(session)[-1] == "user.role_changed"


def test_a_removed_person_is_out_at_once_and_the_history_remembers(
    app: Flask, owner: FlaskClient, contract: Signed, session: Session
) -> None:
    karim = a_user(session, contract.account, Role.ADMINISTRATOR, full_name="Karim Benali")
    browser = sign_in(app.test_client(), session, karim)
    assert users(browser, contract).status == 200
    page = users(owner, contract).follow(".row-actions a[aria-label='Retirer l’accès de Karim Benali']")
    assert "perd l’accès à Brasserie du Parc" in page.text("main")
    assert problems(page.html) == []
    page = page.form().submit()
    assert "Karim Benali n’a plus accès à ce compte." in page.text("#flashes")
    answer = browser.get(f"/abonnements/{contract.id}/utilisateurs")
    assert answer.headers["Location"].startswith("/connexion")
    open_sessions = select(LoginSession.id).where(
        LoginSession.user_id == karim.id, LoginSession.revoked_at.is_(None)
    )
    assert session.scalars(open_sessions).all() == []
    assert actions(session)[-1] == "user.removed"


def test_who_belongs_elsewhere_keeps_the_sessions_of_elsewhere(
    app: Flask, owner: FlaskClient, contract: Signed, session: Session
) -> None:
    anne = a_user(session, contract.account, Role.ACCOUNTANT, full_name="Anne")
    other = a_subscription(session, account=an_account(session, "Ailleurs"))
    session.add(
        Membership(user_id=anne.id, account_id=other.account_id, role="viewer", created_at=anne.created_at)
    )
    browser = sign_in(app.test_client(), session, anne)
    assert users(browser, other).status == 200
    users(owner, contract).follow(".row-actions a[aria-label='Retirer l’accès de Anne']").form().submit()
    assert users(browser, other).status == 200
    assert users(browser, contract).status == 404


def test_the_last_owner_stays(owner: FlaskClient, contract: Signed, session: Session) -> None:
    sentence = "Un compte garde au moins un propriétaire."
    page = users(owner, contract)
    row = page.one("tr[id^='member-']").get("id")
    refused = page.form(row).fill(role="viewer").submit()
    assert (refused.status, sentence in refused.text("#error-summary")) == (422, True)
    refused = page.follow(".row-actions a").form().submit()
    assert (refused.status, sentence in refused.text("#error-summary")) == (422, True)
    assert roles(session, contract) == {"claire@parc.example": "owner"}


def test_readers_see_who_has_access_and_are_told_who_decides(
    app: Flask, contract: Signed, session: Session
) -> None:
    viewer = sign_in(app.test_client(), session, a_user(session, contract.account, Role.VIEWER))
    page = users(viewer, contract)
    assert "Seul le propriétaire peut gérer les utilisateurs." in page.text("main")
    assert not page.has("form[id='invite']")
    assert not page.has("main select")
    assert problems(page.html) == []


@pytest.mark.parametrize(
    ("language", "subject"), [("fr", "Votre accès à"), ("nl", "Uw toegang"), ("en", "Your access")]
)
def test_the_invitation_speaks_the_language_of_who_is_known_else_of_the_account(
    owner: FlaskClient, contract: Signed, session: Session, language: str, subject: str
) -> None:
    a_user(session, email="anne@f.example", language=language)
    session.commit()
    invite(users(owner, contract), "anne@f.example")
    message = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()
    assert message is not None
    assert message.subject.startswith(subject)
    assert "/invitation/" in message.html_body
