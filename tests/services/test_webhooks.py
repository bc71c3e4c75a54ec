"""Deliveries: tried with longer and longer waits, never twice by two workers, given up with a word to the team."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import CLAIRE, a_reseller, a_user, an_account, noon
from tests.services.test_mail_texts import seen
from tests.support.snapshots import agrees
from webapp.adapters.safe_http import Reach, Refused
from webapp.adapters.vault import Purpose, Vault
from webapp.adapters.webhook_sender import Outcome
from webapp.domain.access import SYSTEM
from webapp.extensions import db
from webapp.models.accounts import Account
from webapp.models.events import Event, WebhookDelivery, WebhookEndpoint
from webapp.models.records import AuditEntry, OutboxMessage
from webapp.services import api_keys, events, webhooks
from webapp.services.webhooks import WAITS, Round

DAY = date(2026, 11, 16)
VAULT = Vault(["a key for the tests, as long as it must be"], Purpose.WEBHOOKS)
ANYWHERE = Reach(anywhere=True)


class Receivers:
    """Plays the addresses: notes each try, answers what the test wants (204 unless told)."""

    def __init__(self) -> None:
        self.tries: list[tuple[str, str]] = []  # address, key
        self.told: list[Mapping[str, Any]] = []
        self.secrets: list[Sequence[str]] = []
        self.answers: dict[str, list[int | None]] = {}
        self.usually: dict[str, int | None] = {}
        self.before: Callable[[], None] = lambda: None

    def __call__(self, url: str, key: str, content: Mapping[str, Any], secrets: Sequence[str]) -> Outcome:
        self.before()
        self.tries.append((url, key))
        self.told.append(content)
        self.secrets.append(secrets)
        left = self.answers.get(url)
        status = left.pop(0) if left else self.usually.get(url, 204)
        return (
            Outcome(status) if status is not None and status < 300 else Outcome(status, f"answered {status}")
        )


class Desk:
    """The portal's side: a clock that the test moves, and rounds of sending."""

    def __init__(self, app: Flask, session: Session) -> None:
        with app.app_context():
            self.engine = db.engine
        self.session = session
        self.now = datetime(2026, 11, 16, 9, tzinfo=UTC)
        self.receivers = Receivers()

    def transaction(self) -> AbstractContextManager[Session]:
        @contextmanager
        def opened() -> Iterator[Session]:
            with Session(self.engine) as session, session.begin():
                yield session

        return opened()

    def round(self, **options: Any) -> Round:
        self.session.commit()
        done = webhooks.send_due(
            self.transaction,
            self.receivers,
            VAULT,
            lambda: self.now,
            lambda key: f"http://portal/{key}",
            **options,
        )
        self.session.expire_all()
        return done

    def later(self, wait: timedelta) -> None:
        self.now += wait

    def endpoint(
        self, url: str = "https://sites.example/hook", kinds: Sequence[str] = (), reseller: str | None = None
    ) -> WebhookEndpoint:
        consumer = api_keys.open_consumer(self.session, f"Système de {url}", reseller, self.now, SYSTEM)
        made, _secret = webhooks.add_endpoint(
            self.session, consumer.id, url, kinds, ANYWHERE, VAULT, self.now, SYSTEM
        )
        return made

    def record(self, account: Account, kind: str = "account.suspended") -> Event:
        facts = {"account": account.reference, "cause": "unpaid", "invoices": [], "on": DAY.isoformat()}
        return events.record(self.session, kind, account.id, facts, self.now)

    def deliveries(self) -> list[WebhookDelivery]:
        found = list(self.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))
        self.session.rollback()
        return found


@pytest.fixture
def desk(app: Flask, session: Session) -> Desk:
    return Desk(app, session)


def mails(session: Session) -> list[OutboxMessage]:
    return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


def test_an_event_is_told_once_to_each_address_that_wants_it(desk: Desk, session: Session) -> None:
    everything = desk.endpoint()
    desk.endpoint("https://kitchen.example/hook", ["account.restored"])
    event = desk.record(an_account(session))
    key = str(event.key)
    assert desk.round() == Round(published=1, delivered=1)
    assert desk.round() == Round()
    assert desk.receivers.tries == [(everything.url, key)]
    [told] = desk.receivers.told
    assert told["id"] == key and told["type"] == "account.suspended" and told["sequence"] == 1
    assert told["timestamp"] == "2026-11-16T09:00:00.000Z"


