"""What all tables share: the kinds of their columns, and what an append-only row carries."""

from __future__ import annotations

import json
from typing import Annotated, Any

from sqlalchemy import BigInteger, ForeignKey, Integer, MetaData, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from instructglm.core.ids import canonical_json

LARGEST_ID = 2**53 - 1
"""What JavaScript and every database hold exactly."""
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class ExactText(TypeDecorator[str]):
    r"""Text that comes back as it went in, on every database.

    PostgreSQL has no zero byte in a text, so a zero is written as two
    characters, `\x01` and `0`, and `\x01` itself as `\x01` and `1`.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or ("\0" not in value and "\1" not in value):
            return value
        return value.replace("\1", "\1" + "1").replace("\0", "\1" + "0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or "\1" not in value:
            return value
        return value.replace("\1" + "0", "\0").replace("\1" + "1", "\1")


class ExactJson(TypeDecorator[Any]):
    """A JSON value, in the one spelling of `canonical_json`; half characters are escaped, as JSON allows."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = canonical_json(value)  # in which a zero byte is an escape
        return text if _is_whole(text) else json.dumps(value, sort_keys=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# SQLite keeps INTEGER in its own row number; eight bytes there too.
BIG = Integer().with_variant(BigInteger(), "postgresql")
Id = Annotated[int, mapped_column(BIG, primary_key=True, autoincrement=False)]
Number = Annotated[int, mapped_column(BIG)]
Milliseconds = Annotated[int, mapped_column(BIG)]
"""Since 1970, UTC, unless the column says how long something took."""
Exact = Annotated[str, mapped_column(ExactText)]


class Base(DeclarativeBase):
    """All tables of the store. Ids are given by the writer, of whom there is one at a time."""

    metadata = MetaData(naming_convention=_NAMES)


class Logged:
    """An append-only row: `event` is the number of the event of the log that made it."""

    id: Mapped[Id]
    event: Mapped[int] = mapped_column(BIG, ForeignKey("events.number"), index=True)
