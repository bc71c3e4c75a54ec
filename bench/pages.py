"""A switch of the options, and the page of 500 establishments, against a bare Flask page.

The round trip of a switch is what htmx sends and gets at each change of the draft, on an account of 20 establishments.
The page of establishments has 500 of them, on Pro, with two options of their own nearly everywhere: it shows 25.
Five rounds, each measuring the floor and both in turn, one client, on the same kind of server. What counts is the ratio
within a round. `make bench`, or `python -m bench.pages`.
"""

import argparse
import os
import re
import tempfile
from datetime import date
from html import unescape
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

from sqlalchemy import event

from bench.servers import Form, Load, measure, serving

TODAY = date(2026, 11, 16)
FEW, MANY = 20, 500


def arrange(instance: Path) -> dict[int, tuple[str, str]]:
    """A database with two businesses: by number of establishments, the path of its subscription and its owner's cookie."""
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
    found = {}
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        session = db.session()
        for number in (FEW, MANY):
            options = [NewOption("emails", 4), NewOption("signage")]
            for place in range(1, number):
                options += [NewOption("booking", at=place), NewOption("collect", at=place)]
            signed = a_subscription(session, establishments=number, options=options, billed_through=TODAY)
            owner = a_user(session, signed.account)
            device = people.Device(ip_address="127.0.0.1", user_agent="bench")
            token = people.open_session(
                session, owner, device=device, lifetime=lifetime(), now=clock.now(), means="password"
            )
            found[number] = (f"/abonnements/{signed.id}", token)
        session.commit()
        engine = db.engine
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    for number, end in ((FEW, "options"), (MANY, "etablissements")):
        path, token = found[number]
        client = app.test_client()
        client.set_cookie("session", token, domain="localhost")
        for _time in range(2):  # the first one fills what a process keeps
            statements.clear()
            page = client.get(f"{path}/{end}")
            if page.status_code != 200:
                raise SystemExit(f"the page answers {page.status_code}")
        print(
            f"{number} establishments, {end}: {len(page.data) / 1024:.0f} KiB, {len(statements)} SQL statements"
        )
        if end == "options":
            form = switched(page.text)
            statements.clear()
            drawn = client.post(f"{path}/options/brouillon", data=form.fields, headers=form.headers)
            if drawn.status_code != 200:
                raise SystemExit(f"the switch answers {drawn.status_code}")
            print(f"  the switch: {len(drawn.data) / 1024:.1f} KiB, {len(statements)} SQL statements")
    return {number: (path, f"session={token}") for number, (path, token) in found.items()}


def switched(html: str) -> Form:
    """What htmx sends when customer reviews are switched on."""
    fields = {"emails": "on", "emails-quantity": "4", "signage": "on", "reviews": "on"}
    for name in ("csrf_token", "saved", "drawn"):
        value = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', html)
        if value is None:
            raise SystemExit(f"the form of options has no {name}")
        fields[name] = unescape(value[1])
    headers = {"HX-Request": "true", "HX-Request-Type": "partial", "X-CSRFToken": fields["csrf_token"]}
    return Form(fields, headers)


def drafted(address: str, cookie: str) -> tuple[Form, str]:
    """The form of the page of options at `address`, and the cookies with which it is sent."""
    with urlopen(Request(address, headers={"Cookie": cookie, "Accept-Language": "fr"})) as answer:
        given = [each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or []]
        return switched(answer.read().decode()), "; ".join([cookie, *given])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    rounds: list[dict[str, Load]] = []
    with tempfile.TemporaryDirectory() as folder:
        places = arrange(Path(folder))
        with serving("bench.hello:app") as floor, serving("wsgi:app", {"PORTAL_INSTANCE": folder}) as portal:
            few, cookie = places[FEW]
            many, other_cookie = places[MANY]
            form, cookies = drafted(f"{portal}{few}/options", cookie)
            for _round in range(arguments.rounds):
                rounds.append(
                    {
                        "hello": measure(f"{floor}/", 1, arguments.seconds),
                        "switch": measure(
                            f"{portal}{few}/options/brouillon", 1, arguments.seconds, cookies, form
                        ),
                        "500": measure(f"{portal}{many}/etablissements", 1, arguments.seconds, other_cookie),
                    }
                )
    print(f"{'':>8} {'p50':>10} {'p99':>10} {'ratio (min–max)':>20} {'CPU ratio':>10} errors")
    for name in ("hello", "switch", "500"):
        ratios = [each[name].p50 / each["hello"].p50 for each in rounds]
        ratio = f"{median(ratios):.1f}× ({min(ratios):.1f}–{max(ratios):.1f})"
        cpu = median(each[name].cpu / each["hello"].cpu for each in rounds)
        p50, p99 = (median(getattr(each[name], which) for each in rounds) for which in ("p50", "p99"))
        print(
            f"{name:>8} {p50:>7.2f} ms {p99:>7.1f} ms {ratio:>20} {cpu:>9.1f}× {sum(each[name].errors for each in rounds)}"
        )


if __name__ == "__main__":
    main()
