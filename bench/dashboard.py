"""The dashboard and the requests inbox among 200 000 accounts, on PostgreSQL.

What counts is the number of statements of each page, and the time of each reading against its floor: the plain sum, in SQL,
of the invoice lines that serve on the day, on the same connection. That sum is all the picture could ever be made of, and
the machine's own pace. The accounts are those of `bench.staff_search`, with three months of invoices made inside the
database: some came, some left, some pay more, one in twelve is late. What `flask measure` keeps each night is kept.

`make bench-dashboard`, or `python -m bench.dashboard --server postgresql://…`: it makes a database there, and drops it.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, event, text

from bench.staff_search import MAKE, TODAY, fill, timed
from tests.support import postgres

BUDGETS = {"/equipe/tableau-de-bord": 10, "/equipe/demandes": 8}  # statements, the visitor's included
# One in forty came this month, one in fifty left before it, one in twenty pays more since; a third has mailboxes.
MONEY = """
create temporary table billed as
select m.*, month, 7900 + case when n % 20 = 1 and month >= 2 then 2000 else 0 end as plan,
       case when n % 3 = 0 then 1000 else 0 end as mailboxes, (date '2026-09-01' + month * interval '1 month')::date as starts_on,
       (date '2026-10-01' + month * interval '1 month')::date as ends_on
from made m, generate_series(0, 2) as month where not (n % 40 = 0 and month < 2) and not (n % 50 = 1 and month = 2);
insert into invoices (account_id, subscription_id, issuer_id, series_id, series_number, number, kind, reason, run_kind,
    run_on, issued_on, due_on, period_start, period_end, currency, language, net_cents, vat_cents, total_cents, paid_cents,
    ogm, seller, buyer, vat_breakdown, payment, places, created_at)
select b.id, b.subscription_id, t.issuer_id, t.series_id, 1000000 + n * 3 + month, 'B' || n * 3 + month, 'invoice', 'period',
    'period', starts_on, starts_on, starts_on + 14, starts_on, ends_on, 'EUR', 'fr', plan + mailboxes,
    (plan + mailboxes) * 21 / 100, plan + mailboxes + (plan + mailboxes) * 21 / 100,
    case when month = 2 and n % 12 = 0 then 0 else plan + mailboxes + (plan + mailboxes) * 21 / 100 end,
    lpad((n * 3 + month)::text, 12, '0'), t.seller, t.buyer, t.vat_breakdown, t.payment, '{}', now()
from billed b, (select * from invoices limit 1) t;
insert into invoice_lines (invoice_id, subscription_id, position, item, ref, description, quantity, unit_cents, period_start,
    period_end, whole_start, whole_end, net_cents, vat_rate, vat_category)
select i.id, i.subscription_id, line.position, line.item, line.ref, line.ref, 1, line.cents, i.period_start, i.period_end,
    i.period_start, i.period_end, line.cents, '21', 'S'
from billed b join invoices i on i.subscription_id = b.subscription_id and i.run_on = b.starts_on
cross join lateral (values (1, 'plan', 'pro', b.plan), (2, 'option', 'emails', b.mailboxes)) as line (position, item, ref, cents)
where line.cents > 0;
insert into subscription_options (subscription_id, option_version_id, quantity, starts_on, monthly_cents)
select m.subscription_id, t.option_version_id, 1, date '2026-09-01', 1000
from made m, (select * from subscription_options limit 1) t where m.n % 3 = 0;
update subscriptions s set commitment_starts_on = :today - (m.n % 360), commitment_months = 12
from made m where m.subscription_id = s.id;
insert into client_requests (account_id, subscription_id, kind, state, facts, asked_by, email, language, opened_at, last_at,
    waiting_since)
select id, subscription_id, 'message', case when n % 100 = 0 then 'new' when n % 50 = 0 then 'waiting' else 'closed' end, '{}',
    'Camille Durand', 'personne' || n || '@client.example', 'fr', now() - n * interval '1 minute',
    now() - n * interval '1 minute', case when n % 100 = 0 then now() - n * interval '1 minute' end
