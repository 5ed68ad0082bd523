"""A client of S3, made of the settings: for the source, for the store's outbox and for reports."""

from typing import Any

from cpa_core.errors import SettingsError
from cpa_core.settings import AwsSettings


def client(aws: AwsSettings, *, signature: str | None = None) -> Any:
    """An S3 client; what is not set is found where boto3 looks. Links need the signature s3v4. Raises SettingsError."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    if bool(aws.key_id) != bool(aws.secret):
        raise SettingsError("S3: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both")
    endpoint = aws.s3_endpoint
    # A server of one's own seldom answers at bucket.host; AWS does either way.
    addressing = {"addressing_style": "path"} if endpoint else {}
    retries = {"mode": "standard", "max_attempts": 5}
    config = Config(retries=retries, connect_timeout=10, s3=addressing, signature_version=signature)
    try:
        session = boto3.session.Session(
            aws_access_key_id=aws.key_id,
            aws_secret_access_key=aws.secret,
            aws_session_token=aws.session_token,
            region_name=aws.region,  # botocore alone reads AWS_DEFAULT_REGION only
            profile_name=aws.profile,
        )
        return session.client("s3", endpoint_url=endpoint, config=config)
    except ValueError:
        raise SettingsError(f"AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL): {endpoint}: not a URL") from None
    except BotoCoreError as error:
        raise SettingsError(f"S3: {type(error).__name__}: look at the AWS_ settings") from None
