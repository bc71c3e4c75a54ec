"""Dates for a calendar program: an iCalendar file (RFC 5545) of events that last a whole day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from icalendar import Alarm, Calendar, Event, vUri

MEDIA_TYPE = "text/calendar"


@dataclass(frozen=True)
class Day:
    """One event. `uid` stays the same when the date moves, so that a new import moves the event and adds none.

    `alarm_days` before it, the calendar reminds its owner; 0 for no reminder.
    """

    uid: str
    on: date
    title: str
    text: str
    alarm_days: int = 0


def calendar_file(days: Iterable[Day], name: str, link: str, revision: int, at: datetime) -> bytes:
    """The file, in UTF-8. `revision` grows with each change: programs keep the event of the greater one."""
    calendar = Calendar()
    calendar.add("prodid", "-//plan-et-facturation//FR")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    for day in days:
        event = Event()
        event.add("uid", day.uid)
        event.add("dtstamp", at)
        event.add("sequence", revision)
        event.add("dtstart", day.on)
        event.add("dtend", day.on + timedelta(days=1))
        event.add("summary", day.title)
        event.add("description", f"{day.text}\n{link}")
        event.add("url", vUri(link))
        event.add("transp", "TRANSPARENT")
        if day.alarm_days:
            event.add_component(_reminder(day))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _reminder(day: Day) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", day.title)
    alarm.add("trigger", timedelta(days=-day.alarm_days))
    return alarm
