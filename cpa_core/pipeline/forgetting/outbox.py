"""The outbox that several workers share, beside the store's files: the subject's events are removed from it too."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cpa_core.buckets import client
from cpa_core.destinations.shared import FOLDER, outbox_place
from cpa_core.pipeline.assistant import Assistant
from cpa_core.pipeline.forgetting.files import clean_folder
from cpa_core.pipeline.forgetting.subject import Forgotten


def clean_shared_outbox(assistant: Assistant, subject: Forgotten, *, write: bool) -> dict[str, int]:
    """Remove the subject from the outbox beside a shared store, or only count: lines or rows by file.

    Empty where the store is the home's file: its outbox is a folder of the home.
    """
    if assistant.store.is_file:
        return {}
    place = outbox_place(assistant.settings)
    if isinstance(place, str):
        return _clean_bucket(place, assistant, subject, write)
    found = clean_folder(place, subject, write=write) if place.is_dir() else {}
    return {f"{FOLDER}{path.name}": count for path, count in found.items()}


def _clean_bucket(place: str, assistant: Assistant, subject: Forgotten, write: bool) -> dict[str, int]:
    """Each object of the outbox is fetched, cleaned as a file, and put back whole where it changed."""
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    s3: Any = client(assistant.settings.aws)
    counts: dict[str, int] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for key in [one["Key"] for page in pages for one in page.get("Contents", ())]:
        with TemporaryDirectory(prefix="cpa-outbox-") as folder:
            path = Path(folder) / key.removeprefix(prefix)
            path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            for count in clean_folder(path.parent, subject, write=write).values():
                counts[f"{FOLDER}{path.name}"] = count
                if write:
                    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return counts
