"""A bucket on loopback: moto as S3, and the settings that lead to it."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.server import ThreadedMotoServer

from cpa_core.settings import settings
from cpa_core.sources import s3
from proofs.scene import Scene


@contextmanager
def bucket(here: Scene, name: str) -> Iterator[Any]:
    """A client of a server with an empty bucket; the scene's processes find it by their environment."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        # moto keeps its buckets for as long as the process lives; docs.getmoto.org, "Server mode", Reset API
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", b"")).close()
        aws = {
            "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-west-1",
        }
        here.environ |= aws
        client = s3.client(settings(aws).aws)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client
    finally:
        moto.stop()
