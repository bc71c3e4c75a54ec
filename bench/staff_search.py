"""The team's search and the desk of an account among 200 000 accounts, on PostgreSQL.

What counts is the number of statements of each page, and the time of the service against reading one account by its
primary key on the same connection: milliseconds alone say more about the machine. The accounts are made inside the
database, their words too, as `flask reindex` makes them; a thousand of them are made again by it, to compare.

`make bench-search`, or `python -m bench.staff_search --server postgresql://…`: it makes a database there, and drops it.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

from sqlalchemy import event, select, text

from tests.support import postgres

TODAY = date(2026, 11, 16)
KINDS = "Brasserie Taverne Café Friterie Pizzeria Boulangerie Traiteur Restaurant Salon Garage"
PLACES = "Parc Lac Marché Moulin Pont Château Canal Port Bois Quai Sablon Beffroi Verger Étang"
CITIES = "Bruxelles Liège Namur Gent Antwerpen Charleroi Mons Leuven Brugge Tournai"

# One account of each number n: a name of three words, its details, an owner, a subscription's two establishments.
MAKE = """
create temporary table made as
select n, gen_random_uuid() as id, gen_random_uuid() as user_id, gen_random_uuid() as subscription_id,
       (string_to_array(:kinds, ' '))[1 + n % 10] || ' du ' || (string_to_array(:places, ' '))[1 + (n / 10) % 14] || ' ' || n as name,
       (string_to_array(:cities, ' '))[1 + n % 10] as city, 'BE' || lpad((1000000000 - n * 7)::text, 10, '0') as vat
from generate_series(1, :count) as n;
insert into accounts (id, reference, name, kind, language, created_at)
select id, 'CB-' || n, name, 'business', 'fr', now() from made;
insert into billing_details (account_id, legal_name, street, postcode, city, country, vat_number, enterprise_number,
    invoice_email, other_invoice_emails, vat_treatment, payment_method, payment_label, payment_reference, payment_term_days)
select id, name || ' SRL', 'Rue Haute ' || n, '1000', city, 'BE', vat, substr(vat, 3), 'compta' || n || '@client.example',
    '[]', 'domestic', 'transfer', '', '', 14 from made;
insert into users (id, email, full_name, price_display, created_at)
select user_id, 'personne' || n || '@client.example', 'Camille Durand' || n, 'htva', now() from made;
insert into memberships (user_id, account_id, role, created_at) select user_id, id, 'owner', now() from made;
insert into subscriptions (id, account_id, status, starts_on, frequency, currency, anchor_on, billed_until, settled_on,
    due_on, plan_version_id, plan_price_id, commitment_starts_on, commitment_months, notice_count, notice_unit, renewal,
    signed_on, changed_at, version)
select m.subscription_id, m.id, 'active', s.starts_on, s.frequency, s.currency, s.anchor_on, s.billed_until, s.settled_on,
    s.due_on, s.plan_version_id, s.plan_price_id, s.commitment_starts_on, s.commitment_months, s.notice_count,
    s.notice_unit, s.renewal, s.signed_on, now(), 1
from made m, (select * from subscriptions limit 1) s;
insert into establishments (id, subscription_id, position, name, street, postcode, city, active_from, charged_from)
select gen_random_uuid(), subscription_id, place, 'Comptoir ' || n || ' ' || place, 'Rue Haute ' || n, '1000', city,
    :today, :today from made, generate_series(1, 2) as place;
