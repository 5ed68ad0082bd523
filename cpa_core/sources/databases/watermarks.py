"""The watermark of a row: when it changed, or its place in an order; as a value, as text in a name, and in SQL."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa

Kind = Literal["time", "zoneless", "day", "number"]
Value: TypeAlias = datetime | date | Decimal
"""Values of one column, which is of one kind, can be compared."""


class Watermark(NamedTuple):
    """One value of the column."""

    kind: Kind
    value: Any

    def __str__(self) -> str:
        """The value as a name has it: times in UTC with microseconds."""
        if self.kind == "number":
            return format(self.value, "f")
        return str(self.value.isoformat()).replace("+00:00", "Z")

    def before(self, lookback: int) -> "Watermark":
        """The value that lies so many seconds, or units, behind; of days the day in which that second lies."""
        if self.kind == "number":
            return self._replace(value=self.value - lookback)
        back = timedelta(seconds=lookback)
        if self.kind == "day":
            return self._replace(value=(datetime.combine(self.value, time()) - back).date())
        return self._replace(value=self.value - back)

    def moment(self) -> datetime | None:
        """The value as a time, one without a zone taken as UTC; None for a number."""
        if self.kind == "number":
            return None
        found = self.value if isinstance(self.value, datetime) else datetime.combine(self.value, time())
        return found if found.tzinfo else found.replace(tzinfo=UTC)


def kind_of(column: pa.DataType) -> Kind:
    """The kind of a column. Raises ValueError for one that has no order to go by."""
    if pa.types.is_timestamp(column):
        return "time" if column.tz else "zoneless"
    if pa.types.is_date(column):
        return "day"
    decimal = isinstance(column, pa.OpaqueType) and column.type_name == "numeric"  # as ADBC has Postgres's numeric
    if decimal or pa.types.is_integer(column) or pa.types.is_floating(column) or pa.types.is_decimal(column):
        return "number"
    raise ValueError("a time, a date or a number is needed")


def of(kind: Kind, value: Any) -> Watermark:
    """A value as the database gave it. Raises ValueError for one that is infinite."""
    if kind == "number":
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise ValueError("a number is needed") from None
        if not number.is_finite():
            raise ValueError("it is infinite")
        return Watermark(kind, number)
    return Watermark(kind, value.astimezone(UTC) if kind == "time" else value)


def read(kind: Kind, text: str) -> Watermark | None:
    """The value that a name has; None where it is none of this kind, as after the column's type was changed."""
    try:
        if kind == "number":
            return of(kind, text)
        if kind == "day":
            return Watermark(kind, date.fromisoformat(text))
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Watermark(kind, found) if bool(found.tzinfo) == (kind == "time") else None