def test_a_reseller_is_told_of_its_own_clients(desk: Desk, session: Session) -> None:
    theirs = desk.endpoint("https://horecaplus.example/hook", reseller=a_reseller(session).slug)
    client = an_account(session, "Le Zinc", reseller=a_reseller(session))
    desk.record(an_account(session))
    desk.record(client)
    desk.round()
    assert [
        (url, told["data"]["account"])
        for (url, _key), told in zip(desk.receivers.tries, desk.receivers.told, strict=True)
    ] == [(theirs.url, client.reference)]


def test_what_happened_before_an_address_was_added_is_not_told_to_it(desk: Desk, session: Session) -> None:
    account = an_account(session)
    desk.record(account)
    desk.later(timedelta(minutes=1))
    desk.endpoint()
    desk.record(account, "account.restored")
    desk.round()
    assert [told["type"] for told in desk.receivers.told] == ["account.restored"]


def test_what_fails_is_tried_again_after_each_wait_then_given_up(desk: Desk, session: Session) -> None:
    team = a_user(session, staff_role="billing", language="nl")
    a_user(session, staff_role="support")
    endpoint = desk.endpoint()
    desk.receivers.usually[endpoint.url] = 500
    desk.record(an_account(session))
    for number, wait in enumerate(WAITS, start=1):
        if number > 1:
            desk.later(wait - timedelta(seconds=1))
            assert desk.round() == Round(), f"try {number} came too early"
            desk.later(timedelta(seconds=1))
        done = desk.round()
        assert len(desk.receivers.tries) == number
        assert (done.waiting, done.given_up) == ((1, 0) if number < len(WAITS) else (0, 1))
    assert len({key for _url, key in desk.receivers.tries}) == 1
    desk.later(timedelta(days=30))
    assert desk.round() == Round()
    [delivery] = desk.deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("given_up", 10, 500)
    session.refresh(endpoint)
    assert endpoint.flagged_at is not None and endpoint.failing_since == datetime(2026, 11, 16, 9, tzinfo=UTC)
    [mail] = mails(session)
    assert (mail.recipient, mail.language, mail.template) == (team.email, "nl", "webhook_given_up")
    assert f"http://portal/{endpoint.id}" in mail.text_body and "answered 500" in mail.text_body


@pytest.mark.parametrize("language", ["fr", "nl", "en"])
@pytest.mark.parametrize(("name", "status"), [("webhook-given-up", 500), ("webhook-gone", 410)])
def test_the_mail_to_the_team_says_this(
    desk: Desk, session: Session, language: str, name: str, status: int
) -> None:
    a_user(session, staff_role="billing", language=language)
    endpoint = desk.endpoint()
    desk.receivers.usually[endpoint.url] = status
    desk.record(an_account(session))
    for wait in WAITS:
        desk.later(wait)
        desk.round()
    [mail] = mails(session)
    agrees(f"mails/{name}.{language}.txt", f"{mail.subject}\n\n{mail.text_body}")
    agrees(f"mails/{name}.{language}.html.txt", seen(mail.html_body))


def test_the_team_is_told_once_until_the_address_answers_again(desk: Desk, session: Session) -> None:
    a_user(session, staff_role="admin")
    endpoint = desk.endpoint()
    desk.receivers.answers[endpoint.url] = [410]
    account = an_account(session)
    desk.record(account)
    assert desk.round().given_up == 1
    session.refresh(endpoint)
    assert endpoint.disabled_at is not None and len(mails(session)) == 1
    webhooks.enable(session, endpoint.id, desk.now, SYSTEM)
    desk.record(account, "account.restored")
    assert desk.round().delivered == 1
    session.refresh(endpoint)
    assert endpoint.flagged_at is None and endpoint.failing_since is None
    assert len(mails(session)) == 1


