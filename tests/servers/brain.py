"""What the model on loopback says: read from the prompt and the JSON schema, the same for the same question."""

import hashlib
import json
import math
import re
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

Body = dict[str, Any]


class Question(NamedTuple):
    """What a model reads, whatever the wire form. The schema may stand in the last line of the system text."""

    system: str
    user: str
    schema: Body | None

    @property
    def shape(self) -> Body:
        """The properties of the answer that is wanted."""
        schema = self.schema or json.loads(self.system.rpartition("\n")[2])
        return dict(schema["properties"])

    @property
    def task(self) -> str:
        """Which of our tasks it is."""
        tasks = {"messages": "tag", "goals": "judge", "event_types": "propose", "types": "consolidate"}
        tasks |= {"change": "suggest", "border_texts": "promote", "in_common": "describe", "belongs": "tell_apart"}
        return next(task for key, task in tasks.items() if key in self.shape)


class Line(NamedTuple):
    """One message as the prompt shows it."""

    m: int
    role: str
    text: str


class Kind(NamedTuple):
    """An event type as the catalogue in the prompt describes it: its properties with their choices."""

    name: str
    properties: dict[str, tuple[str, ...]]


def tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its bytes, rounded up."""
    return math.ceil(len(text.encode()) / 4)


def answer(question: Question) -> str:
    """What the model says."""
    if question.task == "tag":
        tree = tags(question.system, question.user, question.shape["messages"]["items"])
    elif question.task == "judge":
        tree = judgment(question.user, question.shape)
    elif question.task == "suggest":
        tree = suggestion(question.user)
    elif question.task == "promote":
        tree = promoted(question.user)
    elif question.task == "describe":
        tree = described(question.user)
    elif question.task == "tell_apart":
        tree = {"belongs": belongs(question.user)}
    elif question.task == "consolidate":
        tree = consolidated(question.user)
    else:
        tree = proposal(question.user)
    return json.dumps(tree, ensure_ascii=False)


def promoted(user: str) -> Body:
    """An event type for a topic: the first border text belongs to it."""
    rows = [json.loads(row) for row in user.partition("<texts>\n")[2].partition("\n</texts>")[0].split("\n")]
    border = [row["n"] for row in rows if row["place"] == "border"]
    definition = "The user speaks of what these texts have in common."
    return {"border_texts": border[:1], "because": "They are alike.", "definition": definition, "name": "Drafted"}


def rows_in(user: str, fence: str) -> list[Body]:
    """The JSON lines of a fence."""
    return [
        json.loads(row) for row in user.partition(f"<{fence}>\n")[2].partition(f"\n</{fence}>")[0].split("\n") if row
    ]


def described(user: str) -> Body:
    """A name and a sentence of the words that most texts of a topic have and the others have less."""
    counts = [
        Counter(word for row in rows_in(user, fence) for word in set(row["text"].split()))
        for fence in ("texts", "others")
    ]
    found = sorted(counts[0], key=lambda word: (counts[1][word] - counts[0][word], word))
    description = f"The user speaks of {', '.join(found[:8])}."
    return {"in_common": "They share these words.", "description": description, "name": " ".join(found[:3])}


def belongs(user: str) -> list[Body]:
    """Each text with the topic whose description has more of its words."""
    words = {row["topic"]: set(re.findall(r"\w+", row["description"])) for row in rows_in(user, "topics")}
    return [
        {"n": row["n"], "topic": max(words, key=lambda topic: len(words[topic] & set(row["text"].split())))}
        for row in rows_in(user, "texts")
    ]


def shown_text(user: str) -> str:
    """The lines of the conversation that the prompt shows."""
    return user.rpartition("<conversation>\n")[2].partition("\n</conversation>")[0]


def lines(user: str) -> list[Line]:
    """The messages of the conversation that the prompt shows."""
    return _lines(shown_text(user))


def _lines(text: str) -> list[Line]:
    found = [re.fullmatch(r"(\d+) ([^:]*): (.*)", row) for row in text.split("\n")]
    return [Line(int(one[1]), _unescaped(one[2]), _unescaped(one[3])) for one in found if one]


def _unescaped(text: str) -> str:
    return str(json.loads('"' + text.replace('"', '\\"') + '"'))


def asked_positions(user: str) -> list[int]:
    """The messages that are asked about."""
    found = re.search(r"Answer for m = ([\d, -]+)\.", user.rpartition("\n</conversation>")[2])
    runs = [run.split("-") for run in found[1].split(", ")] if found else []
    return [m for run in runs for m in range(int(run[0]), int(run[-1]) + 1)]


def tags(system: str, user: str, entry: Body) -> Body:
    """An entry for every message asked about."""
    kinds = {role: catalogue(system, role) for role in ("user", "assistant")}
    shown = {line.m: line for line in lines(user)}
    one = "take exactly one type" in system
    found = {m: events(shown[m], kinds[shown[m].role], one) for m in asked_positions(user)}
    if entry["type"] == "string":
        return {"messages": [row for m, made in found.items() for row in written(m, made)]}
    return {"messages": [{"m": m, "events": made} for m, made in found.items()]}


def written(m: int, made: list[Body]) -> list[str]:
    """Events as lines."""
    cells = [[e["quote"], e["because"], e["type"], *(p["value"] for p in e["properties"])] for e in made]
    return [f"{m} {'|'.join(found)}" for found in cells] or [f"{m} -"]


@lru_cache(maxsize=64)
def catalogue(system: str, role: str) -> list[Kind]:
    """The event types that the prompt offers for a role."""
    part = system.partition(f"\nEvent types of role {role}:\n")[2].partition("\n\n")[0]
    found: list[Kind] = []
    for row in part.split("\n"):
        if row.startswith("- "):
            name = re.split(rf": \({role}(?:, plain)?\) ", row.removeprefix("- "), maxsplit=1)[0]
            found.append(Kind(name, {}))
        elif row.startswith("  - property "):
            name, _, definition = row.removeprefix("  - property ").partition(": ")
            _, _, choices = definition.rpartition(" One of: ")
            is_closed = " One of: " in definition
            found[-1].properties[name] = tuple(choices.removesuffix(".").split(" | ")) if is_closed else ()
    return found


def events(line: Line, kinds: list[Kind], one: bool) -> list[Body]:
    """No event or one, chosen by the words of the message; one message in four has none."""
    if not kinds or (not one and number("none", line.role, line.text) % 4 == 0):
        return []
    kind = kinds[number("type", line.role, line.text) % len(kinds)]
    pairs = [{"name": name, "value": value(name, choices, line)} for name, choices in kind.properties.items()]
    because = f"These words are {kind.name}."
    return [{"quote": first_words(line.text), "because": because, "type": kind.name, "properties": pairs}]


def value(name: str, choices: tuple[str, ...], line: Line) -> str:
    """One of the choices, or the first word."""
    if choices:
        return choices[number(name, line.role, line.text) % len(choices)]
    return (line.text.split() or ["not applicable"])[0]


def first_words(text: str) -> str:
    """The first five words, as they stand."""
    found = re.match(r"\s*(\S+(?:\s+\S+){0,4})", text)
    return found[1] if found else ""


def judgment(user: str, properties: Body) -> Body:
    """A finding for every id in the schema, chosen by the conversation's words."""
    shown = lines(user)

    def findings(key: str, name: str, values: list[Any]) -> list[Body]:
        ids = properties[key]["items"]["properties"]["id"].get("enum", [])
        built = []
        for criterion in ids:
            n = number(criterion, shown_text(user), "")
            line = shown[n % len(shown)] if shown else Line(-1, "", "")
            because = f"The conversation decides {criterion} so."
            words = {"m": line.m, "quote": first_words(line.text), "because": because}
            built.append({"id": criterion, **words, name: values[n % len(values)]})
        return built

    said = [line for line in shown if line.role == "user"]
    last = said[-1] if said else Line(-1, "user", "")
    wanted = " ".join(said[0].text.split()[:6]) if said else ""
    delivered = ["yes", "yes", "partly", "no", "cannot tell"][number("delivered", last.text) % 5]
    intent = {"m": last.m, "quote": first_words(last.text), "wanted": wanted, "delivered": delivered}
    verdicts = ["met", "met", "met", "partly", "partly", "missed", "cannot tell"]
    return {
        "goals": findings("goals", "verdict", verdicts),
        "dealbreakers": findings("dealbreakers", "hit", [True, *[False] * 9]),
        "because": "The goals above decided it.",
        **({"intent": intent} if "intent" in properties else {}),
    }


