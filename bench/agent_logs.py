"""Logs of coding agents in bulk: as many lines as a benchmark needs, and the counts of their content."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from simulator.agent_sessions import CLAUDE_MODELS, PRIVATE_TEXT, claude_folder, codex_path, format_utc, new_uuid

# A turn in bulk: a Prompt, 7 Responses, 3 repetitions (Again), and a Tool's result; 8 events in 12 lines.
_TURN = "PRARTRRARRAR"
_BULK_END = datetime(2026, 11, 1, tzinfo=UTC)
_BULK_DAY = timedelta(hours=12)
_CODEX_EVERY = 4  # sessions


@dataclass(frozen=True, slots=True)
class Bulk:
    """The logs that were written: `events` of the `lines` are events, `repeated` repeat one of them."""

    lines: int
    events: int
    repeated: int
    size_bytes: int


def write_bulk(
    folder: Path, messages: int, sessions: int, projects: int, days: int, seed: int, *, text: str = PRIVATE_TEXT * 4
) -> Bulk:
    """Write one home with exactly `messages` lines of Claude and Codex, spread over sessions, projects and days.

    About two thirds of the lines are events, and a quarter repeats one. `text` is the text of each message.
    """
    quoted, random = json.dumps(text), Random(f"{seed}/bulk")
    kinds, size_bytes = Counter[str](), 0
    for number in range(sessions):
        lines = messages // sessions + (number < messages % sessions)
        start = _BULK_END - timedelta(days=days - number * days // sessions)
        start += timedelta(minutes=random.randrange(600))
        cwd = f"/home/bulk/src/service-{number % projects + 1:03d}"
        session_id = new_uuid(random)
        shape, step = (_TURN * (lines // len(_TURN) + 1))[:lines], min(timedelta(seconds=20), _BULK_DAY / (lines + 1))
        instants = (format_utc(start + step * position) for position in range(lines))
        if number % _CODEX_EVERY == _CODEX_EVERY - 1:
            path, shape = folder / codex_path(session_id, start), f"HM{shape}"[:lines]
            written = _bulk_codex(shape, instants, cwd, session_id, quoted, random)
        else:
            path = folder / claude_folder(cwd) / f"{session_id}.jsonl"
            written = _bulk_claude(shape, instants, cwd, session_id, quoted, random)
        content = "".join(written).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        kinds.update(shape)
        size_bytes += len(content)
    return Bulk(kinds.total(), kinds["P"] + kinds["R"], kinds["A"], size_bytes)


def _bulk_claude(
    shape: str, instants: Iterator[str], cwd: str, session_id: str, text: str, random: Random
) -> Iterator[str]:
    """Yield a transcript, one line for each letter of the shape."""
    model = random.choice(CLAUDE_MODELS)
    message_id, cached, written, output = "", 0, 0, 0
    for position, (kind, at) in enumerate(zip(shape, instants, strict=True)):
        head = (
            f'{{"isSidechain":false,"userType":"external","cwd":"{cwd}","sessionId":"{session_id}","version":"2.0.76",'
            f'"gitBranch":"main","uuid":"{session_id[:24]}{position:012x}","timestamp":"{at}",'
        )
        if kind == "P":
            yield f'{head}"type":"user","message":{{"role":"user","content":{text}}}}}\n'
        elif kind == "T":
            result = f'{{"type":"tool_result","tool_use_id":"toolu_{message_id}","content":{text}}}'
            yield f'{head}"type":"user","message":{{"role":"user","content":[{result}]}}}}\n'
        else:
            if kind == "R":
                message_id = f"msg_{session_id}_{position}"
                cached, written = (cached + written) % 180_000, int(random.random() * 4000)
                output = 20 + int(random.random() * 2000)
            said = 1 if shape[position + 1 : position + 2] == "A" else output  # the last line has the true count
            yield (
                f'{head}"type":"assistant","requestId":"req_{message_id}","message":{{"model":"{model}",'
                f'"id":"{message_id}","type":"message","role":"assistant","stop_reason":null,"stop_sequence":null,'
                f'"content":[{{"type":"text","text":{text}}}],"usage":{{"input_tokens":8,"output_tokens":{said},'
                f'"cache_creation_input_tokens":{written},"cache_read_input_tokens":{cached},"cache_creation":'
                f'{{"ephemeral_5m_input_tokens":{written},"ephemeral_1h_input_tokens":0}},'
                f'"service_tier":"standard"}}}}}}\n'
            )


def _bulk_codex(
    shape: str, instants: Iterator[str], cwd: str, session_id: str, text: str, random: Random
) -> Iterator[str]:
    came_in = cached = output = 0
    counts = ""
    for kind, at in zip(shape, instants, strict=True):
        if kind == "H":
            payload = f'"session_meta","payload":{{"id":"{session_id}","cwd":"{cwd}","model_provider":"openai"}}'
        elif kind == "M":
            payload = f'"turn_context","payload":{{"cwd":"{cwd}","model":"gpt-5-codex"}}'
        elif kind == "P":
            payload = f'"event_msg","payload":{{"type":"user_message","message":{text}}}'
        elif kind == "T":
            payload = f'"response_item","payload":{{"type":"function_call_output","output":{text}}}'
        else:
            if kind == "R":
                more, said = 4000 + int(random.random() * 40_000), 20 + int(random.random() * 2000)
                came_in, cached, output = came_in + more, cached + more // 2, output + said
                total = _codex_usage(came_in, cached, output)
                counts = f'"total_token_usage":{total},"last_token_usage":{_codex_usage(more, more // 2, said)}'
            payload = f'"event_msg","payload":{{"type":"token_count","info":{{{counts}}}}}'
        yield f'{{"timestamp":"{at}","type":{payload}}}\n'


def _codex_usage(came_in: int, cached: int, output: int) -> str:
    return (
        f'{{"input_tokens":{came_in},"cached_input_tokens":{cached},"output_tokens":{output},'
        f'"reasoning_output_tokens":{output // 3},"total_tokens":{came_in + output}}}'
    )
