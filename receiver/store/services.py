"""Services and their numbers: which service a reply to a number belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, delete, exists, func, insert, or_, select

from .tables import service_numbers, services, subscriptions
from .upsert import insert_or


@dataclass(frozen=True)
class Filing:
    """Which service a service number belongs to: the exact number first, else the longest prefix."""

    exact: dict[str, str]
    prefixes: Sequence[tuple[str, str]]

    @classmethod
    def load(cls, connection: Connection) -> "Filing":
        rows = connection.execute(select(service_numbers)).all()
        exact = {row.number: row.service for row in rows if not row.is_prefix}
        prefixes = [(row.number, row.service) for row in rows if row.is_prefix]
        return cls(exact, sorted(prefixes, key=lambda entry: -len(entry[0])))

    def service_of(self, dst: str) -> str | None:
        """The code of the service that replies to ``dst`` belong to; None where there is none."""
        if dst in self.exact:
            return self.exact[dst]
        return next((service for prefix, service in self.prefixes if dst.startswith(prefix)), None)


def page(connection: Connection, *, after: str | None = None, limit: int) -> Sequence[RowMapping]:
    """Services by code, each with how many subscribers it has now."""
    statement = _counted().order_by(services.c.code).limit(limit)
    if after is not None:
        statement = statement.where(services.c.code > after)
    return connection.execute(statement).mappings().all()


def get(connection: Connection, code: str) -> RowMapping | None:
    """One service, with how many subscribers it has now."""
    return connection.execute(_counted().where(services.c.code == code)).mappings().one_or_none()


def numbers(connection: Connection, codes: Iterable[str]) -> Sequence[RowMapping]:
    """The numbers of the services ``codes``."""
    statement = select(service_numbers).where(service_numbers.c.service.in_(list(codes)))
    return connection.execute(statement.order_by(service_numbers.c.number)).mappings().all()


def owners(connection: Connection, exact: Iterable[str], prefixes: Iterable[str]) -> Sequence[RowMapping]:
    """Which of these numbers belong to a service already, and to which."""
    number, is_prefix = service_numbers.c.number, service_numbers.c.is_prefix
    wanted = or_(and_(number.in_(list(exact)), ~is_prefix), and_(number.in_(list(prefixes)), is_prefix))
    return connection.execute(select(service_numbers).where(wanted).order_by(number)).mappings().all()


def was_subscribed(connection: Connection, code: str) -> bool:
    """Whether anybody has or ever had the service."""
    return bool(connection.scalar(select(exists().where(subscriptions.c.service == code))))


def codes(connection: Connection) -> set[str]:
    """Every service's code."""
    return set(connection.scalars(select(services.c.code)))


def add(connection: Connection, code: str, name: str, at: datetime) -> None:
    """Add a service, or give one another name."""
    statement = insert_or(connection, services)
    renamed = statement.on_conflict_do_update(index_elements=["code"], set_={"name": statement.excluded.name})
    connection.execute(renamed, {"code": code, "name": name, "created_at": at})


def set_numbers(connection: Connection, code: str, exact: Iterable[str], prefixes: Iterable[str]) -> None:
    """Say which numbers belong to a service, in place of those that did. Raises Refused where another has one."""
    connection.execute(delete(service_numbers).where(service_numbers.c.service == code))
    rows = [{"number": number, "is_prefix": False, "service": code} for number in sorted(set(exact))]
    rows += [{"number": number, "is_prefix": True, "service": code} for number in sorted(set(prefixes))]
    if rows:
        connection.execute(insert(service_numbers), rows)


def remove(connection: Connection, code: str) -> bool:
    """Remove a service that nobody ever subscribed to; whether there was one. Raises Refused where somebody did."""
    connection.execute(delete(service_numbers).where(service_numbers.c.service == code))
    return connection.execute(delete(services).where(services.c.code == code)).rowcount == 1


def _counted() -> Select[Any]:
    active = (
        select(func.count())
        .where(subscriptions.c.service == services.c.code, subscriptions.c.cancelled_at.is_(None))
        .scalar_subquery()
    )
    return select(services, active.label("subscribers"))
