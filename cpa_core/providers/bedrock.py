"""Claude on Amazon Bedrock: Anthropic's messages, signed with credentials found the AWS way."""

from typing import Any

import anthropic as sdk
import boto3
from botocore.exceptions import BotoCoreError

from cpa_core.errors import SettingsError
from cpa_core.providers.anthropic import Messages
from cpa_core.providers.connections import http_client
from cpa_core.settings import AwsSettings, Settings

NO_CREDENTIALS = (
    "no AWS credentials were found, and the model is of provider bedrock: set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK"
)


def bedrock(given: Settings) -> Messages:
    """Anthropic's models on Amazon Bedrock, at AWS_REGION. Raises SettingsError without region or credentials."""
    region = given.aws.region
    if not region:
        raise SettingsError("AWS_REGION is not set, as in us-east-1, and the model is of provider bedrock")
    client = sdk.AnthropicBedrock(
        **_credentials(given.aws, region),
        aws_region=region,
        base_url=given.aws.bedrock_endpoint or f"https://bedrock-runtime.{region}.amazonaws.com",
        max_retries=0,
        timeout=given.timeout,
        http_client=http_client(given.timeout),
    )
    return Messages(client, (BotoCoreError, RuntimeError))  # for credentials that cannot be renewed, both occur


def _credentials(aws: AwsSettings, region: str) -> dict[str, Any]:
    """Return the client's credentials, in AWS's order: a Bedrock key, a pair of keys, a profile, the machine's role."""
    if aws.bearer_token:
        return {"api_key": aws.bearer_token}
    if bool(aws.key_id) != bool(aws.secret):
        raise SettingsError("AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither")
    pair = (aws.key_id, aws.secret, aws.session_token if aws.key_id else None)
    profile = None if aws.key_id else aws.profile
    try:
        session = boto3.Session(*pair, region_name=region, profile_name=profile)
        if session.get_credentials() is None:
            raise SettingsError(NO_CREDENTIALS)
    except BotoCoreError as error:
        raise SettingsError(f"AWS: {error}; the model is of provider bedrock") from None
    return dict(zip(("aws_access_key", "aws_secret_key", "aws_session_token"), pair, strict=True)) | {
        "aws_profile": profile
    }
