"""Which services are where (spec E3): what an establishment lacks that the others have, and what is paid for where
nobody is in service."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from webapp.domain.contract import Contract, HeldOption


@dataclass(frozen=True, slots=True)
class Gap:
    """A per-establishment option that most of the other establishments have; `establishment_ids` lack it."""

    code: str
    establishment_ids: tuple[str, ...]


def held_at(contract: Contract, code: str, today: date) -> dict[str, HeldOption]:
    """The establishments where an option is in use today, with what is held there."""
    return {
        each.establishment_id: each
        for each in contract.options
        if each.code == code and each.establishment_id is not None and each.is_in_use_on(today)
    }


def gaps(contract: Contract, codes: Iterable[str], today: date) -> list[Gap]:
    """What most of the others have and some lack. One address out of ten with an option is a choice, not nine gaps."""
    active = [each.id for each in contract.establishments_active_on(today)]
    found = []
    for code in codes:
        held = held_at(contract, code, today)
        lacking = tuple(each for each in active if each not in held)
        holders = len(active) - len(lacking)
        if lacking and 2 * holders > len(active) - 1:
            found.append(Gap(code, lacking))
    return found


def idle(contract: Contract, today: date) -> list[HeldOption]:
    """Options that go on being paid at an establishment that is not in service any more."""
    gone = {each.id: each.charged_until for each in contract.establishments if not each.is_active_on(today)}
    still = []
    for option in contract.options_on(today):
        if option.establishment_id not in gone or option.unit_under(contract.tariff).cents == 0:
            continue
        until = gone[option.establishment_id]
        is_leaving = any(each.option_id == option.id and not each.quantity for each in contract.changes)
        if not is_leaving and (option.ends_on is None or (until is not None and option.ends_on > until)):
            still.append(option)
    return still
