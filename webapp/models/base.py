"""The declarative base of every row, usable without Flask: commands and workers import this alone."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, String, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as UTC.

    SQLite keeps no time zone: without this, a value written aware would come back naive and could not be
    compared with `clock.now()`.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigInt = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys by itself

UuidKey = Annotated[uuid.UUID, mapped_column(Uuid, primary_key=True, default=uuid.uuid4)]
NumberKey = Annotated[int, mapped_column(BigInt, primary_key=True, autoincrement=True)]
Code = Annotated[str, mapped_column(String(60))]
Currency = Annotated[str, mapped_column(String(3), default="EUR")]


class Base(DeclarativeBase):
    # One registry, which Flask-SQLAlchemy's subclass shares: it refuses a type map set beside it.
    registry = registry(metadata=MetaData(naming_convention=NAMING), type_annotation_map={datetime: Instant})
