"""Files that exports hold beside conversations: known by their keys, named, and left aside.

Sources: https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields (scores; the manifests are
those of langfuse/langfuse, worker/src/features/blobstorage/manifest.ts).
https://difegam.github.io/chatgpt-to-markdown/explanation/export-format (the files of a ChatGPT export).
https://networkblognews.com/what-chatgpt-knows-about-you-openais-journey-towards-data-privacy-by-andrea-valenzuela-may-2023
(keys of some of them).
"""

from collections.abc import Iterator

from cpa_core.sources import columns
from cpa_core.sources.files import File
from cpa_core.sources.formats.form import Format
from cpa_core.sources.trees import Trees

HOLDS_NONE = "holds no conversation, and is left aside"


def _nothing(file: File, records: Trees) -> Iterator[columns.Found]:
    return iter(())


def _companion(name: str, title: str, *signs: str, docs: str) -> Format:
    return Format(name, title, "none", signs, _nothing, docs)


INVENTORIES = frozenset({"export_manifest.json", "user_settings.json", "model_comparisons.json"})
"""ChatGPT's names of export files without conversations, whose keys are not documented."""

CLAUDE = "https://support.claude.com/en/articles/9450526-how-can-i-export-my-claude-data"
CHATGPT = "https://difegam.github.io/chatgpt-to-markdown/explanation/export-format"
SLACK = "https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports"
CLINE_DOCS = "https://github.com/cline/cline"
BLOB = "https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields"

COMPANIONS: dict[str, Format] = {
    form.name: form
    for form in (
        _companion(
            "langfuse_scores",
            "Langfuse's scores",
            "id name source data_type !input !output",
            "id name source dataType !input !output",
            docs=BLOB,
        ),
        _companion(
            "langfuse_manifests",
            "the manifest of a Langfuse export",
            "projectId exportSource files",
            docs="https://langfuse.com/docs/api-and-data-platform/features/export-to-blob-storage",
        ),
        _companion(
            "cline_window",
            "what Cline's window showed, which says api_conversation_history.json beside it in other words,",
            "[].ts [].type=say|ask",
            "[].ts [].type=say|ask [].say",
            docs=CLINE_DOCS,
        ),
        _companion("cline_metadata", "metadata of a task of Cline's,", "files_in_context model_usage", docs=CLINE_DOCS),
        _companion("chatgpt_user", "the account of a ChatGPT export", "id email chatgpt_plus_user", docs=CHATGPT),
        _companion(
            "chatgpt_feedback",
            "the feedback of a ChatGPT export",
            "conversation_id user_id rating !role !messages !mapping",
            docs=CHATGPT,
        ),
        _companion(
            "chatgpt_shared",
            "the shared links of a ChatGPT export",
            "conversation_id title is_anonymous !mapping",
            docs=CHATGPT,
        ),
        _companion("chatgpt_inventory", "an inventory or the settings of a ChatGPT export", docs=CHATGPT),
        _companion(
            "slack_users",
            "the members of a Slack export",
            "id team_id profile !messages !content !text",
            "id name profile !messages !content !text",
            docs=SLACK,
        ),
        _companion(
            "slack_channels",
            "the channels or direct messages of a Slack export",
            "id created members !messages !content !text",
            "id name members !messages !content !text",
            docs=SLACK,
        ),
        _companion(
            "slack_integrations",
            "the log of integrations of a Slack export",
            "user_id date change_type !messages !content !text",
            docs=SLACK,
        ),
        _companion("claude_users", "the accounts of a Claude.ai export", "uuid full_name email_address", docs=CLAUDE),
        _companion(
            "claude_projects",
            "the projects of a Claude.ai export",
            "uuid prompt_template docs creator !chat_messages",
            docs=CLAUDE,
        ),
        _companion(
            "claude_memories", "the memories of a Claude.ai export", "conversations_memory account_uuid", docs=CLAUDE
        ),
    )
}
"""One line a kind of file. They count only where no format of conversations fits."""
