"""The keys, hosts and abilities of each vendor: one frozen value a vendor, such as `settings.openai.key`."""

from typing import Annotated, Literal

from pydantic import Field

from cpa_core.models import Value
from cpa_core.settings.reading import Setting, count

Secret = Annotated[str | None, Field(repr=False)]
"""A text that no representation of the settings shows."""
Structured = Literal["auto", "strict", "lax", "json_object", "prompt"]
"""How a server gets the shape of an answer: a JSON schema that it enforces or only reads, any JSON, or words."""
Persons = Literal["known", "always", "never"]
"""The events for which PostHog makes person profiles: by default, only those of known users."""

OPENAI, ANTHROPIC, COMPATIBLE = "OpenAI", "Anthropic", "OpenAI-compatible servers"
POSTGRES = "Postgres"
AWS, POSTHOG, AMPLITUDE, MIXPANEL, WEBHOOK = "S3 and Bedrock", "PostHog", "Amplitude", "Mixpanel", "Webhook"


class OpenAISettings(Value):
    """OpenAI, or another server in its place."""

    key: Annotated[Secret, Setting("OPENAI_API_KEY", OPENAI, "The API key of OpenAI.")] = None
    url: Annotated[str, Setting("OPENAI_BASE_URL", OPENAI, "The address of the API.")] = "https://api.openai.com/v1"


class AnthropicSettings(Value):
    """Anthropic, or another server in its place."""

    key: Annotated[Secret, Setting("ANTHROPIC_API_KEY", ANTHROPIC, "The API key of Anthropic.")] = None
    url: Annotated[str, Setting("ANTHROPIC_BASE_URL", ANTHROPIC, "The address of the API.")] = (
        "https://api.anthropic.com"
    )


class CompatibleSettings(Value):
    """Any other server that speaks OpenAI's chat completions."""

    url: Annotated[
        str | None,
        Setting(
            "CPA_COMPATIBLE_URL",
            COMPATIBLE,
            "The address of a server that speaks OpenAI's chat completions: Ollama, vLLM, Groq and others.",
            example="http://127.0.0.1:11434/v1",
        ),
    ] = None
    key: Annotated[Secret, Setting("CPA_COMPATIBLE_KEY", COMPATIBLE, "The key of that server, if it needs one.")] = None
    structured: Annotated[
        Structured,
        Setting(
            "CPA_COMPATIBLE_STRUCTURED",
            COMPATIBLE,
            "How the server handles a JSON schema.",
            "`auto`: the first calls find it out. "
            "`strict`: it enforces the schema. `lax`: it reads the schema. `json_object`: it promises JSON only. "
            "`prompt`: the schema is written into the prompt.",
        ),
    ] = "auto"


class AwsSettings(Value):
    """Amazon: credentials, region and endpoints. boto3 finds what is unset in its usual places."""

    key_id: Annotated[Secret, Setting("AWS_ACCESS_KEY_ID", AWS, "The access key; set both or neither.")] = None
    secret: Annotated[Secret, Setting("AWS_SECRET_ACCESS_KEY", AWS, "The secret of the access key.")] = None
    session_token: Annotated[Secret, Setting("AWS_SESSION_TOKEN", AWS, "The token of temporary credentials.")] = None
    bearer_token: Annotated[Secret, Setting("AWS_BEARER_TOKEN_BEDROCK", AWS, "A key of Bedrock alone.")] = None
    profile: Annotated[str | None, Setting("AWS_PROFILE", AWS, "A profile in the AWS configuration files.")] = None
    region: Annotated[
        str | None,
        Setting("AWS_REGION", AWS, "The region of the bucket and of Bedrock.", also=("AWS_DEFAULT_REGION",)),
    ] = None
    s3_endpoint: Annotated[
        str | None,
        Setting("AWS_ENDPOINT_URL_S3", AWS, "The address of an S3 server of your own.", also=("AWS_ENDPOINT_URL",)),
    ] = None
    bedrock_endpoint: Annotated[
        str | None,
        Setting(
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            AWS,
            "Another address for Bedrock's runtime.",
            also=("AWS_ENDPOINT_URL",),
        ),
    ] = None