def number(*words: str) -> int:
    """A whole number that follows from the words."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()[:6])


def suggestion(user: str) -> Body:
    """A change that relies on the first quote, where there is any."""
    quoted = [json.loads(row) for row in user.split("\n") if row.startswith('{"m":')]
    first = first_words(quoted[0]["text"]) if quoted else "nothing"
    return {
        "quotes": [1][: len(quoted)],
        "because": f"Somebody said: {first}.",
        "change": "Say sooner what cannot be done.",
    }


def proposal(user: str) -> Body:
    """A schema with an event type for each of the first words in the transcripts, at most four a role."""
    shown = _lines(user)
    words = {role: [word for _, word in sorted(_openings(shown, role))[:4]] for role in ("user", "assistant")}
    types = [_event_type(word, role) for role, found in words.items() for word in found or ["Message"]]
    return {
        "name": "Assistant of " + (words["user"] or ["Nobody"])[0],
        "description": f"It was seen in {len(shown)} messages.",
        "summary": "Users ask, it answers, and they leave.",
        **({"known": []} if "<known>\n" in user else {}),
        "event_types": types,
    }


def consolidated(user: str) -> Body:
    """The first draft with every candidate as it is."""
    shown = [json.loads(line) for line in user.split("\n") if line.startswith("{")]
    draft = next(one for one in shown if "n" not in one)
    types = [{**one, "from": [one.pop("n")], "because": "It stays."} for one in shown if "n" in one]
    goals = {"primary_goals": ["Answers the question"], "secondary_goals": ["Is clear"], "tertiary_goals": []}
    about = {name: draft[name] for name in ("name", "description")}
    return {**about, **goals, "dealbreakers": ["Invents a fact"], "types": types}


def _openings(shown: list[Line], role: str) -> set[tuple[int, str]]:
    found = {m[0].title() for line in shown if line.role == role and (m := re.search(r"[^\W\d_]+", line.text))}
    return {(number("opening", word), word) for word in found}


def _event_type(word: str, role: str) -> Body:
    topic = {"name": "Tone", "definition": "How it is said.", "choices": ["Friendly", "Neutral", "Angry"]}
    return {
        "quotes": [word],
        "seen": 1,
        "because": f"Messages open with {word}.",
        "name": f"Opens With {word}",
        "definition": f"The message opens with {word}.",
        "role": role,
        "properties": [topic] if number("properties", word) % 2 else [],
    }
