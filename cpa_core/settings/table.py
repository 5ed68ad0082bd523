"""The table of all settings: a field each, with its name in the environment, type, default, help and group."""

from collections.abc import Iterator, Mapping
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard
from urllib.parse import quote
from zoneinfo import ZoneInfo

from cpa_core.models import Value
from cpa_core.settings.addresses import store_with_login, store_without_login, with_login, without_login
from cpa_core.settings.reading import (
    BUCKET,
    PAIRS,
    REGIONS,
    SHARE,
    SIZE,
    SPEAKERS,
    TIMES,
    TIMEZONE,
    WEB,
    WORDS,
    Reader,
    Setting,
    amount,
    count,
    reader_of,
    shown,
)
from cpa_core.settings.vendors import Secret, Vendors

MOST_CALLS = 256
"""Calls at once: more threads than that wait for each other, not for the provider."""
TIMEOUT = 120.0
"""Seconds for one call. Set always: Anthropic's SDK refuses long answers without."""
Lane = Literal["standard", "flex", "batch"]
"""How questions are asked: at once, or at half the price later (flex) or within a day (batch)."""
Times = Literal["dmy", "mdy"]
"""The order of day and month in 03/02/2026: day first or month first."""
Privacy = Literal["no_text", "redacted", "full"]
"""How much of a conversation's text leaves: none, redacted text, or all of it."""

SOURCE, MODELS, SPENDING, DELIVERY = "Source and home", "Schema and models", "Spending and speed", "Delivery"
PRIVACY, DAYS, DAGSTER, WORKBENCH = "Privacy", "Days and times", "Dagster", "Workbench"

PRIVACY_SETTING = Setting(
    "CPA_PRIVACY",
    PRIVACY,
    "How much text an event or a report holds: no_text, redacted or full.",
    "Unset: events carry no text; the report, which stays here, is redacted.",
    default="no_text for events, redacted for the report",
)


SOURCE_SETTING = Setting(
    "CPA_SOURCE",
    SOURCE,
    "The transcripts: a file, a folder, s3://bucket/key-or-prefix, or postgresql://user:password@host/database.",
    "The name of files may hold {day}. A login in it is never stored, logged or shown.",
    reader=Reader("text", without_login),
    example="transcripts/",
)


STORE_SETTING = Setting(
    "CPA_STORE",
    SOURCE,
    "Where the tables are: unset, a file in the home; else ducklake:postgresql://user:password@host/database.",
    "With ?schema=name several stores share a database. See docs/guides/scale-out.md.",
    reader=Reader("text", store_without_login),
)


