"""No text, code, address or path of a log gets into an event or a state."""

import json

import pytest
from tests.collect.parsers.corpus import CASES, Case

from millrace.collect.parsers.agents import FORMS, Form
from millrace.collect.parsers.reading import LogState

SECRETS = (
    "please delete the invoices of March",
    "def transfer(amount): return vault.open('4242')",
    "alex.doe@example.com",
    "/home/alex.doe",
    "C:\\Users\\alex.doe",
)


def poisoned(value: object, secret: str) -> object:
    """Return the value with the secret in place of every text, and in an unknown field."""
    if isinstance(value, dict):
        return {name: poisoned(inner, secret) for name, inner in value.items()} | {"unknown": secret}
    if isinstance(value, list):
        return [*(poisoned(inner, secret) for inner in value), secret]
    return secret if isinstance(value, str) else value


def variants(record: object, secret: str) -> list[object]:
    """Return the record with the secret in one of its fields at a time, at each depth."""
    if isinstance(record, str) and record.startswith("{"):
        return [json.dumps(variant) for variant in variants(parsed(record), secret)]
    if not isinstance(record, dict):
        return [poisoned(record, secret)]
    return [
        record | {name: variant}
        for name, value in (record | {"unknown": ""}).items()
        for variant in [*variants(value, secret), poisoned(value, secret)]
    ]


def parsed(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def flat(value: object) -> list[object]:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return list(value["messages"])
    return value if isinstance(value, list) else [value]


def records(case: Case) -> list[dict[str, object]]:
    texts = case.logs if case.agent.is_document else b"\n".join(case.logs).splitlines()
    values = [value for text in texts for value in flat(parsed(text))]
    return [value for value in values if isinstance(value, dict)]


def said(agent: str, lines: list[object]) -> str:
    """Return everything that is kept of a log's reading."""
    document, log = json.dumps(lines).encode(), b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    if FORMS[agent].form is Form.SESSION:
        document = json.dumps({"version": 1, "sessionId": "S1", "messages": lines}).encode()
    reading = FORMS[agent].read(document if FORMS[agent].is_document else log, LogState("S1"))
    return json.dumps([*(event.to_json() for event in reading.events), json.loads(reading.state.to_json())])


def poisonings(agent: str, secret: str) -> list[list[object]]:
    """Return logs of the corpus with the secret somewhere in one of their lines."""
    logs = [records(case)[:7] for case in CASES if case.agent is FORMS[agent]]
    logs = logs[:: 5 if FORMS[agent].form is Form.LINES or agent == "cursor" else 1]
    return [
        [*log[:place], variant, *log[place + 1 :]]
        for log in logs
        for place, line in enumerate(log)
        for variant in variants(line, secret)
    ]


def leaks(agent: str, number: int, every: int) -> list[list[object]]:
    """Return the logs whose reading keeps the secret of that number; each secret is in other ones of `every` logs."""
    secret = SECRETS[number]
    logs = poisonings(agent, secret)[number % every :: every]
    assert len(logs) >= 50 // every
    return [log for log in logs if json.dumps(secret)[1:-1] in said(agent, log)]


@pytest.mark.parametrize("number", range(len(SECRETS)))
@pytest.mark.parametrize("agent", FORMS)
def test_a_secret_in_any_field_of_a_line_is_in_no_event(agent: str, number: int) -> None:
    assert leaks(agent, number, len(SECRETS)) == []


@pytest.mark.proof
@pytest.mark.parametrize("number", range(len(SECRETS)))
@pytest.mark.parametrize("agent", FORMS)
def test_every_secret_in_any_field_of_a_line_is_in_no_event(agent: str, number: int) -> None:
    assert leaks(agent, number, 1) == []


@pytest.mark.parametrize("folder", ["/home/alex.doe/app", "/Users/alex.doe/app", "C:\\Users\\alex.doe\\app"])
def test_the_owner_of_a_home_is_in_no_event(folder: str) -> None:
    case = next(case for case in CASES if str(case) == "claude/a_response_in_one_line")
    answer = said("claude", [json.loads(case.logs[0]) | {"cwd": folder, "gitBranch": "alex.doe"}])
    assert '"project": "app"' in answer
    assert "alex" not in answer
