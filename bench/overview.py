"""The overview page against a bare Flask page: a plan, 8 options, 20 establishments, 12 invoices.

Five rounds, each measuring both in turn with 1 and 16 clients on the same kind of server. What counts is the ratio
of the two within a round, and the CPU that the servers use for one request, steadier on a busy machine; milliseconds
alone say more about the machine. `make bench`, or `python -m bench.overview`.
"""

import argparse
import json
import os
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

from sqlalchemy import event

from bench.servers import Load, measure, serving

TODAY = date(2026, 11, 16)
CLIENTS = (1, 16)


def arrange(instance: Path) -> tuple[str, str]:
    """A database with one business to look at among others: the path of its page and the cookie of its owner."""
    from flask_migrate import upgrade

    from tests.builders import a_subscription, a_user
    from webapp import clock, create_app
    from webapp.auth import lifetime
    from webapp.config import Settings
    from webapp.extensions import db
    from webapp.services import people
    from webapp.services.subscriptions import NewOption

    os.environ["PORTAL_INSTANCE"] = str(instance)
    os.environ["PORTAL_CLOCK"] = TODAY.isoformat()
    app = create_app(Settings.from_env(os.environ))
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        session = db.session()
        for _other in range(100):
            a_subscription(session, establishments=2, billed_through=date(2026, 4, 1))
        options = [NewOption("emails", 4), NewOption("signage"), NewOption("reviews")]
        options += [NewOption("booking", at=place) for place in range(1, 6)]
        signed = a_subscription(
            session,
            starts_on=date(2025, 12, 1),
            establishments=20,
            options=options,
            billed_through=TODAY,
        )
        owner = a_user(session, signed.account)
        device = people.Device(ip_address="127.0.0.1", user_agent="bench")
        token = people.open_session(
            session, owner, device=device, lifetime=lifetime(), now=clock.now(), means="password"
        )
        session.commit()
        path = f"/abonnements/{signed.id}"
    statements: list[str] = []
    with app.app_context():
        engine = db.engine

        @event.listens_for(engine, "before_cursor_execute")
        def _count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith(("BEGIN", "PRAGMA")):
                statements.append(statement)

    client = app.test_client()
    client.set_cookie("session", token, domain="localhost")
    for _time in range(2):  # the first one fills what a process keeps
        statements.clear()
        answer = client.get(path)
        if answer.status_code != 200:
            raise SystemExit(f"the page answers {answer.status_code}")
    print(f"{len(answer.data) / 1024:.0f} KiB of HTML, {len(statements)} SQL statements")
    kept = client.get_cookie("portal", domain="localhost")  # given with the first page, as to a browser
    return path, f"session={token}; portal={kept.value if kept else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    rounds: list[dict[str, Load]] = []
    with tempfile.TemporaryDirectory() as folder:
        path, cookie = arrange(Path(folder))
        with serving("bench.hello:app") as floor, serving("wsgi:app", {"PORTAL_INSTANCE": folder}) as portal:
            for _round in range(arguments.rounds):
                measured: dict[str, Load] = {}
                for clients in CLIENTS:
                    measured[f"hello {clients}"] = measure(f"{floor}/", clients, arguments.seconds)
                    measured[f"page {clients}"] = measure(
                        f"{portal}{path}", clients, arguments.seconds, cookie
                    )
                rounds.append(measured)
    table = [row(rounds, clients) for clients in CLIENTS]
    print(
        f"{'clients':>7} {'hello p50':>10} {'page p50':>10} {'ratio (min–max)':>20} {'CPU ratio':>20} {'page p99':>10} {'page/s':>8} errors"
    )
    for each in table:
        ratio = f"{each['ratio']:.1f}× ({each['ratio_min']:.1f}–{each['ratio_max']:.1f})"
        cpu = f"{each['cpu_ratio']:.1f}× ({each['cpu_ratio_min']:.1f}–{each['cpu_ratio_max']:.1f})"
        print(
            f"{each['clients']:>7} {each['hello_p50_ms']:>7.2f} ms {each['page_p50_ms']:>7.2f} ms {ratio:>20} {cpu:>20} "
            f"{each['page_p99_ms']:>7.1f} ms {each['page_per_second']:>8.0f} {each['errors']}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


def row(rounds: list[dict[str, Load]], clients: int) -> dict[str, float]:
    ratios = [each[f"page {clients}"].p50 / each[f"hello {clients}"].p50 for each in rounds]
    cpu_ratios = [each[f"page {clients}"].cpu / each[f"hello {clients}"].cpu for each in rounds]
    return {
        "clients": clients,
        "hello_p50_ms": median(each[f"hello {clients}"].p50 for each in rounds),
        "page_p50_ms": median(each[f"page {clients}"].p50 for each in rounds),
        "page_p99_ms": median(each[f"page {clients}"].p99 for each in rounds),
        "page_per_second": median(each[f"page {clients}"].per_second for each in rounds),
        "ratio": median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "cpu_ratio": median(cpu_ratios),
        "cpu_ratio_min": min(cpu_ratios),
        "cpu_ratio_max": max(cpu_ratios),
        "errors": sum(each[name].errors for each in rounds for name in each),
    }


if __name__ == "__main__":
    main()