class Settings(Vendors):
    """The settings of one assistant. A copy with another value (`model_copy`) changes all that depends on it."""

    home: Annotated[Path, Setting("CPA_HOME", SOURCE, "The folder of the store, the outbox and the answers.")] = Path(
        ".cpa"
    )
    store: Annotated[str | None, STORE_SETTING] = None
    store_login: Annotated[Secret, STORE_SETTING._replace(reader=Reader("text", store_with_login))] = None
    store_data: Annotated[
        str | None,
        Setting(
            "CPA_STORE_DATA",
            SOURCE,
            "Where the large tables' Parquet files lie, with CPA_STORE: s3://bucket/prefix/, or a shared folder.",
            example="s3://bucket/cpa/",
        ),
    ] = None
    duckdb_memory: Annotated[
        str | None,
        Setting(
            "CPA_DUCKDB_MEMORY",
            SOURCE,
            "The most memory that DuckDB takes for the tables, in one process; the rest goes to a temporary folder.",
            "Python's own memory is not in it. Unset: DuckDB's default, 80 % of the machine's memory.",
            reader=SIZE,
            example="2GB",
        ),
    ] = None
    source: Annotated[str | None, SOURCE_SETTING] = None
    source_login: Annotated[Secret, SOURCE_SETTING._replace(reader=Reader("text", with_login))] = None
    table: Annotated[
        str | None,
        Setting(
            "CPA_TABLE",
            SOURCE,
            "The table of a database to read, spelt as the database spells it.",
            example="public.messages",
        ),
    ] = None
    query_path: Annotated[
        Path | None,
        Setting(
            "CPA_QUERY",
            SOURCE,
            "A file with the query that a database is asked, instead of a table.",
            example="messages.sql",
        ),
    ] = None
    watermark: Annotated[
        str | None,
        Setting(
            "CPA_WATERMARK",
            SOURCE,
            "The column by which new and changed rows of a database are found: the time of their last change.",
            "By a time of creation, changed rows are not seen. It must never be null, and should have an index.",
            example="updated_at",
        ),
    ] = None
    lookback: Annotated[
        int,
        Setting(
            "CPA_LOOKBACK",
            SOURCE,
            "How far behind the newest landed row of a database the next landing reads again.",
            "In seconds for a time, else in the column's own unit. Rows that were committed late are found so.",
            reader=count(0),
        ),
    ] = 300
    form: Annotated[
        str | None,
        Setting(
            "CPA_FORMAT",
            SOURCE,
            "The format of the source, where its content does not show it.",
            example="jsonl",
        ),
    ] = None
    names: Annotated[
        Mapping[str, str],
        Setting(
            "CPA_MAP",
            SOURCE,
            "Where our words stand in your files, as in role=sender,content=message.text.",
            "A path may go through lists (`parts[].text`) and into JSON that stands as text.",
            reader=PAIRS,
            example="role=sender,content=message.text",
        ),
    ] = {}
    roles: Annotated[
        Mapping[str, str],
        Setting(
            "CPA_ROLES",
            SOURCE,
            "The words that stand for each role, as in user=customer|guest,assistant=agent.",
            "The usual words need no entry. `other` is left untagged.",
            reader=SPEAKERS,
            example="user=customer|guest,assistant=agent,other=supervisor",
        ),
    ] = {}
    include: Annotated[
        tuple[str, ...],
        Setting(
            "CPA_INCLUDE",
            SOURCE,
            "Patterns of the files to read, as in *.jsonl,2026/*; unset means all of a kind that is read.",
            "A pattern is compared with the path below the source and with the file's name. Members of zips too.",
            reader=WORDS,
            example="conversations*.json",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Setting(
            "CPA_EXCLUDE",
            SOURCE,
            "Patterns of files to leave out, as in scores*,*/debug/*.",
            reader=WORDS,
            example="scores*",
        ),
    ] = ()
    times: Annotated[
        Times | None,
        Setting(
            "CPA_TIMES",
            SOURCE,
            "Whether the day (dmy) or the month (mdy) comes first in 03/02/2026, where no time of a file decides it.",
            reader=TIMES,
            example="dmy",
        ),
    ] = None
    session_gap: Annotated[
        int | None,
        Setting(
            "CPA_SESSION_GAP",
            SOURCE,
            "The minutes of silence after which a new conversation begins, where a file has user ids only.",
            "The home remembers it. 0 makes all messages of a user one conversation.",
            reader=count(0),
            example="30",
        ),
    ] = None
    most_rejected: Annotated[
        float,
        Setting(
            "CPA_MOST_REJECTED",
            SOURCE,
            "The share of rejected records above which `cpa land` warns and the check `few_rejects` fails.",
            reader=SHARE,
            example="1%",
        ),
    ] = 0.01
    schema_path: Annotated[
        Path | None,
        Setting("CPA_SCHEMA", MODELS, "The event schema that people edit.", example="schema.yml"),
    ] = None
    accept_proposals: Annotated[
        bool,
        Setting(
            "CPA_ACCEPT_PROPOSALS",
            MODELS,
            "Whether a schema that a run proposed is delivered without a person's acceptance.",
            "Without a named schema a run proposes one, and its events go to the outbox only until it is accepted.",
        ),
    ] = False
    model: Annotated[
        str | None,
        Setting(
            "CPA_MODEL",
            MODELS,
            "The model for tagging and judging, as provider:model.",
            "Unset: the default of the one provider whose key is set.",
            example="openai:gpt-6-luna",
        ),
    ] = None
    judge_model: Annotated[
        str | None, Setting("CPA_JUDGE_MODEL", MODELS, "Another model for judging; unset means CPA_MODEL.")
    ] = None
    schema_model: Annotated[
        str | None, Setting("CPA_SCHEMA_MODEL", MODELS, "Another model for schema proposals; unset means CPA_MODEL.")
    ] = None
    embeddings: Annotated[
        str | None,
        Setting(
            "CPA_EMBEDDINGS",
            MODELS,
            "The model that compares texts for topics, as provider:model (openai or compatible).",
            "Unset: words and parts of words are compared, and nothing is sent.",
            example="openai:text-embedding-3-small",
        ),
    ] = None
    lane: Annotated[
        Lane,
        Setting(
            "CPA_LANE",
            SPENDING,
            "How requests are sent: standard, flex or batch.",
            "flex (OpenAI) and batch (OpenAI and Anthropic, answered within a day) cost half the price.",
        ),
    ] = "standard"
    poll_seconds: Annotated[
        float,
        Setting(
            "CPA_POLL",
            SPENDING,
            "The seconds between two looks at batches that a run waits for.",
            reader=amount("seconds"),
        ),
    ] = 60.0
    concurrency: Annotated[
        int, Setting("CPA_CONCURRENCY", SPENDING, "The number of calls at once.", reader=count(1, MOST_CALLS))
    ] = 8
    timeout: Annotated[
        float,
        Setting("CPA_TIMEOUT", SPENDING, "The seconds that a model may take for one answer.", reader=amount("seconds")),
    ] = TIMEOUT
    rpm: Annotated[
        int | None,
        Setting("CPA_RPM", SPENDING, "The most calls a minute; unset means the provider's own limit.", reader=count()),
    ] = None
    tpm: Annotated[
        int | None,
        Setting("CPA_TPM", SPENDING, "The most tokens a minute; unset means the provider's own limit.", reader=count()),
    ] = None
    deadline_minutes: Annotated[
        float | None,
        Setting(
            "CPA_DEADLINE_MINUTES",
            SPENDING,
            "The minutes after which a run sends no more requests; unset means no limit.",
            reader=amount("minutes"),
        ),
    ] = None
    budget: Annotated[
        float | None,
        Setting(
            "CPA_BUDGET",
            SPENDING,
            "The US dollars that one run may spend; unset means no limit.",
            reader=amount("US dollars"),
        ),
    ] = None
    daily_budget: Annotated[
        float | None,
        Setting(
            "CPA_DAILY_BUDGET",
            SPENDING,
            "The US dollars that all runs of a UTC day may spend; unset means no limit.",
            reader=amount("US dollars"),
        ),
    ] = None
    give_up_hours: Annotated[
        int,
        Setting(
            "CPA_GIVE_UP_HOURS",
            SPENDING,
            "The hours that a question waits after a failure that counts; after three such failures it is final.",
            "A failure counts only in a run in which the model answered other questions well.",
            reader=count(0),
        ),
    ] = 6
    prices_path: Annotated[
        Path | None,
        Setting(
            "CPA_PRICES",
            SPENDING,
            "A YAML file with your own prices, in US dollars per million tokens.",
            "A line is `openai:my-model: {input: 0.5, cached_input: 0.05, output: 2}`.",
            example="prices.yml",
        ),
    ] = None
    destinations: Annotated[
        tuple[str, ...],
        Setting(
            "CPA_DESTINATIONS",
            DELIVERY,
            "Where events go, separated by commas.",
            reader=WORDS,
            flag="--destination",
        ),
    ] = ("outbox",)
    delivery_path: Annotated[
        Path | None,
        Setting(
            "CPA_DELIVERY",
            DELIVERY,
            "A YAML file that says what each destination is not sent: event types, roles and properties.",
            "A line is `posthog: {leave_out: {event_types: [Small Talk], roles: [assistant]}}`.",
            example="delivery.yml",
        ),
    ] = None
    least_kappa: Annotated[
        float | None,
        Setting(
            "CPA_LEAST_KAPPA",
            DELIVERY,
            "Event types whose kappa with people's labels is lower than this are sent to no destination.",
            "It is decided when a day is delivered. Types that nobody has labelled are sent.",
            reader=SHARE,
            example="0.4",
        ),
    ] = None
    privacy: Annotated[Privacy, PRIVACY_SETTING] = "no_text"
    report_privacy: Annotated[Privacy, PRIVACY_SETTING] = "redacted"
    reports: Annotated[
        str | None,
        Setting(
            "CPA_REPORTS",
            DELIVERY,
            "The bucket and prefix that each report is put into as well, so that it opens in a browser elsewhere.",
            "Whoever has the link reads the report for seven days; CPA_PRIVACY says what of a conversation is in it.",
            reader=BUCKET,
            example="s3://bucket/reports/",
        ),
    ] = None
    redact_before_model: Annotated[
        bool,
        Setting(
            "CPA_REDACT_BEFORE_MODEL",
            PRIVACY,
            "Whether the text is redacted before a model sees it.",
            "Quotes are still matched to the original text.",
        ),
    ] = False
    keep_days: Annotated[
        int | None,
        Setting(
            "CPA_KEEP_DAYS",
            PRIVACY,
            "For how many days after its last message a conversation is kept; Dagster removes what is older each day.",
            "Unset: everything is kept. Sums of the days stay. `cpa forget --older-than` does the same once.",
            reader=count(1),
            example="400",
        ),
    ] = None
    phone_regions: Annotated[
        tuple[str, ...],
        Setting(
            "CPA_PHONE_REGIONS",
            PRIVACY,
            "The countries whose phone numbers are found without a leading plus.",
            reader=REGIONS,
        ),
    ] = ("US", "GB", "DE", "FR")
    redactor: Annotated[
        str | None,
        Setting(
            "CPA_REDACTOR",
            PRIVACY,
            "Another redactor, as package.module:name.",
            example="package.module:name",
        ),
    ] = None
    timezone: Annotated[
        str, Setting("CPA_TIMEZONE", DAYS, "The time zone of days, fixed at first use.", reader=TIMEZONE)
    ] = "UTC"
    start_date: Annotated[
        date | None,
        Setting(
            "CPA_START_DATE",
            DAYS,
            "The first day; unset means the first day that landed, in Dagster 2020-01-01.",
            example="2026-01-31",
        ),
    ] = None
    quiet_minutes: Annotated[
        int,
        Setting(
            "CPA_QUIET_MINUTES",
            DAYS,
            "The minutes of silence before a conversation is processed.",
            "A younger conversation waits for the next run.",
            reader=count(0),
        ),
    ] = 0
    untimed: Annotated[
        Literal["modified"] | None,
        Setting(
            "CPA_UNTIMED",
            DAYS,
            "The day of messages without times: `modified` takes the day of the file's last change.",
            example="modified",
        ),
    ] = None
    assumed_zone: Annotated[
        str, Setting("CPA_ASSUMED_ZONE", DAYS, "The time zone of times that are written without one.", reader=TIMEZONE)
    ] = "UTC"
    owners: Annotated[
        tuple[str, ...],
        Setting(
            "CPA_OWNERS",
            DAGSTER,
            "The owners of the assets in Dagster: e-mail addresses, or teams as in team:support.",
            reader=WORDS,
            example="team:support",
        ),
    ] = ()
    alerts: Annotated[
        str | None,
        Setting(
            "CPA_ALERTS",
            DAGSTER,
            "The address that Dagster's alerts are posted to: an incoming webhook of Slack, or any that takes JSON.",
            "Each cause is sent once, with numbers and a link, never with a message's words.",
            reader=WEB,
            example="https://hooks.slack.com/services/...",
        ),
    ] = None
    alert_spend: Annotated[
        float | None,
        Setting(
            "CPA_ALERT_SPEND",
            DAGSTER,
            "The US dollars of a UTC day beyond which an alert is sent.",
            reader=amount("US dollars"),
        ),
    ] = None
    alert_silent_hours: Annotated[
        float | None,
        Setting(
            "CPA_ALERT_SILENT_HOURS",
            DAGSTER,
            "The hours without anything landed after which an alert is sent.",
            reader=amount("hours"),
        ),
    ] = None
    dagster_url: Annotated[
        str,
        Setting("CPA_DAGSTER_URL", DAGSTER, "The address of Dagster's UI, for the links in alerts.", reader=WEB),
    ] = "http://127.0.0.1:3000"
    workbench_url: Annotated[
        str | None,
        Setting(
            "CPA_WORKBENCH_URL",
            WORKBENCH,
            "The address at which people open the workbench; the report and Dagster then link to conversations there.",
            "Unset: no link. `cpa serve` answers under it too: name it where a proxy stands in front.",
            reader=WEB,
            example="http://127.0.0.1:8088",
        ),
    ] = None
    workbench_password: Annotated[
        Secret,
        Setting(
            "CPA_WORKBENCH_PASSWORD",
            WORKBENCH,
            "The password of the workbench, 12 characters or more.",
            "Needed where `cpa serve --host` lets in other machines.",
        ),
    ] = None
    workbench_reviewer_header: Annotated[
        str | None,
        Setting(
            "CPA_WORKBENCH_REVIEWER_HEADER",
            WORKBENCH,
            "The header in which a proxy names the reviewer; nobody can then give another name.",
            "Set it only where nothing but the proxy reaches the port, and the proxy removes the header from requests.",
            example="X-Forwarded-User",
        ),
    ] = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of days."""
        return ZoneInfo(self.timezone)

    def conversation_link(self, conversation_id: str, position: int | None = None) -> str | None:
        """The address of a conversation, or of one of its messages, in the workbench; none where no address is set."""
        if self.workbench_url is None:
            return None
        place = "" if position is None else f"#m{position}"
        return f"{self.workbench_url.rstrip('/')}/c/{quote(conversation_id, safe='', errors='replace')}{place}"

    def named(self, name: str) -> Any:
        """The value of the setting of that name in the environment, as in `named("OPENAI_API_KEY")`."""
        return attrgetter(TABLE[name].path)(self)

    def written(self, name: str) -> str:
        """Return the value of that setting as a text that is read back as the same value; empty if it is unset."""
        return (TABLE[name].reader.write or shown)(self.named(name))

    @property
    def asking(self) -> tuple[object, ...]:
        """Return all values that a provider is made from; two settings with equal values share one provider."""
        return (self.lane, self.timeout, *(value for value in self.__dict__.values() if isinstance(value, Value)))


ELSEWHERE = {
    "CPA_CODE_HOST": "The host of the code server, which deploy/workspace.yaml reads.",
    "CPA_FILES": "The folder that deploy/compose.yaml mounts at /opt/cpa/files: schema.yml, delivery.yml, prices.",
    "CPA_TRANSCRIPTS": "The folder of transcripts that deploy/compose.yaml mounts at /transcripts.",
}
"""Names that begin with CPA_ and are read by the containers' own files, not by this library."""
Needs = tuple[tuple[str, ...], ...]
"""Settings that a feature requires: a tuple of names for each way to configure it; empty needs none."""


def lacking(given: Settings, needs: Needs) -> tuple[str, ...]:
    """Return the names still to be set for the first way of configuring it; empty if any way is complete."""
    ways = [tuple(name for name in way if not given.named(name)) for way in needs]
    return () if not all(ways) else next(iter(ways), ())


class SettingLine(NamedTuple):
    """One line of the table. `path` is the field (`openai.key`), `type` its type; a `secret` is never shown."""

    path: str
    setting: Setting
    type: Any
    default: Any
    secret: bool
    reader: Reader

    @property
    def name(self) -> str:
        """The name in the environment."""
        return self.setting.name

    @property
    def flag(self) -> str:
        """The flag of the command line, where a command has one."""
        return self.setting.flag or f"--{self.name.removeprefix('CPA_').lower().replace('_', '-')}"


def is_value(annotation: Any) -> TypeGuard[type[Value]]:
    """Whether a field holds the settings of a vendor."""
    return isinstance(annotation, type) and issubclass(annotation, Value)


def declared(kind: type[Value] = Settings, within: str = "") -> Iterator[SettingLine]:
    """The lines of the table, in order, the vendors' last; two fields of one setting are two lines."""
    for field, info in sorted(kind.model_fields.items(), key=lambda item: is_value(item[1].annotation)):
        path, annotation = within + field, info.annotation
        if is_value(annotation):
            yield from declared(annotation, f"{path}.")
            continue
        (setting,) = (one for one in info.metadata if isinstance(one, Setting))
        yield SettingLine(path, setting, annotation, info.default, not info.repr, reader_of(annotation, setting))


TABLE: dict[str, SettingLine] = {}
"""A line for each setting, by its name in the environment."""
for line in declared():
    TABLE.setdefault(line.name, line)
