"""Runs, traces and events: LangSmith, LangChain, LangGraph, Opik, Braintrust, Helicone, PostHog, Amplitude."""

from typing import Any

import pytest

from tests.formats.landed import landed, turns

FORMS = ("dumpd", "dict", "typed")


def lc(role: str, text: str, form: str) -> dict[str, Any]:
    """A message in one of the forms in which LangChain writes it."""
    kind = {"user": "human", "assistant": "ai"}.get(role, role)
    if form == "dumpd":
        name = {"human": "HumanMessage", "ai": "AIMessage", "system": "SystemMessage"}[kind]
        return {
            "lc": 1,
            "type": "constructor",
            "id": ["langchain", "schema", "messages", name],
            "kwargs": {"content": text},
        }
    if form == "dict":
        return {"type": kind, "data": {"content": text, "additional_kwargs": {}}}
    return {"type": kind, "content": text, "additional_kwargs": {}}


@pytest.mark.parametrize("form", FORMS)
def test_langchains_messages_in_every_form(form: str) -> None:
    messages = [lc("system", "Be kind.", form), lc("user", "Who?", form), lc("assistant", "Mira.", form)]
    said = landed({"id": "t", "timestamp": "2026-03-02T09:00:00Z", "messages": messages}, lines=True)
    assert said.speech == {"t": turns("Who?", "Mira.")} and said.roles == ["system"]


def state(at: str, *texts: str) -> dict[str, Any]:
    messages = [{"type": ("human", "ai")[n % 2], "content": text, "id": f"m{n}"} for n, text in enumerate(texts)]
    return {"values": {"messages": messages}, "created_at": at, "checkpoint": {"thread_id": "th"}, "next": []}


def test_states_of_one_thread_say_each_message_once() -> None:
    first, second = state("2026-03-02T09:00:00Z", "yes", "ok"), state("2026-03-02T09:01:00Z", "yes", "ok", "yes", "ok")
    assert landed([first, second]).speech == {"th": turns("yes", "ok", "yes", "ok")}


def run(key: str, asked: Any, answered: Any, minute: int = 0, **more: Any) -> dict[str, Any]:
    at = f"2026-03-02T09:{minute:02}:00.000000"
    times = {"start_time": at, "end_time": at, "dotted_order": at}
    about = {"id": key, "trace_id": key, "run_type": "llm", "parent_run_id": None, "session_id": "project", **times}
    return {**about, "inputs": asked, "outputs": answered, "extra": {"metadata": {"thread_id": "th"}}, **more}


def prompted(form: str, *texts: str) -> dict[str, Any]:
    return {"messages": [[lc(role, text, form) for role, text in turns(*texts)]]}


def generated(text: str, form: str) -> dict[str, Any]:
    return {"generations": [[{"text": text, "message": lc("assistant", text, form)}]]}


@pytest.mark.parametrize("form", FORMS)
def test_langsmiths_runs_of_a_thread_say_each_message_once(form: str) -> None:
    first = run("r1", prompted(form, "yes"), generated("ok", form))
    second = run("r2", prompted(form, "yes", "ok", "yes"), generated("ok", form), minute=1)
    assert landed(first, second, lines=True).speech == {"th": turns("yes", "ok", "yes", "ok")}


def test_the_root_run_is_speech_and_runs_inside_it_are_none() -> None:
    root = run("r1", {"input": "Where is it?"}, {"output": "In Lund."}, run_type="chain")
    inner = run("r2", prompted("typed", "Rewrite: Where is it?"), generated("parcel location", "typed"))
    said = landed(root, inner | {"trace_id": "r1", "parent_run_id": "r1"}, lines=True)
    assert said.speech == {"th": turns("Where is it?", "In Lund.")} and not said.losses


def test_a_root_of_the_applications_own_objects_leaves_the_word_to_the_outermost_call() -> None:
    root = run("r1", {"ticket": {"id": 4}}, {"state": {"done": True}}, run_type="chain")
    call = run("r2", prompted("typed", "Where is it?"), generated("In Lund.", "typed"))
    tool = run("r3", {"input": "sql"}, {"output": "rows"}, run_type="tool")
    inside = [one | {"trace_id": "r1", "parent_run_id": "r1"} for one in (call, tool)]
    assert landed(root, *inside, lines=True).speech == {"th": turns("Where is it?", "In Lund.")}


def opik(key: str, minute: int, asked: Any, answered: Any, **more: Any) -> dict[str, Any]:
    at = f"2026-03-02T09:{minute:02}:00Z"
    return {"id": key, "start_time": at, "end_time": at, "input": asked, "output": answered, "tags": [], **more}


def chat(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns(*texts)]}


