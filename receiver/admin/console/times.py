"""Days and times as forms bring them, in the zone of whoever writes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask_babel import get_timezone

from .forms import Form
from .languages import gettext

# What every zone can be told of, and a database takes.
_YEARS = range(2000, 2200)


def zone() -> ZoneInfo:
    """Where whoever asks tells the time."""
    # Flask-Babel's own zones can't be put into a time without being asked which offset holds then.
    return ZoneInfo(str(get_timezone()))


def moment_of(form: Form, name: str) -> datetime | None:
    """A date and time of a field; None where it can't be used, and the form says so."""
    try:
        written = datetime.fromisoformat(form[name].strip())
    except ValueError:
        written = None
    if written is None or written.tzinfo is not None or written.year not in _YEARS:
        form.errors[name] = gettext("Write a date and a time like 2030-01-31 17:00.")
        return None
    return written.replace(tzinfo=zone()).astimezone(UTC)


def day_of(form: Form, name: str) -> date | None:
    """A day of a field; None where it is empty or can't be used, and then the form says so."""
    written = form[name].strip()
    if not written:
        return None
    try:
        day = date.fromisoformat(written)
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        form.errors[name] = gettext("Write a day like 2030-01-31.")
        return None
    return day


def begin_of(day: date) -> datetime:
    """When a day begins for whoever asks."""
    return datetime.combine(day, time(), zone()).astimezone(UTC)


def end_of(day: date) -> datetime:
    """When a day is over for whoever asks."""
    return begin_of(day + timedelta(days=1))
