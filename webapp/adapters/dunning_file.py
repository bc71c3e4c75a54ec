"""The file of reminder ladders and late interest, read like the catalogue: each mistake is told with its line.

docs/dunning.md shows the fields. Amounts are typed as 40.00, percents as text: none becomes a float.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from webapp.adapters.yaml_file import Document, Entry
from webapp.domain.dunning_ladder import REMINDERS
from webapp.i18n import _

KINDS = ("business", "consumer", "public")
RATE_KINDS = ("business", "consumer")
PERCENT = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
LATEST_DAY = 400  # of a ladder, counted from the due date

PolicyKey = tuple[str | None, str | None, date]  # kind of account, slug of the reseller, first day
RateKey = tuple[str, date]


@dataclass(frozen=True)
class PolicyFile:
    """`ladder` is what `domain.dunning_ladder.policy_from` reads."""

    account_kind: str | None
    reseller: str | None
    valid_from: date
    ladder: dict[str, Any]

    @property
    def key(self) -> PolicyKey:
        return self.account_kind, self.reseller, self.valid_from


@dataclass(frozen=True)
class RateFile:
    account_kind: str
    valid_from: date
    percent: str
    source: str

    @property
    def key(self) -> RateKey:
        return self.account_kind, self.valid_from


@dataclass(frozen=True)
class DunningFile:
    policies: tuple[PolicyFile, ...]
    rates: tuple[RateFile, ...]


def read_dunning(
    path: Path,
    resellers: Collection[str],
    policies: Mapping[PolicyKey, Mapping[str, Any]],
    rates: Mapping[RateKey, str],
) -> DunningFile:
    """Read and check. `policies` and `rates` are those published already: dated, never overwritten, so that one which
    says something else for the same day is a mistake. Raises BrokenFile."""
    document = Document(path)
    root = document.root()
    found: dict[PolicyKey, PolicyFile] = {}
    for entry in root.entries("policies", label="-"):
        policy = _policy(entry, resellers)
        if policy.key in found:
            entry.complain(
                "valid_from", _("Cette échelle est écrite deux fois pour les mêmes clients et le même jour.")
            )
        elif policy.key in policies and policies[policy.key] != policy.ladder:
            entry.complain(
                "valid_from",
                _(
                    "Une autre échelle est déjà publiée pour ces clients dès ce jour, et ne se corrige pas. "
                    "Donnez un jour plus tardif."
                ),
            )
        found[policy.key] = policy
    seen: dict[RateKey, RateFile] = {}
    for entry in root.entries("late_interest", required=False, label="-"):
        rate = _rate(entry)
        if rate.key in seen:
            entry.complain("valid_from", _("Ce taux est écrit deux fois pour le même jour."))
        elif rate.key in rates and Decimal(rates[rate.key]) != Decimal(rate.percent):
            entry.complain(
                "percent",
                _("Un autre taux est déjà publié dès ce jour : %(percent)s."),
                percent=rates[rate.key],
            )
        seen[rate.key] = rate
    root.close()
    document.finish()
    return DunningFile(tuple(found.values()), tuple(seen.values()))


def _policy(entry: Entry, resellers: Collection[str]) -> PolicyFile:
    kind = entry.choice("kind", KINDS, default="") or None
    reseller = entry.text("reseller", default="") or None
    if reseller is not None and reseller not in resellers:
        entry.unknown(entry.fields["reseller"], entry.at("reseller"), reseller, sorted(resellers))
    suspend_at = entry.integer("suspend_at", 1, 99, default=3)
    ladder: dict[str, Any] = {
        "suspend_at": suspend_at,
        "restore_below": entry.integer("restore_below", 1, suspend_at, default=suspend_at),
        "announced_days": entry.integer("announced_days", 0, 60, default=5),
        "steps": _steps(entry),
    }
    costs = entry.entry("costs", required=False)
    if costs is not None:
        ladder["costs"] = _costs(costs)
    policy = PolicyFile(kind, reseller, _day(entry, "valid_from"), ladder)
    entry.close()
    return policy


def _steps(policy: Entry) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    last = 0
    for entry in policy.entries("steps", label="template"):
        after_days = entry.integer("after_days", 1, LATEST_DAY)
        if after_days <= last:
            entry.complain(
                "after_days",
                _("Les jours d’une échelle se suivent : %(value)s vient après %(last)s."),
                value=after_days,
                last=last,
            )
        last = max(last, after_days)
        entry.choice("channel", ("mail",), default="mail")
        steps.append(
            {
                "after_days": after_days,
                "template": entry.choice("template", REMINDERS),
                "waits_working_days": entry.integer("waits_working_days", 0, 60, default=0),
                "may_cost": entry.flag("may_cost"),
            }
        )
        entry.close()
    return steps


def _costs(entry: Entry) -> dict[str, Any]:
    costs: dict[str, Any] = {
        "charges_compensation": entry.flag("charges_compensation"),
        "charges_interest": entry.flag("charges_interest"),
        "compensation_cents": entry.cents("compensation") if entry.has("compensation") else 0,
        "free_first": entry.flag("free_first"),
        "free_days": entry.integer("free_days", 0, 90, default=0),
        "free_reminders_per_year": entry.integer("free_reminders_per_year", 0, 99, default=0),
        "cap_most_cents": entry.cents("cap_most") if entry.has("cap_most") else None,
        "caps": [],
    }
    for each in entry.entries("caps", required=False, label="-"):
        costs["caps"].append(
            {
                "up_to_cents": each.cents("up_to") if each.has("up_to") else None,
                "base_cents": each.cents("base"),
                "percent": _percent(each, "percent") if each.has("percent") else "0",
            }
        )
        each.close()
    entry.close()
    return costs


def _rate(entry: Entry) -> RateFile:
    rate = RateFile(
        entry.choice("kind", RATE_KINDS),
        _day(entry, "valid_from"),
        _percent(entry, "percent"),
        entry.text("source"),
    )
    entry.close()
    return rate


def _day(entry: Entry, name: str) -> date:
    value = entry.text(name)
    try:
        return date.fromisoformat(value)
    except ValueError:
        if value:
            entry.complain(
                name,
                _("« %(value)s » n’est pas une date. Attendu : une date telle que 2026-01-01."),
                value=value,
            )
        return date.min


def _percent(entry: Entry, name: str) -> str:
    value = entry.text(name)
    if value and not PERCENT.fullmatch(value):
        entry.complain(
            name, _("« %(value)s » n’est pas un pourcentage. Attendu : un nombre tel que 10.5."), value=value
        )
        return "0"
    return value or "0"