from made where n % 10 = 0;
insert into request_entries (request_id, side, text, written_by, written_at)
select id, 'client', 'Bonjour, une question sur ma facture.', asked_by, opened_at from client_requests;
"""
TABLES = [
    "invoices",
    "invoice_lines",
    "subscriptions",
    "subscription_options",
    "client_requests",
    "request_entries",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="postgresql://postgres@127.0.0.1:5432/test")
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    name = f"portal_bench_dashboard_{os.getpid()}"
    url = postgres.fresh_database(arguments.server, name)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PORTAL_INSTANCE": folder, "DATABASE_URL": url, "PORTAL_CLOCK": TODAY.isoformat()}
        os.environ["PORTAL_STAFF_TWO_FACTOR"] = "optional"
        try:
            measure(arguments.accounts, arguments.times)
        finally:
            postgres.drop_database(arguments.server, name)


def measure(count: int, times: int) -> None:
    from flask_migrate import upgrade

    from tests.builders import NewOption, a_subscription, noon
    from webapp import create_app
    from webapp.config import Settings
    from webapp.extensions import db
    from webapp.services import dashboard, requests, revenue

    app = create_app(Settings.from_env(os.environ))
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        session = db.session()
        a_subscription(session, options=[NewOption("emails", 4)], billed_through=TODAY)
        session.commit()
        begun = time.perf_counter()
        fill(session, count, MAKE + MONEY)
        for table in TABLES:
            session.execute(text(f"analyze {table}"))
        session.commit()
        print(f"{count} accounts made in {time.perf_counter() - begun:.0f} s")
        ends = revenue.unmeasured(session, 12, TODAY)
        begun = time.perf_counter()
        for day in [*ends, TODAY - timedelta(days=1)]:
            revenue.measure(session, day, noon(TODAY))
        for pair in revenue.unkept_moves(session):
            revenue.keep_moves(session, *pair)
        session.commit()
        print(
            f"{len(ends)} ends of months, yesterday and what moved kept in {time.perf_counter() - begun:.1f} s"
        )

        plain = text(
            "select count(*), sum(net_cents) from invoice_lines where period_end > :day and period_start <= :day"
        )
        floor = timed(lambda: session.execute(plain, {"day": TODAY}).one(), times)[0]
        since, until = revenue.levels(session, [ends[-1], TODAY], TODAY, may_be_of_yesterday=True)
        now = revenue.levels(session, [TODAY], TODAY)[0]
        readings = {
            "revenue of twelve months": lambda: revenue.levels(
                session, [*ends[1:], TODAY], TODAY, may_be_of_yesterday=True
            ),
            "what moved": lambda: revenue.movements(session, since, until),
            "revenue of today, not kept": lambda: revenue.levels(session, [TODAY], TODAY),
            "what moved, not kept": lambda: revenue.movements(session, since, now),
            "a page of who moved": lambda: revenue.moved(session, since, until, None, 1),
            "unpaid by age": lambda: dashboard.unpaid(session, TODAY),
            "notices and renewals": lambda: dashboard.ahead(session, TODAY),
            "options in use": lambda: dashboard.adoption(session, TODAY),
            "requests that wait": lambda: requests.waiting(session),
        }
        print(f"\n{'the plain sum of the lines':>28} {floor:>9.1f} ms")
        for words, read in readings.items():
            p50 = timed(read, times)[0]
            print(f"{words:>28} {p50:>9.1f} ms {p50 / floor:>6.2f} × the floor")
        engine = db.engine
        session.commit()
    if pages(app, engine):
        sys.exit("over its budget")


def pages(app: object, engine: Engine) -> bool:
    """Ask each page as somebody of the team; whether one takes too many statements."""
    from tests.builders import a_user
    from tests.support.signing_in import sign_in
    from webapp.extensions import db

    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    with app.app_context():  # type: ignore[attr-defined]
        team = sign_in(app.test_client(), db.session(), a_user(db.session(), staff_role="billing"))  # type: ignore[attr-defined]
    is_over = False
    for path, most in BUDGETS.items():
        team.get(path)
        statements.clear()
        begun = time.perf_counter()
        answer = team.get(path)
        taken = 1000 * (time.perf_counter() - begun)
        print(f"{path:>28}: {len(statements)} statements ({most} allowed), {taken:.0f} ms, {answer.status}")
        is_over |= len(statements) > most or answer.status_code >= 400
    return is_over


if __name__ == "__main__":
    main()
