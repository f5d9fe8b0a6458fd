"""The logs of coding agents: small sessions in which some lines repeat others with changes."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Line = dict[str, Any]

_BEGIN = datetime(2026, 3, 10, 21, tzinfo=UTC)  # rates change on the 13th
_HOURS = 76
_FOLDERS = ("/home/{}/code/web", "/home/{}/code/lib", "/home/{}")
_MODELS = ("claude-opus-4-6", "claude-sonnet-4-5", "claude-haiku-4-5", "nobody-knows")
_COUNTS = (0, 3, 40, 900, 250_000)


def instant(dice: Random) -> datetime:
    return _BEGIN + timedelta(minutes=dice.randrange(_HOURS * 60), milliseconds=dice.randrange(1000))


def said(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_bytes(lines: list[Line]) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in lines]


def claude(dice: Random, session: str, user: str, messages: int) -> list[Line]:
    """Return a transcript: prompts, and responses that are reported one to three times, the most at any of them."""
    folder, lines, at = dice.choice(_FOLDERS).format(user), list[Line](), instant(dice)
    for number in range(messages):
        at += timedelta(minutes=dice.randrange(90))
        own: Line = {"sessionId": session, "cwd": folder, "timestamp": said(at)}
        if dice.random() < 0.3:
            prompt = {"type": "user", "uuid": f"{session}-p{number}", "message": {"content": "do"}}
            lines.append(own | prompt)
            continue
        told: list[Line] = [
            own | _response(dice, _message_id(session, number)) for _ in range(dice.choice((1, 1, 2, 3)))
        ]
        for one in told:  # of one response and one request
            one["message"] |= {"model": told[0]["message"]["model"]} if dice.random() < 0.8 else {}
            one["requestId"] = told[0]["requestId"]
        lines += told
        if dice.random() < 0.15:
            lines.append({"type": "summary", "summary": "x"})
    return _shuffled(dice, lines)


def _message_id(session: str, number: int) -> str:
    """Return an id of the API, which is unique, or one of a gateway that counts."""
    return f"msg-{session}-{number:016}" if number % 2 else f"{session}-m{number}"


def _response(dice: Random, message: str) -> Line:
    usage: Line = {"input_tokens": dice.choice(_COUNTS), "output_tokens": dice.choice(_COUNTS)}
    if dice.random() < 0.6:
        usage |= {"cache_read_input_tokens": dice.choice(_COUNTS)}
        hour, five = dice.choice(_COUNTS), dice.choice(_COUNTS)
        usage["cache_creation_input_tokens"] = hour + five
        if dice.random() < 0.5:
            usage["cache_creation"] = {"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": five}
    if dice.random() < 0.2:
        usage["speed"] = dice.choice(("standard", "fast"))
    cost = {"costUSD": dice.choice((0.25, 1.000001, 3))} if dice.random() < 0.2 else {}
    body = {"id": message, "role": "assistant", "model": dice.choice(_MODELS), "usage": usage}
    request = f"r-{message}" if dice.random() < 0.8 else None
    return {"type": "assistant", "requestId": request, "message": body} | cost


def _shuffled(dice: Random, lines: list[Line]) -> list[Line]:
    """Swap neighbours now and then, as with two responses at once."""
    for place in range(len(lines) - 1):
        if dice.random() < 0.15:
            lines[place : place + 2] = reversed(lines[place : place + 2])
    return lines


def resumed(dice: Random, lines: list[Line], session: str, user: str) -> list[Line]:
    """Return a session that begins with a copy of another's lines, perhaps with its own name and instants."""
    shift = timedelta(minutes=dice.choice((0, 0, -20, 45, -26 * 60)))
    requests = Random(f"requests {session} {lines[0]}")  # noqa: S311 its own, so that it changes no other decision
    is_another = requests.random() < 0.6  # as a side question, whose copies have requests of their own
    copies = list[Line]()
    for line in lines[: dice.randrange(1, len(lines) + 1)]:
        copy = line.copy()
        if "timestamp" in copy:
            copy["timestamp"] = said(datetime.fromisoformat(copy["timestamp"]) + shift)
        if "sessionId" in copy and dice.random() < 0.7:
            copy["sessionId"] = session
        if is_another and "requestId" in copy and requests.random() < 0.8:
            copy["requestId"] = requests.choice((None, f"q-{session}-{len(copies)}"))
        copies.append(copy)
    return [*copies, *claude(dice, session, user, dice.randrange(1, 4))]


