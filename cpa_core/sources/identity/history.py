"""Matching a call's history against known messages as a sequence: full history, sliding window, edited history.

A call always adds its newest input and its output. Only what stands before these is matched, and never counted: who
says "yes" twice has said it twice.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from cpa_core.sources.identity.talks import LEAST_CHARACTERS, LEAST_USERS

MOST_PAIRS = 4_000_000
"""Longer sequences are matched greedily from the end: a file may hold anything."""

MOST_BEGUN = 1_000

MOST_ANSWER = 50
"""So many messages, calls of tools among them, are at most one answer."""

OTHER = 0.75
"""The cost of a message that another replaces, as in an edited history."""
ADDED = 2.0
"""The cost of a message that only a history has, between or before the known ones."""
LEFT_OUT = 0.25
"""The cost of a message that a history leaves out: logs drop reasoning and tool calls."""


class Questions(NamedTuple):
    """The user's messages: of a history the characters of each, and which known messages are the user's."""

    sizes: Mapping[int, int]
    known: Collection[int]


def unknown(
    history: Sequence[int], known: Sequence[int], questions: Callable[[], Questions] | None = None
) -> list[int]:
    """The places in a call's history that nothing known tells, in order.

    Both are hashes of messages in order of time, without system prompts. The end of what is known may stand at the
    beginning of a history: then calls between are not known. Or their ends adjoin; where both have something between
    two matches, and not the same, the history was edited: nobody said anything new there. Of the two readings, that
    holds which makes more alike and less differ. Where too little is alike, the user's messages decide (`questions`):
    a history may hold answers cut, or in another form. Else the history is all new.
    """
    if known[max(0, len(known) - len(history)) :] == history:  # most histories: at the cost of one comparison
        return []
    same = _same_end(history, known)
    if same == len(history):
        return []
    begun = _begun(history, known, same)
    if begun == len(known) > 0:
        return list(range(begun, len(history)))
    pairs = _pairs(history, known, same)
    likeness = _likeness(pairs, len(history), len(known))
    if begun >= max(1, likeness) or likeness < 0:
        asked = _by_questions(history, known, questions()) if questions and not begun else None
        return list(range(begun, len(history))) if asked is None else asked
    found: list[int] = []
    here, there = 0, 0
    for n, m in [*pairs, (len(history), len(known))]:
        if m == there:
            found += range(here, n)
        here, there = n + 1, m + 1
    return found


def _by_questions(history: Sequence[int], known: Sequence[int], questions: Questions) -> list[int] | None:
    """The same by the places of the user's messages, whatever was answered; null where these do not show it.

    Those that end what is known begin the history. They are all on both sides, or more than many people say.
    """
    asked = [n for n, one in enumerate(history) if one in questions.sizes]
    heard = [n for n, one in enumerate(known) if one in questions.known]
    here, there = [history[n] for n in asked], [known[n] for n in heard]
    shared = next((n for n in range(min(len(here), len(there)), 0, -1) if here[:n] == there[-n:]), 0)
    if not shared and here == there[: len(here)] and here and not _is_common(here, questions.sizes):
        return []  # another answer to a later question is asked for
    if not shared or (here != there and _is_common(here[:shared], questions.sizes)):
        return None
    heard = heard[len(heard) - shared :]
    ends = [*asked, len(history)][1 : shared + 1]
    found = list(range(asked[0])) if heard[0] == 0 else []
    for begin, end, before, after in zip(asked, ends, heard, [*heard[1:], len(known)], strict=False):
        found += range(begin + 1, end) if after == before + 1 else ()
    return [*found, *range(ends[-1], len(history))]


def is_asked_anew(history: Sequence[int], own: Sequence[int], known: Sequence[int], questions: Questions) -> bool:
    """Whether a whole history ends before the last known question, which is asked again, whatever was answered."""
    asked = [*(one for one in history if one in questions.sizes), *own]
    heard = [one for one in known if one in questions.known]
    answered = bool(known) and known[-1] not in questions.known and history[-1] != known[-1]
    return answered and len(asked) > len(own) and heard == asked and not _is_common(asked, questions.sizes)


def is_retold(history: Sequence[int], known: Sequence[int], questions: Questions) -> bool:
    """Whether what is known ends with all questions of a history, whatever was answered, and these are not common."""
    asked = [one for one in history if one in questions.sizes]
    heard = [one for one in known if one in questions.known]
    return bool(asked) and heard[-len(asked) :] == asked and not _is_common(asked, questions.sizes)


def _is_common(asked: Sequence[int], sizes: Mapping[int, int]) -> bool:
    """Whether the user's messages are such as a user may say again."""
    return len(set(asked)) < LEAST_USERS and sum(sizes[one] for one in set(asked)) < LEAST_CHARACTERS