"""
# The words of these accounts: each is found from each of its words on.
WORDS = """
insert into search_terms (account_id, kind, term, shown)
select id, kind, array_to_string(words[start:], ' '), shown from (
    select m.id, t.kind, t.shown, string_to_array(translate(lower(t.shown), 'éâôè-', 'eaoe '), ' ') as words
    from made m join lateral (values ('name', m.name), ('company', m.name || ' SRL'), ('city', m.city),
        ('person', 'Camille Durand' || m.n), ('reference', 'CB-' || m.n), ('establishment', 'Comptoir ' || m.n || ' 1'),
        ('establishment', 'Comptoir ' || m.n || ' 2')) as t (kind, shown) on true
) as whole join lateral generate_series(1, array_length(words, 1)) as start on true;
insert into search_terms (account_id, kind, term, shown) select id, t.kind, t.term, t.shown
from made m join lateral (values ('vat', lower(vat), vat), ('vat', substr(vat, 3), vat),
    ('enterprise', substr(vat, 3), substr(vat, 3)), ('reference', 'cb' || n, 'CB-' || n),
    ('email', 'personne' || n || '@client.example', 'personne' || n || '@client.example'),
    ('email', 'compta' || n || '@client.example', 'compta' || n || '@client.example'),
    ('email', 'client.example', 'compta' || n || '@client.example')) as t (kind, term, shown) on true;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="postgresql://postgres@127.0.0.1:5432/test")
    parser.add_argument("--accounts", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=200)
    arguments = parser.parse_args()
    name = f"portal_bench_search_{os.getpid()}"
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

    from tests.builders import a_mandate, a_subscription, a_user
    from tests.support.signing_in import sign_in
    from webapp import create_app
    from webapp.config import Settings
    from webapp.extensions import db
    from webapp.models.accounts import Account
    from webapp.models.invoices import Invoice
    from webapp.models.team import SearchTerm
    from webapp.services import account_search, search_terms

    app = create_app(Settings.from_env(os.environ))
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        session = db.session()
        signed = a_subscription(session, establishments=20, billed_through=TODAY)
        a_user(session, signed.account, email="claire@brasserieduparc.example", full_name="Claire Janssens")
        a_mandate(session, signed.id)
        invoice = session.scalars(select(Invoice)).first()
        assert invoice is not None
        asked = ["brasserie du parc", "parc brasserie", "beffroi 1234", "janssens", "claire@brasserie", "BE 0876.543.270", "6769",
                 invoice.number, invoice.ogm, "comptoir 199", "bruxelles", "re", "client.example"]  # fmt: skip
        reference, account_id = signed.account.reference, signed.account_id
        session.commit()
        begun = time.perf_counter()
        fill(session, count)
        print(f"{count} accounts made in {time.perf_counter() - begun:.0f} s")
        some = list(session.scalars(select(Account.id).where(Account.reference.like("CB-%")).limit(1000)))
        begun = time.perf_counter()
        search_terms.refresh(session, some)
        session.commit()
        print(f"1000 accounts read again in {time.perf_counter() - begun:.1f} s, as `flask reindex` does")
        words = session.scalar(select(SearchTerm.id).order_by(SearchTerm.id.desc()).limit(1))
        print(f"about {words} words")

        floor = timed(lambda: session.get(Account, account_id, populate_existing=True), times)
        print(f"\n{'':>24} {'found':>6} {'p50':>10} {'p95':>10} {'against a row by its key':>26}")
        print(f"{'a row by its key':>24} {'':>6} {floor[0]:>7.2f} ms {floor[1]:>7.2f} ms")
        for typed in asked:
            found = account_search.find(session, typed)
            shown = f"{len(found.matches)}{'+' if found.is_more else ''}"
            p50, p95 = timed(lambda typed=typed: account_search.find(session, typed), times)
            print(f"{typed[:24]:>24} {shown:>6} {p50:>7.2f} ms {p95:>7.2f} ms {p50 / floor[0]:>24.1f} ×")

        engine = db.engine
        session.commit()
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    with app.app_context():
        team = sign_in(app.test_client(), db.session(), a_user(db.session(), staff_role="billing"))
    most = 0
    for typed in asked:
        team.get("/equipe/comptes", query_string={"q": typed})
        statements.clear()
        team.get("/equipe/comptes", query_string={"q": typed})
        most = max(most, len(statements))
    team.get(f"/equipe/comptes/{reference}")
    statements.clear()
    begun = time.perf_counter()
    answer = team.get(f"/equipe/comptes/{reference}")
    taken = 1000 * (time.perf_counter() - begun)
    desk = len(statements)
    print(
        f"\nsearch: {most} statements at the most (3 allowed); desk: {desk} (8 allowed), {taken:.0f} ms, {answer.status}"
    )
    if most > 3 or desk > 8 or answer.status_code != 200:
        sys.exit("over its budget")


def fill(session: object, count: int, script: str = MAKE + WORDS) -> None:
    """Run the statements of `script`, those that make `count` accounts first."""
    values = {"count": count, "today": TODAY, "kinds": KINDS, "places": PLACES, "cities": CITIES}
    for statement in script.split(";"):
        if statement.strip():
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            session.execute(text(statement), named)  # type: ignore[attr-defined]
    session.commit()  # type: ignore[attr-defined]
    for table in ("accounts", "search_terms", "establishments", "memberships", "billing_details"):
        session.execute(text(f"analyze {table}"))  # type: ignore[attr-defined]
    session.commit()  # type: ignore[attr-defined]


def timed(act: Callable[[], object], times: int) -> tuple[float, float]:
    """The median and the 95th percentile, in milliseconds, after some that do not count."""
    for _time in range(10):
        act()
    taken = []
    for _time in range(times):
        begun = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - begun))
    return median(taken), sorted(taken)[int(times * 0.95)]


if __name__ == "__main__":
    main()
