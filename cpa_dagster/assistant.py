"""One assistant as Dagster definitions; several assistants are several code locations of these."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from cpa_core.errors import SettingsError
from cpa_core.pipeline import Assistant
from cpa_core.settings import Settings
from cpa_dagster.assets import assets
from cpa_dagster.automation import automation
from cpa_dagster.checks import checks
from cpa_dagster.gold import gold_assets
from cpa_dagster.insights import insights_asset
from cpa_dagster.options import Keys, Options, SecretKeys
from cpa_dagster.quotes import quote_asset
from cpa_dagster.report import report_asset
from cpa_dagster.resources import Pipeline
from cpa_dagster.retention import retention_definitions
from cpa_dagster.topics import topics_asset
from cpa_dagster.upkeep import upkeep_assets
from cpa_dagster.waiting import in_this_process

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

EARLIEST = date(2020, 1, 1)
"""The first partition unless CPA_START_DATE is set. It is fixed, whatever is known when the definitions are loaded."""

OPTIONS, NO_KEYS = Options(), Keys()
"""One object each for every assistant: several assistants in one code location must share them."""


def assistant_definitions(
    settings: Settings,
    *,
    name: str = "",
    note: str = "",
    last_day: date | None = None,
    s3: "S3Resource | None" = None,
    assistant: Assistant | None = None,
) -> dg.Definitions:
    """Return the definitions of one assistant, without opening a store or a connection.

    `name` is the prefix of its asset keys and of the names of its jobs, sensors and schedules. Give one if several
    assistants share a Dagster instance or a code location. `note` is shown with the assets. `last_day` ends the
    partitions; without it they extend to today. `s3` reads the bucket; unset, it is made from the AWS_ settings.
    `assistant` replaces the one of the settings.
    """
    return definitions_of(pipeline_of(settings, name=name, note=note, last_day=last_day, s3=s3, assistant=assistant))


def definitions_of(pipeline: Pipeline, keys: SecretKeys | None = None) -> dg.Definitions:
    """The definitions of an assistant's assets, checks and automation.

    `keys` take precedence over those of the settings.
    """
    retention, own = retention_definitions(pipeline), automation(pipeline)
    return dg.Definitions(
        assets=[
            *assets(pipeline),
            insights_asset(pipeline),
            report_asset(pipeline),
            quote_asset(pipeline),
            *gold_assets(pipeline),
            topics_asset(pipeline),
            *retention["assets"],
            *upkeep_assets(pipeline),
        ],
        asset_checks=checks(pipeline),
        resources={"options": OPTIONS, "keys": keys or NO_KEYS},
        executor=in_this_process,
        sensors=own["sensors"],
        jobs=[*own["jobs"], *retention["jobs"]],
        schedules=[*own["schedules"], *retention["schedules"]],
    )


def pipeline_of(
    settings: Settings,
    *,
    name: str = "",
    note: str = "",
    last_day: date | None = None,
    s3: "S3Resource | None" = None,
    assistant: Assistant | None = None,
) -> Pipeline:
    """Return the pipeline that an assistant's definitions are made from.

    Its parameters are those of `assistant_definitions`.
    """
    assistant = assistant or Assistant.of(settings)
    s3 = s3 or (None if assistant.s3 else s3_resource(settings))
    if s3:
        assistant = replace(assistant, s3=lambda: s3.process_config_and_initialize().get_client())
    days = dg.DailyPartitionsDefinition(
        start_date=first_day(settings).isoformat(),
        end_date=(last_day + timedelta(days=1)).isoformat() if last_day else None,
        end_offset=0 if last_day else 1,
        timezone=settings.timezone,
    )
    return Pipeline(
        assistant=assistant,
        days=days,
        prefix=(name,) if name else (),
        note=note,
        owners=owners_of(settings),
        goes_on=last_day is None,
    )


def owners_of(settings: Settings) -> tuple[str, ...]:
    """Return the owners of the assets in Dagster's form. Raises SettingsError for any other form."""
    for name in settings.owners:
        if "@" not in name and not re.fullmatch(r"team:\w+", name):
            raise SettingsError(f"CPA_OWNERS: {name!r} must be an e-mail address, or a team as in team:support")
    return settings.owners


def s3_resource(settings: Settings) -> "S3Resource | None":
    """The bucket's resource, from the same names that the command line reads; none for a source that is no bucket."""
    if not (settings.source or "").startswith("s3://"):
        return None
    from dagster_aws.s3 import S3Resource

    aws = settings.aws
    return S3Resource(
        region_name=aws.region,
        endpoint_url=aws.s3_endpoint,
        profile_name=aws.profile,
        aws_access_key_id=aws.key_id,
        aws_secret_access_key=aws.secret,
        aws_session_token=aws.session_token,
    )


def first_day(settings: Settings) -> date:
    """The first day that has a partition: the setting's, else a day before any assistant of this kind."""
    return settings.start_date or EARLIEST
