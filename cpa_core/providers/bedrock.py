"""Claude on Amazon Bedrock: Anthropic's messages, signed with credentials found the AWS way."""

from collections.abc import Mapping
from typing import Any

import anthropic as sdk
import boto3
from botocore.exceptions import BotoCoreError

from cpa_core.errors import SettingsError
from cpa_core.providers.anthropic import Messages
from cpa_core.providers.connections import http_client
from cpa_core.providers.wire import timeout

NO_CREDENTIALS = (
    "no AWS credentials were found, and the model is of provider bedrock: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK"
)


def bedrock(environ: Mapping[str, str]) -> Messages:
    """Anthropic's models on Amazon Bedrock, at AWS_REGION. Raises SettingsError without region or credentials."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_REGION is not set, as in us-east-1, and the model is of provider bedrock")
    own = environ.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") or environ.get("AWS_ENDPOINT_URL")
    seconds = timeout(environ)
    client = sdk.AnthropicBedrock(
        **_credentials(environ, region),
        aws_region=region,
        base_url=own or f"https://bedrock-runtime.{region}.amazonaws.com",
        max_retries=0,
        timeout=seconds,
        http_client=http_client(seconds),
    )
    return Messages(client, (BotoCoreError, RuntimeError))  # for credentials that cannot be renewed, both occur


def _credentials(environ: Mapping[str, str], region: str) -> dict[str, Any]:
    """What the client signs with, in AWS's order: a Bedrock key, a pair of keys, a profile, the machine's own role."""
    if token := environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return {"api_key": token}
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret):
        raise SettingsError("AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither")
    pair = (key or None, secret or None, (key and environ.get("AWS_SESSION_TOKEN")) or None)
    profile = None if key else environ.get("AWS_PROFILE") or None
    try:
        session = boto3.Session(*pair, region_name=region, profile_name=profile)
        if session.get_credentials() is None:
            raise SettingsError(NO_CREDENTIALS)
    except BotoCoreError as error:
        raise SettingsError(f"AWS: {error}; the model is of provider bedrock") from None
    return dict(zip(("aws_access_key", "aws_secret_key", "aws_session_token"), pair, strict=True)) | {
        "aws_profile": profile
    }