def _same_end(history: Sequence[int], known: Sequence[int]) -> int:
    same = 0
    while same < min(len(history), len(known)) and history[-1 - same] == known[-1 - same]:
        same += 1
    return same


def _begun(history: Sequence[int], known: Sequence[int], same: int) -> int:
    """How many messages, the most, both end what is known and begin a history, where fewer are alike at both ends."""
    if len(history) > len(known) and list(history[: len(known)]) == list(known):
        return len(known)
    most = min(len(history) - 1, len(known), MOST_BEGUN)
    return next((n for n in range(most, same - 1, -1) if list(history[:n]) == list(known[len(known) - n :])), 0)


def _likeness(pairs: Sequence[tuple[int, int]], history: int, known: int) -> float:
    """How well two sequences of these lengths fit by these pairs: those, less what is other or in one only.

    Known messages before the first pair do not count, because a window does not contain them.
    """
    found = float(len(pairs))
    here, there = 0, 0
    for n, m in [*pairs, (history, known)]:
        only_here, only_there = n - here, m - there if here else 0
        other = min(only_here, only_there)
        found -= other * OTHER + (only_here - other) * ADDED + (only_there - other) * LEFT_OUT
        here, there = n + 1, m + 1
    return found


def _pairs(history: Sequence[int], known: Sequence[int], same: int) -> list[tuple[int, int]]:
    """Places in both that hold the same, rising in both; the latest that fit. `same` are alike at both ends."""
    end = [(len(history) - n, len(known) - n) for n in range(same, 0, -1)]
    here, there = history[: len(history) - same], known[: len(known) - same]
    if not here or not there:
        return end
    if len(here) * len(there) > MOST_PAIRS:
        return _greedy(here, there) + end
    blocks = SequenceMatcher(None, here[::-1], there[::-1], autojunk=False).get_matching_blocks()
    pairs = [(len(here) - 1 - b.a - n, len(there) - 1 - b.b - n) for b in blocks for n in range(b.size)]
    return sorted(pairs) + end


def _greedy(history: Sequence[int], known: Sequence[int]) -> list[tuple[int, int]]:
    places: dict[int, list[int]] = {}
    for n, one in enumerate(known):
        places.setdefault(one, []).append(n)
    pairs: list[tuple[int, int]] = []
    below = len(known)
    for n in range(len(history) - 1, -1, -1):
        fitting = places.get(history[n], [])
        while fitting and fitting[-1] >= below:
            fitting.pop()
        if fitting:
            below = fitting.pop()
            pairs.append((n, below))
    return pairs[::-1]


def asked_again(
    history: Sequence[int], own: Sequence[int], known: Sequence[int], users: frozenset[int], *, answered: bool
) -> int:
    """How many messages a call's newest input begins with that stand at the end of what is known.

    A call that failed has no answer; the next call sends its message again: with the newest, or alone as a retry. A
    whole history that ends before the last question asks for another answer to it. `own` is the newest input, `users`
    are the user's messages. A newest message without a history is a retry only where others were `answered`: a log
    of questions alone may hold the same one twice.
    """
    if not own or not users.issuperset(own):
        return 0
    tail = 0
    while tail < len(known) and known[-1 - tail] in users:
        tail += 1
    for n in range(min(tail, len(own)), 0, -1):
        if list(known[len(known) - n :]) == list(own[:n]) and (n < len(own) or _fits(history, known[:-n], answered)):
            return n
    return len(own) if tail == 0 and _is_another_answer(history, own, known) else 0


def _fits(history: Sequence[int], before: Sequence[int], answered: bool) -> bool:
    if history:
        return bool(before) and history[-1] == before[-1]
    return answered or not before


def _is_another_answer(history: Sequence[int], own: Sequence[int], known: Sequence[int]) -> bool:
    """Whether a whole history stands at the beginning of what is known, then the same question and its answer."""
    asked = len(history) + len(own)
    if not history or len(known) <= asked or len(known) > asked + MOST_ANSWER or history[-1] == known[-1]:
        return False
    return list(known[:asked]) == [*history, *own] and not set(own) & set(known[asked:])