def codex(
    dice: Random, session: str, turns: int, user: str, parent: tuple[str, list[Line]] | None = None
) -> list[Line]:
    """Return a rollout whose counters grow, and pause now and then; with a parent, a fork that continues it."""
    at, totals = instant(dice), [0, 0, 0]
    meta = {"id": session, "cwd": dice.choice(_FOLDERS).format(user), "model_provider": "openai"}
    lines: list[Line] = []
    if parent is not None:
        name, told = parent
        meta["forked_from_id"] = name
        copied = told[1 : dice.randrange(2, len(told) + 1)]  # without the parent's header
        is_anew = dice.random() < 0.5
        lines += [line | ({"timestamp": said(at)} if is_anew else {}) for line in copied]
        for line in copied:
            totals = _counted(line) or totals
    header = {"timestamp": said(at), "type": "session_meta", "payload": meta}
    context = {"timestamp": said(at), "type": "turn_context", "payload": {"model": "gpt-5-codex"}}
    lines = [header, context, *lines]
    for _ in range(turns):
        at += timedelta(minutes=dice.randrange(300))
        if dice.random() < 0.6:
            lines.append(_message(at, {"type": "user_message", "message": "do"}))
        last = [dice.randrange(1, 900), dice.randrange(1), dice.randrange(1, 200)]
        totals = [total + more for total, more in zip(totals, last, strict=True)]
        info = {"total_token_usage": _counters(totals), "last_token_usage": _counters(last)}
        lines += [_message(at, {"type": "token_count", "info": info})] * dice.choice((1, 1, 2))
    return lines


def _message(at: datetime, payload: Line) -> Line:
    return {"timestamp": said(at), "type": "event_msg", "payload": payload}


def _counters(counts: list[int]) -> dict[str, int]:
    return dict(zip(("input_tokens", "cached_input_tokens", "output_tokens"), counts, strict=True))


def _counted(line: Line) -> list[int] | None:
    total = (line["payload"].get("info") or {}).get("total_token_usage")
    return list(total.values()) if total else None


def element(dice: Random, at: datetime) -> Line:
    """Return an element of a task of Cline: a prompt, or a request that may not have ended."""
    stamp = int(at.timestamp() * 1000)
    if dice.random() < 0.2:
        return {"ts": stamp, "type": "say", "say": "user_feedback", "text": "no"}
    return {"ts": stamp, "type": "say", "say": "api_req_started", "text": request_text(dice)}


def request_text(dice: Random) -> str:
    counts: Line = {"tokensIn": dice.choice(_COUNTS), "tokensOut": dice.choice(_COUNTS)}
    if dice.random() < 0.5:
        counts["cost"] = dice.choice((0, 0.125, 0.0000012, 2))
    return json.dumps(counts if dice.random() < 0.9 else {"request": "x"})


def bubble(dice: Random, at: datetime, is_prompt: bool) -> str:
    """Return the value of one of Cursor's rows: counted, estimated from its text, or a prompt."""
    value: Line = {"type": 1 if is_prompt else 2, "createdAt": said(at), "text": "x" * dice.randrange(4, 400)}
    if dice.random() < 0.6:
        value["tokenCount"] = {"inputTokens": dice.choice(_COUNTS), "outputTokens": dice.choice(_COUNTS)}
    value["modelInfo"] = {"modelName": dice.choice(_MODELS)}
    return json.dumps(value)
