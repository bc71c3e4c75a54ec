"""Sign-in, sessions, mailed links and passwords, without a browser."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.builders import PASSWORD, a_user, an_account
from webapp.adapters import passwords
from webapp.domain.access import Actor, Role
from webapp.domain.refusals import LinkExpired, PasswordTooWeak, TooManyAttempts, WrongCredentials
from webapp.models.accounts import LoginSession, MailedLink, Membership, SignInAttempt, User
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import people

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
DEVICE = people.Device(ip_address="192.0.2.7", user_agent="Firefox")
LIFETIME = people.Lifetime(idle=timedelta(hours=8), absolute=timedelta(days=14))
ANOTHER = "quatre chevaux bleus au marché"


@pytest.fixture
def claire(session: Session) -> User:
    return a_user(session, email="claire@brasserie.example", password_hash=passwords.hash_password(PASSWORD))


def sign_in(session: Session, email: str, password: str, now: datetime = NOW, ip: str = "192.0.2.7") -> str:
    device = people.Device(ip_address=ip, user_agent="Firefox")
    return people.sign_in(session, email=email, password=password, device=device, lifetime=LIFETIME, now=now)


def visit(session: Session, token: str, now: datetime = NOW) -> object:
    return people.visit(session, token, None, idle=LIFETIME.idle, now=now)


def actions(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def mailed_token(session: Session) -> str:
    message = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).first()
    assert message is not None
    found = re.search(r"https://portal\.example/(\S+)", message.text_body)
    assert found is not None
    return found[1]


def ask_link(session: Session, email: str, purpose: str = people.RESET_PASSWORD, now: datetime = NOW) -> None:
    people.mail_link(
        session,
        email=email,
        purpose=purpose,
        language="fr",
        ip_address="192.0.2.7",
        address_of=lambda token: f"https://portal.example/{token}",
        now=now,
    )


# --- Sign in ---------------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session_whatever_the_case_of_the_address(
    session: Session, claire: User
) -> None:
    token = sign_in(session, "  Claire@Brasserie.example ", PASSWORD)
    row = visit(session, token)
    assert row is not None
    assert row.user_id == claire.id  # type: ignore[attr-defined]
    assert actions(session) == ["user.signed_in"]


def test_only_the_hash_of_the_token_is_kept(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    kept = session.scalars(select(LoginSession)).one()
    assert len(token) >= 43  # 256 bits
    assert kept.token_hash == people.fingerprint(token)
    assert token not in kept.token_hash


def test_an_unknown_address_and_a_wrong_password_are_refused_alike(session: Session, claire: User) -> None:
    with pytest.raises(WrongCredentials) as unknown:
        sign_in(session, "personne@nulle.example", PASSWORD)
    with pytest.raises(WrongCredentials) as wrong:
        sign_in(session, claire.email, ANOTHER)
    assert unknown.value.attempts_left == wrong.value.attempts_left == 4


def test_a_disabled_person_cannot_sign_in_and_loses_every_session(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    claire.disabled_at = NOW
    session.flush()
    assert visit(session, token) is None
    with pytest.raises(WrongCredentials):
        sign_in(session, claire.email, PASSWORD)


def test_a_person_without_password_cannot_sign_in_with_an_empty_one(session: Session) -> None:
    user = a_user(session)
    with pytest.raises(WrongCredentials):
        sign_in(session, user.email, "")


def test_the_fifth_failure_closes_the_address_for_fifteen_minutes(session: Session, claire: User) -> None:
    for left in (4, 3, 2, 1):
        with pytest.raises(WrongCredentials) as refusal:
            sign_in(session, claire.email, ANOTHER)
        assert refusal.value.attempts_left == left
    with pytest.raises(TooManyAttempts):
        sign_in(session, claire.email, ANOTHER)
    with pytest.raises(TooManyAttempts) as closed:
        sign_in(session, claire.email, PASSWORD, now=NOW + timedelta(minutes=5))
    assert closed.value.minutes == 10
    assert "user.locked_out" in actions(session)
    assert sign_in(session, claire.email, PASSWORD, now=NOW + timedelta(minutes=15))


def test_thirty_failures_close_the_ip_for_every_address(session: Session, claire: User) -> None:
    for number in range(30):
        with pytest.raises(WrongCredentials):
            sign_in(session, f"essai{number}@nulle.example", ANOTHER)
    with pytest.raises(TooManyAttempts):
        sign_in(session, claire.email, PASSWORD)
    assert sign_in(session, claire.email, PASSWORD, ip="192.0.2.8")


def test_a_success_forgets_the_failures_of_the_address(session: Session, claire: User) -> None:
    for _ in range(4):
        with pytest.raises(WrongCredentials):
            sign_in(session, claire.email, ANOTHER)
    sign_in(session, claire.email, PASSWORD)
    with pytest.raises(WrongCredentials) as refusal:
        sign_in(session, claire.email, ANOTHER)
    assert refusal.value.attempts_left == 4


def test_attempts_that_no_longer_count_are_forgotten(session: Session, claire: User) -> None:
    for minutes in (0, 20):
        with pytest.raises(WrongCredentials):
            sign_in(session, claire.email, ANOTHER, now=NOW + timedelta(minutes=minutes))
    assert (
        session.scalar(select(func.count()).select_from(SignInAttempt)) == 2
    )  # one for the address, one for the IP


def test_a_hash_of_former_parameters_is_renewed_at_sign_in(session: Session, claire: User) -> None:
    claire.password_hash = former = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(
        PASSWORD
    )
    sign_in(session, claire.email, PASSWORD)
    assert claire.password_hash != former
    assert claire.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.matches(claire.password_hash, PASSWORD)


# --- Sessions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "is_open"),
    [(timedelta(hours=7, minutes=59), True), (timedelta(hours=8), False)],
)
def test_a_session_unused_for_eight_hours_is_over(
    session: Session, claire: User, later: timedelta, is_open: bool
) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    assert (visit(session, token, NOW + later) is not None) is is_open


def test_a_session_ends_after_fourteen_days_even_if_used(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    row = session.scalars(select(LoginSession)).one()
    people.note_visit(session, row.id, None, now=NOW + timedelta(days=13, hours=23))
    assert visit(session, token, NOW + timedelta(days=13, hours=23, minutes=59)) is not None
    assert visit(session, token, NOW + timedelta(days=14)) is None


def test_a_closed_session_opens_nothing(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    row = session.scalars(select(LoginSession)).one()
    actor = Actor("user", str(claire.id), claire.full_name)
    people.sign_out(session, row.id, actor=actor, now=NOW)
    people.sign_out(session, row.id, actor=actor, now=NOW)
    assert visit(session, token) is None
    assert actions(session) == ["user.signed_in", "user.signed_out"]


def test_one_person_cannot_close_the_session_of_another(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    row = session.scalars(select(LoginSession)).one()
    other = a_user(session)
    actor = Actor("user", str(other.id), other.full_name)
    assert not people.end_session(session, other.id, row.id, actor=actor, now=NOW)
    assert visit(session, token) is not None


def test_closing_the_others_keeps_the_one_at_hand(session: Session, claire: User) -> None:
    tokens = [sign_in(session, claire.email, PASSWORD) for _ in range(3)]
    kept = session.scalars(select(LoginSession.id).order_by(LoginSession.id)).first()
    actor = Actor("user", str(claire.id), claire.full_name)
    assert people.end_other_sessions(session, claire.id, kept, actor=actor, now=NOW) == 2
    assert [visit(session, token) is not None for token in tokens] == [True, False, False]
    assert len(people.sessions_of(session, claire.id, idle=LIFETIME.idle, now=NOW)) == 1


# --- Mailed links ----------------------------------------------------------------------------------------------


def test_a_mailed_link_sets_a_password_once_and_closes_every_session(session: Session, claire: User) -> None:
    token = sign_in(session, claire.email, PASSWORD)
    ask_link(session, claire.email)
    link = mailed_token(session)
    people.set_password_by_link(session, link, ANOTHER, now=NOW + timedelta(minutes=59))
    assert visit(session, token) is None
    assert sign_in(session, claire.email, ANOTHER)
    assert "user.password_changed" in actions(session)
    with pytest.raises(LinkExpired):
        people.set_password_by_link(session, link, PASSWORD, now=NOW + timedelta(minutes=59))


def test_a_mailed_link_is_over_after_sixty_minutes(session: Session, claire: User) -> None:
    ask_link(session, claire.email)
    with pytest.raises(LinkExpired):
        people.link_owner(
            session, mailed_token(session), people.RESET_PASSWORD, now=NOW + timedelta(minutes=60)
        )


def test_a_sign_in_link_cannot_change_the_password(session: Session, claire: User) -> None:
    ask_link(session, claire.email, people.SIGN_IN)
    with pytest.raises(LinkExpired):
        people.set_password_by_link(session, mailed_token(session), ANOTHER, now=NOW)


def test_a_new_password_makes_the_other_links_useless(session: Session, claire: User) -> None:
    ask_link(session, claire.email, people.SIGN_IN)
    link = mailed_token(session)
    ask_link(session, claire.email)
    people.set_password_by_link(session, mailed_token(session), ANOTHER, now=NOW)
    with pytest.raises(LinkExpired):
        people.sign_in_by_link(session, link, device=DEVICE, lifetime=LIFETIME, now=NOW)


def test_a_sign_in_link_opens_one_session(session: Session, claire: User) -> None:
    ask_link(session, claire.email, people.SIGN_IN)
    link = mailed_token(session)
    token = people.sign_in_by_link(session, link, device=DEVICE, lifetime=LIFETIME, now=NOW)
    assert visit(session, token) is not None
    with pytest.raises(LinkExpired):
        people.sign_in_by_link(session, link, device=DEVICE, lifetime=LIFETIME, now=NOW)


def test_nothing_is_mailed_to_an_address_that_nobody_has(session: Session, claire: User) -> None:
    ask_link(session, "personne@nulle.example")
    assert session.scalars(select(OutboxMessage)).all() == []
    assert session.scalars(select(MailedLink)).all() == []


def test_link_requests_are_limited_alike_for_known_and_unknown_addresses(
    session: Session, claire: User
) -> None:
    for email in (claire.email, "personne@nulle.example"):
        for _ in range(5):
            ask_link(session, email)
        with pytest.raises(TooManyAttempts) as refusal:
            ask_link(session, email)
        assert refusal.value.minutes == 15


def test_the_mail_speaks_the_language_of_its_reader_and_holds_the_link(
    session: Session, claire: User
) -> None:
    claire.language = "nl"
    ask_link(session, claire.email)
    message = session.scalars(select(OutboxMessage)).one()
    assert (message.language, message.recipient) == ("nl", claire.email)
    assert mailed_token(session) in message.html_body
    assert "\n" not in message.subject


# --- Passwords -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("onze signes", "short"),
        ("a" * 129, "long"),
        ("1q2w3e4r5t6y", "common"),
        ("MotDePasse2026!", "common"),
        ("aaaaaaaaaaaaaaaa", "common"),
        ("azertyuiop123", "common"),
    ],
)
def test_a_password_guessed_first_is_refused(password: str, reason: str) -> None:
    with pytest.raises(PasswordTooWeak) as refusal:
        passwords.check_strength(password)
    assert refusal.value.reason == reason


def test_a_weak_password_leaves_the_link_usable(session: Session, claire: User) -> None:
    ask_link(session, claire.email)
    link = mailed_token(session)
    with pytest.raises(PasswordTooWeak):
        people.set_password_by_link(session, link, "court", now=NOW)
    people.set_password_by_link(session, link, ANOTHER, now=NOW)


def test_changing_ones_password_asks_for_the_current_one_and_keeps_this_session(
    session: Session, claire: User
) -> None:
    mine, other = (sign_in(session, claire.email, PASSWORD) for _ in range(2))
    kept = session.scalars(select(LoginSession.id).order_by(LoginSession.id)).first()
    assert kept is not None
    asked = {"new": ANOTHER, "kept_session_id": kept, "now": NOW}
    with pytest.raises(WrongCredentials):
        people.change_password(session, claire.id, current="pas le bon mot de passe", **asked)
    people.change_password(session, claire.id, current=PASSWORD, **asked)
    assert visit(session, mine) is not None
    assert visit(session, other) is None


def test_an_accent_typed_in_two_ways_is_the_same_password() -> None:
    kept = passwords.hash_password("un été à la mer du Nord")
    assert passwords.matches(kept, "un e\u0301te\u0301 a\u0300 la mer du Nord")


# --- Accounts --------------------------------------------------------------------------------------------------


def test_accounts_are_listed_by_name_with_the_role_in_each(session: Session) -> None:
    user = a_user(session, an_account(session, "Zinc Bar"))
    first = an_account(session, "auberge du Lac")
    session.add(Membership(user_id=user.id, account_id=first.id, role=Role.VIEWER.value, created_at=NOW))
    an_account(session, "Ailleurs")
    session.flush()
    found = [(choice.name, choice.role) for choice in people.accounts_of(session, user.id)]
    assert found == [("auberge du Lac", "viewer"), ("Zinc Bar", "owner")]
