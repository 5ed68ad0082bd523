"""The report in a bucket, so that it opens in a browser on another machine."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from cpa_core.pipeline.assistant import Assistant
from cpa_core.sources import s3

LINK = timedelta(days=7)
"""The lifetime of a link to the report: S3 signs none for longer, and none outlives temporary credentials.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html
"""


def publish(assistant: Assistant, path: Path) -> str | None:
    """A link to the report, once it is in the bucket of CPA_REPORTS; null where the setting names none.

    Raises SourceError and SettingsError where the bucket does not take it. The file at `path` stays.
    """
    prefix = assistant.settings.reports
    if prefix is None:
        return None
    address = f"{prefix.rstrip('/')}/{path.name}"
    aws = assistant.settings.aws
    connect = partial(s3.client, aws, signature="s3v4")  # the older signature is refused by buckets of today
    return s3.put(address, connect, path.read_bytes(), "text/html; charset=utf-8", LINK)