def test_the_events_of_an_account_are_first_tried_in_order(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    one, other = an_account(session), an_account(session, "Ailleurs")
    desk.receivers.answers[endpoint.url] = [500]
    for account, kind in (
        (one, "account.suspended"),
        (other, "account.suspended"),
        (one, "account.restored"),
    ):
        desk.record(account, kind)
        desk.later(timedelta(seconds=1))
    desk.round()
    told = [(each["data"]["account"], each["type"]) for each in desk.receivers.told]
    assert told == [(one.reference, "account.suspended"), (other.reference, "account.suspended")]
    desk.later(timedelta(seconds=5))
    desk.round()
    told = [(each["data"]["account"], each["type"]) for each in desk.receivers.told[2:]]
    assert told == [(one.reference, "account.suspended"), (one.reference, "account.restored")]


def test_an_event_that_nobody_can_take_does_not_hold_the_next_ones_for_long(
    desk: Desk, session: Session
) -> None:
    endpoint = desk.endpoint()
    account, url = an_account(session), endpoint.url
    first = str(desk.record(account).key)
    desk.later(timedelta(seconds=1))
    desk.record(account, "account.restored")
    desk.receivers.before = lambda: desk.receivers.answers.update(
        {url: [500] if desk.receivers.tries.count((url, first)) < 3 else []}
    )
    for wait in (0, 5, 300):
        desk.later(timedelta(seconds=wait))
        desk.round()
    assert [told["type"] for told in desk.receivers.told] == ["account.suspended"] * 3 + ["account.restored"]


def test_an_address_that_fails_does_not_keep_the_others_waiting(desk: Desk, session: Session) -> None:
    broken, fine = desk.endpoint("https://broken.example/"), desk.endpoint("https://fine.example/")
    desk.receivers.usually[broken.url] = None
    for number in range(10):
        desk.record(an_account(session, f"Compte {number}"))
    done = desk.round()
    urls = [url for url, _key in desk.receivers.tries]
    assert urls.count(fine.url) == 10 and urls.count(broken.url) == webhooks.TIRED_AFTER
    assert done.delivered == 10
    untouched = [each for each in desk.deliveries() if each.endpoint_id == broken.id and each.attempts == 0]
    assert len(untouched) == 8, "a message that was not sent has lost no try"


def test_a_try_that_was_claimed_and_never_noted_is_made_again_under_the_same_name(
    desk: Desk, session: Session
) -> None:
    desk.endpoint()
    desk.record(an_account(session))

    def dies() -> None:
        raise KeyboardInterrupt

    desk.receivers.before = dies
    with pytest.raises(KeyboardInterrupt):
        desk.round()
    desk.receivers.before = lambda: None
    assert desk.round() == Round(), "another worker may still be at it"
    desk.later(webhooks.LEASE)
    assert desk.round().delivered == 1
    [delivery] = desk.deliveries()
    assert delivery.attempts == 2


def test_a_process_that_dies_at_each_last_try_gives_up_too(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    desk.record(an_account(session))
    desk.round()
    [delivery] = desk.deliveries()
    delivery = session.get_one(WebhookDelivery, delivery.id)
    delivery.state, delivery.attempts, delivery.next_at = "waiting", len(WAITS), desk.now
    assert desk.round().given_up == 1
    assert len(desk.receivers.tries) == 1
    session.refresh(endpoint)
    assert endpoint.flagged_at is not None


def test_two_workers_never_make_the_same_try(desk: Desk, session: Session) -> None:
    desk.endpoint()
    for number in range(12):
        desk.record(an_account(session, f"Compte {number}"))
    session.commit()
    start = threading.Barrier(3)
    rounds: list[Round] = []

    def work() -> None:
        start.wait()
        rounds.append(webhooks.send_due(desk.transaction, desk.receivers, VAULT, lambda: desk.now, str))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(each.delivered for each in rounds) == 12
    assert sum(each.published for each in rounds) == 12
    keys = [key for _url, key in desk.receivers.tries]
    assert len(keys) == len(set(keys)) == 12
    positions = session.scalars(select(Event.position)).all()
    assert sorted(each or 0 for each in positions) == list(range(1, 13))


def test_a_round_stops_where_it_is_told(desk: Desk, session: Session) -> None:
    desk.endpoint()
    for number in range(5):
        desk.record(an_account(session, f"Compte {number}"))
    assert desk.round(most=2).delivered == 2
    assert desk.round().delivered == 3


# ── What the team does ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_sent_again_under_the_same_name(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    desk.record(an_account(session))
    desk.round()
    [delivery] = desk.deliveries()
    webhooks.replay(session, delivery.id, desk.now, CLAIRE)
    assert desk.round().delivered == 1
    assert desk.receivers.tries[0] == desk.receivers.tries[1]
    assert desk.receivers.told[0] == desk.receivers.told[1]
    assert webhooks.replay_given_up(session, endpoint.id, desk.now, CLAIRE) == 0
    with pytest.raises(webhooks.DeliveryNotFound):
        webhooks.replay(session, 0, desk.now, CLAIRE)


def test_all_that_was_given_up_is_sent_again(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    desk.receivers.answers[endpoint.url] = [410]
    desk.record(an_account(session))
    desk.round()
    webhooks.enable(session, endpoint.id, desk.now, CLAIRE)
    assert webhooks.replay_given_up(session, endpoint.id, desk.now, CLAIRE) == 1
    assert desk.round().delivered == 1


def test_two_secrets_sign_while_one_replaces_the_other(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    former = VAULT.open(endpoint.secret_sealed)
    account = an_account(session)
    desk.record(account)
    desk.round()
    present = webhooks.rotate_secret(session, endpoint.id, VAULT, desk.now, CLAIRE)
    desk.record(account)
    desk.round()
    webhooks.end_rotation(session, endpoint.id, desk.now, CLAIRE)
    desk.record(account)
    desk.round()
    assert [tuple(each) for each in desk.receivers.secrets] == [(former,), (present, former), (present,)]
    assert present not in endpoint.secret_sealed


def test_a_secret_that_no_key_opens_fails_with_a_word_for_it(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    endpoint.secret_sealed = Vault(["b" * 40], Purpose.WEBHOOKS).seal("whsec_AAAA")
    desk.record(an_account(session))
    assert desk.round().waiting == 1
    assert desk.receivers.tries == []
    [delivery] = desk.deliveries()
    assert "give it a new one" in (delivery.last_error or "")


def test_a_test_is_told_to_its_address_alone_and_is_not_in_the_feed(desk: Desk, session: Session) -> None:
    one = desk.endpoint("https://one.example/")
    desk.endpoint("https://two.example/")
    webhooks.send_test(session, one.id, desk.now, CLAIRE)
    assert desk.round().delivered == 1
    assert [url for url, _key in desk.receivers.tries] == [one.url]
    consumer = api_keys.get_consumer(session, one.consumer_id)
    assert events.feed(session, consumer) == []


def test_an_address_that_is_stopped_or_closed_is_told_nothing(desk: Desk, session: Session) -> None:
    stopped, closed = desk.endpoint("https://stopped.example/"), desk.endpoint("https://closed.example/")
    account = an_account(session)
    desk.record(account)
    desk.receivers.usually = {stopped.url: 500, closed.url: 500}
    desk.round()
    webhooks.disable(session, stopped.id, desk.now, CLAIRE)
    api_keys.close_consumer(session, closed.consumer_id, desk.now, CLAIRE)
    desk.record(account)
    desk.later(timedelta(days=1))
    assert desk.round() == Round(published=1)
    webhooks.enable(session, stopped.id, desk.now, CLAIRE)
    desk.receivers.usually = {}
    assert desk.round().delivered == 1, "what waited leaves; what happened meanwhile is in the feed"


def test_each_act_of_the_team_is_in_the_audit_trail(desk: Desk, session: Session) -> None:
    endpoint = desk.endpoint()
    session.commit()
    for act in (
        webhooks.send_test,
        webhooks.end_rotation,
        webhooks.disable,
        webhooks.disable,
        webhooks.enable,
    ):
        act(session, endpoint.id, desk.now, CLAIRE)
    secret = webhooks.rotate_secret(session, endpoint.id, VAULT, desk.now, CLAIRE)
    webhooks.end_rotation(session, endpoint.id, desk.now, CLAIRE)
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.actor_id == CLAIRE.id).order_by(AuditEntry.id)
    ).all()
    assert [entry.action.removeprefix("integration.") for entry in entries] == [
        "tested", "endpoint_disabled", "endpoint_enabled", "secret_renewed", "former_secret_dropped",
    ]  # fmt: skip
    assert all(secret not in str((entry.before, entry.after)) for entry in entries)


def test_an_address_of_a_private_network_is_not_added(desk: Desk, session: Session) -> None:
    consumer = api_keys.open_consumer(session, "Sites", None, noon(DAY), SYSTEM)
    with pytest.raises(Refused):
        webhooks.add_endpoint(
            session, consumer.id, "https://10.0.0.1/", [], Reach(), VAULT, noon(DAY), SYSTEM
        )
    with pytest.raises(webhooks.WrongKinds):
        webhooks.add_endpoint(
            session, consumer.id, "https://a.example/", ["account.dreamt"], Reach(), VAULT, noon(DAY), SYSTEM
        )