class PostgresSettings(Value):
    """A Postgres that transcripts are read from."""

    password: Annotated[
        Secret, Setting("PGPASSWORD", POSTGRES, "The password of the database, where CPA_SOURCE holds none.")
    ] = None


class PostHogSettings(Value):
    """A project of PostHog."""

    key: Annotated[Secret, Setting("POSTHOG_API_KEY", POSTHOG, "The project's API key, phc_….")] = None
    host: Annotated[
        str | None, Setting("POSTHOG_HOST", POSTHOG, "The address of PostHog; unset means its US cloud.")
    ] = None
    persons: Annotated[
        Persons,
        Setting(
            "POSTHOG_PERSONS",
            POSTHOG,
            "The events for which PostHog makes person profiles.",
            "`known`: only users whose id is known.",
        ),
    ] = "known"
    personal_key: Annotated[
        Secret,
        Setting(
            "POSTHOG_PERSONAL_API_KEY",
            POSTHOG,
            "A personal API key, phx_…, with the scope person:write: only for cpa forget --at-destinations.",
        ),
    ] = None
    project_id: Annotated[
        str | None,
        Setting(
            "POSTHOG_PROJECT_ID",
            POSTHOG,
            "The number of the project of POSTHOG_API_KEY: only for cpa forget --at-destinations.",
            example="12345",
        ),
    ] = None


class AmplitudeSettings(Value):
    """A project of Amplitude."""

    key: Annotated[Secret, Setting("AMPLITUDE_API_KEY", AMPLITUDE, "The project's API key.")] = None
    url: Annotated[
        str | None, Setting("AMPLITUDE_URL", AMPLITUDE, "US, EU, or an address; unset means US.", example="US")
    ] = None
    shortest_id: Annotated[
        int,
        Setting(
            "AMPLITUDE_MIN_ID_LENGTH", AMPLITUDE, "The length of the shortest user id that is sent.", reader=count(0)
        ),
    ] = 1
    agent: Annotated[
        bool,
        Setting(
            "AMPLITUDE_AGENT",
            AMPLITUDE,
            "Whether events follow Agent Analytics: session, trace, [Agent] Score.",
        ),
    ] = False
    secret: Annotated[
        Secret,
        Setting("AMPLITUDE_SECRET_KEY", AMPLITUDE, "The project's secret key: only for cpa forget --at-destinations."),
    ] = None


class MixpanelSettings(Value):
    """A project of Mixpanel: its token, or a service account with the project's id."""

    token: Annotated[Secret, Setting("MIXPANEL_TOKEN", MIXPANEL, "The project's token.")] = None
    service_account: Annotated[
        Secret,
        Setting(
            "MIXPANEL_SERVICE_ACCOUNT", MIXPANEL, "A service account, instead of the token.", example="user:secret"
        ),
    ] = None
    project_id: Annotated[
        str | None, Setting("MIXPANEL_PROJECT_ID", MIXPANEL, "The project's id, for a service account.")
    ] = None
    url: Annotated[
        str | None, Setting("MIXPANEL_URL", MIXPANEL, "US, EU, IN, or an address; unset means US.", example="US")
    ] = None
    gdpr_token: Annotated[
        Secret,
        Setting(
            "MIXPANEL_GDPR_TOKEN",
            MIXPANEL,
            "The OAuth token for GDPR requests of an owner or admin: only for cpa forget --at-destinations.",
        ),
    ] = None


class WebhookSettings(Value):
    """An address of your own that takes the events."""

    url: Annotated[str | None, Setting("WEBHOOK_URL", WEBHOOK, "The address that takes the events.")] = None
    secret: Annotated[
        Secret, Setting("WEBHOOK_SECRET", WEBHOOK, "The secret that signs them: whsec_ and base64, or any words.")
    ] = None


class Vendors(Value):
    """The vendors: a field each."""

    openai: OpenAISettings = OpenAISettings()
    anthropic: AnthropicSettings = AnthropicSettings()
    compatible: CompatibleSettings = CompatibleSettings()
    aws: AwsSettings = AwsSettings()
    postgres: PostgresSettings = PostgresSettings()
    posthog: PostHogSettings = PostHogSettings()
    amplitude: AmplitudeSettings = AmplitudeSettings()
    mixpanel: MixpanelSettings = MixpanelSettings()
    webhook: WebhookSettings = WebhookSettings()
