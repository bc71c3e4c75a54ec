"""The only place that asks what day it is.

Doors and commands call `today()` and `now()` and pass the answer on; rules and services receive it.
PORTAL_CLOCK freezes the date for demos and screenshots, tests freeze the whole instant.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_zone = ZoneInfo("Europe/Brussels")
_frozen: date | datetime | None = None


def configure(zone: str, frozen: date | None) -> None:
    """Set the business time zone and, for a demo, the date at which the clock stays."""
    global _zone
    _zone = ZoneInfo(zone)
    freeze(frozen)


def freeze(moment: date | datetime | None) -> None:
    """Hold the clock: an aware instant stops it, a date keeps the day while the hours run, None lets it go."""
    global _frozen
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("the clock needs an instant with its time zone")
    _frozen = moment


def now() -> datetime:
    """This instant, aware, in UTC."""
    if isinstance(_frozen, datetime):
        return _frozen.astimezone(UTC)
    if _frozen is not None:
        local = datetime.combine(_frozen, datetime.now(_zone).time(), tzinfo=_zone)
        return local.astimezone(UTC)
    return datetime.now(UTC)


def elsewhere() -> datetime:
    """This instant on other people's clocks, aware, in UTC: what they sign is of the real day, in a demo too."""
    return now() if isinstance(_frozen, datetime) else datetime.now(UTC)


def today() -> date:
    """The business date, in the business time zone."""
    return now().astimezone(_zone).date()


def start_of(day: date) -> datetime:
    """The instant at which a day begins in the business time zone."""
    return datetime.combine(day, time(), tzinfo=_zone)


def local(instant: datetime) -> datetime:
    """An aware instant as the clocks of the business time zone show it."""
    return instant.astimezone(_zone)