def answer(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_opiks_traces_of_a_thread_say_each_message_once() -> None:
    traces = [
        opik("1", 0, chat("yes"), answer("ok"), thread_id="th"),
        opik("2", 1, chat("yes", "ok", "yes"), answer("ok"), thread_id="th"),
    ]
    assert landed(traces).speech == {"th": turns("yes", "ok", "yes", "ok")}


def test_an_object_of_the_applications_own_is_a_reject_that_names_the_flag() -> None:
    said = landed(
        [
            opik("1", 0, {"question": "Where?"}, {"answer": "There."}, thread_id="a"),
            opik("2", 1, chat("Hi"), answer("Ho"), thread_id="b"),
        ]
    )
    assert said.speech == {"b": turns("Hi", "Ho")}
    assert len(said.losses) == 1 and "--map input=input.question" in said.losses[0] and "Where?" not in said.losses[0]


def logged(key: str, parent: str | None, kind: str, asked: Any, answered: Any) -> dict[str, Any]:
    about = {
        "id": key,
        "span_id": key,
        "root_span_id": "b1",
        "is_root": parent is None,
        "created": "2026-03-02T09:00:00Z",
    }
    spans = {"span_parents": [parent] if parent else None, "span_attributes": {"type": kind, "name": "n"}}
    return {**about, **spans, "input": asked, "output": answered, "metadata": {"session_id": "s1"}}


def test_braintrusts_root_is_speech_and_the_call_inside_repeats_it() -> None:
    rows = [
        logged("b1", None, "task", chat("Hi")["messages"], "Ho"),
        logged(
            "b2", "b1", "llm", [{"role": "system", "content": "x"}, *chat("Hi")["messages"]], answer("Ho")["choices"]
        ),
        logged("b3", "b1", "score", "Ho", 1),
    ]
    assert landed(*rows, lines=True).speech == {"s1": turns("Hi", "Ho")}


def test_helicones_requests_of_a_session_say_each_message_once() -> None:
    def request(key: str, minute: int, asked: Any, answered: Any, path: str = "/chat") -> dict[str, Any]:
        at = f"2026-03-02T09:{minute:02}:00Z"
        properties = {"Helicone-Session-Id": "s", "Helicone-Session-Path": path}
        about = {"request_id": key, "request_created_at": at, "response_created_at": at, "request_user_id": "u"}
        return {**about, "request_body": asked, "response_body": answered, "request_properties": properties}

    rows = [
        request("1", 0, chat("yes"), answer("ok")),
        request("2", 1, chat("Classify: yes"), answer("smalltalk"), path="/chat/router"),
        request("3", 2, chat("yes", "ok", "yes"), answer("ok")),
    ]
    said = landed(*rows, lines=True)
    assert said.speech == {"s": turns("yes", "ok", "yes", "ok")} and said.records[0].user_id == "u"


def ai_event(event: str, minute: int, **properties: Any) -> dict[str, Any]:
    named = {f"$ai_{key}": value for key, value in properties.items()}
    at = f"2026-03-02T09:{minute:02}:00.000Z"
    return {"uuid": f"{event}{minute}", "event": event, "distinct_id": "d", "timestamp": at, "properties": named}


def test_posthogs_generations_of_a_session_say_each_message_once_and_other_events_nothing() -> None:
    first = {"input": chat("yes")["messages"], "output_choices": [{"role": "assistant", "content": "ok"}]}
    second = {"input": chat("yes", "ok", "yes")["messages"], "output_choices": [{"role": "assistant", "content": "ok"}]}
    rows = [
        ai_event("$ai_generation", 0, trace_id="t1", session_id="s", **first),
        {"uuid": "x", "event": "$pageview", "distinct_id": "d", "timestamp": "2026-03-02T09:00:30Z", "properties": {}},
        ai_event("$ai_generation", 1, trace_id="t2", session_id="s", **second),
    ]
    said = landed(*rows, lines=True)
    assert said.speech == {"s": turns("yes", "ok", "yes", "ok")} and not said.losses


def test_a_generation_inside_a_trace_that_says_what_was_said_is_none() -> None:
    trace = ai_event("$ai_trace", 0, trace_id="t", session_id="s", input_state="Where?", output_state="There.")
    router = {
        "input": chat("Classify: Where?")["messages"],
        "output_choices": [{"role": "assistant", "content": "place"}],
    }
    inner = ai_event("$ai_generation", 1, trace_id="t", parent_id="t", **router)
    assert landed(trace, inner, lines=True).speech == {"s": turns("Where?", "There.")}


def test_amplitudes_agent_events_are_messages_of_their_session() -> None:
    def event(kind: str, second: int, **properties: Any) -> dict[str, Any]:
        at = f"2026-03-02 09:00:{second:02}.000000"
        named = {"[Agent] Session ID": "s", **properties}
        return {
            "event_type": f"[Agent] {kind}",
            "event_time": at,
            "user_id": "u",
            "uuid": f"e{second}",
            "event_properties": named,
        }

    rows = [
        event("User Message", 0, **{"$llm_message": {"text": "Hi"}}),
        event("Tool Call", 1, **{"[Agent] Tool Name": "search"}),
        event("AI Response", 2, **{"$llm_message.text": "Ho"}),
        event("Session End", 3),
    ]
    said = landed(*rows, lines=True)
    assert (
        said.speech == {"s": turns("Hi", "Ho")}
        and said.times[0] == "2026-03-02T09:00:00"
        and said.roles == ["tool_call"]
    )
