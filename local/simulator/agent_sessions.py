"""The files that a coding agent writes while a developer works with it, line by line, in each agent's format.

Paths are below the developer's home. A sitting's files depend only on the sitting and the random numbers.
"""

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

Line = dict[str, object]
Files = dict[str, bytes]

PRIVATE_TEXT = "between us: the naïve parser…\n\tdrops „quoted“ rows"  # in all texts of a user, a model or a tool

CLAUDE_MODELS = (
    "claude-sonnet-4-5-20250929",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-opus-4-5-20251101",
    "claude-opus-4-1-20250805",
    "claude-haiku-4-5",
    "claude-sonnet-5-5",
    "glm-5",  # behind a proxy: the log does not contain its provider
    "claude-unlisted-1",  # no rate card has it
)
_SUB_AGENT_MODEL = "claude-haiku-4-5-20251001"
_CODEX_MODELS = ("gpt-5-codex", "gpt-5.1-codex-max", "gpt-5.2-codex", "gpt-5-2025-08-07")
_CURSOR_MODELS = ("claude-4.5-sonnet", "composer-2.5", "gpt-5-codex", "default")
_CLINE_MODELS = (("anthropic", "claude-sonnet-4-5-20250929"), ("openrouter", "anthropic/claude-sonnet-4.5"))

# Shares: of lines, of responses, of sittings.
_TORN = 1 / 300
_REEMITTED, _COUNTED_BY_CURSOR, _SUB_AGENT = 0.3, 0.1, 0.08
_RESUMED, _FORKED, _SYNTHETIC, _LONG, _HOUR_CACHE, _REPORTS_COST = 0.12, 0.15, 0.1, 0.1, 0.3, 0.05
_BLOCKS = (("text",), ("thinking", "text"), ("thinking", "text", "tool_use"), ("text", "tool_use"), ("tool_use",))
_STANDARD: Line = {"service_tier": "standard"}
_TIERS: tuple[Line, ...] = (
    *[_STANDARD] * 15,
    {"service_tier": "batch"},
    {"service_tier": "standard", "speed": "fast"},
    {"service_tier": None},
    {},
)


@dataclass(frozen=True, slots=True)
class Sitting:
    """Work with an agent in one folder, from `start` on, for `turns` prompts."""

    cwd: str
    start: datetime
    turns: int


def new_uuid(random: Random) -> str:
    """Return an id like those that agents give to sessions and lines."""
    return str(UUID(int=random.getrandbits(128), version=4))


def format_utc(instant: datetime) -> str:
    """Return the instant as the agents write it, with milliseconds and a Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def claude_folder(cwd: str) -> str:
    """Return the folder of a project's transcripts, which Claude Code names after the whole path."""
    return f".claude/projects/{re.sub('[^A-Za-z0-9]', '-', cwd)}"


def codex_path(session_id: str, start: datetime) -> str:
    """Return the file of a session of Codex."""
    return f".codex/sessions/{start:%Y/%m/%d}/rollout-{start:%Y-%m-%dT%H-%M-%S}-{session_id}.jsonl"


def to_jsonl(lines: list[Line], random: Random, torn: float = _TORN) -> bytes:
    """Return the lines as a file, in which some lines are torn and then written again."""
    texts = []
    for line in lines:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        if random.random() < torn:
            texts.append(text[: len(text) // 2])
        texts.append(text)
    return "".join(f"{text}\n" for text in texts).encode()


@dataclass
class _Clock:
    now: datetime
    random: Random

    def tick(self) -> str:
        """Advance the clock a little, and return its time."""
        self.now += timedelta(milliseconds=self.random.randrange(300, 40_000))
        return format_utc(self.now)


@dataclass
class Transcript:
    """A transcript of Claude Code as it grows."""

    cwd: str
    clock: _Clock
    random: Random
    session_id: str
    model: str
    sidechain_id: str | None = None
    cached: int = 0
    lines: list[Line] = field(default_factory=list)
    tier: Line = field(default_factory=dict)
    is_hour_cache: bool = False
    reports_cost: bool = False

    @classmethod
    def begin(cls, sitting: Sitting, random: Random) -> "Transcript":
        """Start a session with a random model and random terms."""
        return cls(
            cwd=sitting.cwd,
            clock=_Clock(sitting.start, random),
            random=random,
            session_id=new_uuid(random),
            model=random.choice(CLAUDE_MODELS),
            cached=190_000 if random.random() < _LONG else 0,
            tier=random.choice(_TIERS),
            is_hour_cache=random.random() < _HOUR_CACHE,
            reports_cost=random.random() < _REPORTS_COST,
        )

    def ask(self) -> None:
        """Write a prompt."""
        self._add("user", {"role": "user", "content": PRIVATE_TEXT})

    def respond(self) -> tuple[str, str]:
        """Write a response, one line per block, and its tool's result; return ids of the message and the request."""
        random = self.random
        message_id, request_id = f"msg_01{random.getrandbits(96):024x}", f"req_011C{random.getrandbits(80):020x}"
        blocks, usage = random.choice(_BLOCKS), self._usage()
        more: Line = {"requestId": request_id} | ({"costUSD": 0.0125} if self.reports_cost else {})
        for block in blocks[:-1]:
            self._add("assistant", self._message(message_id, block, usage | {"output_tokens": 1}), **more)
        self._add("assistant", self._message(message_id, blocks[-1], usage), **more)
        if blocks[-1] == "tool_use":
            result = {"type": "tool_result", "tool_use_id": f"toolu_{message_id}", "content": PRIVATE_TEXT}
            self._add("user", {"role": "user", "content": [result]}, toolUseResult={"stdout": PRIVATE_TEXT})
        return message_id, request_id

    def fail(self) -> None:
        """Write the message of Claude Code itself when the API does not answer."""
        usage: Line = {"input_tokens": 0, "output_tokens": 0}
        message = self._message(new_uuid(self.random), "text", usage) | {"model": "<synthetic>"}
        self._add("assistant", message, isApiErrorMessage=True)

    def sub_agent(self) -> "Transcript":
        """Return the transcript of a sub-agent, with its prompt."""
        name = f"{self.random.getrandbits(32):08x}"
        child = replace(self, model=_SUB_AGENT_MODEL, sidechain_id=name, cached=0, lines=[])
        child.ask()
        return child

    def resumed(self) -> "Transcript":
        """Return a session that continues this one, and contains copies of its lines."""
        session_id = new_uuid(self.random)
        copies = [line | {"sessionId": session_id} for line in self.lines]
        return replace(self, session_id=session_id, lines=copies)

    def _add(self, kind: str, message: Line, **more: object) -> None:
        line: Line = {
            "parentUuid": self.lines[-1]["uuid"] if self.lines else None,
            "isSidechain": self.sidechain_id is not None,
            "userType": "external",
            "cwd": self.cwd,
            "sessionId": self.session_id,
            "version": "2.0.76",
            "gitBranch": "main",
            "type": kind,
            "message": message,
            "uuid": new_uuid(self.random),
            "timestamp": self.clock.tick(),
        }
        self.lines.append(line | ({"agentId": self.sidechain_id} if self.sidechain_id else {}) | more)

    def _message(self, message_id: str, block: str, usage: Line) -> Line:
        content: Line = {"type": block, block: PRIVATE_TEXT}
        if block == "tool_use":
            content = {"type": block, "id": f"toolu_{message_id}", "name": "Bash", "input": {"command": PRIVATE_TEXT}}
        return {
            "model": self.model,
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "content": [content],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def _usage(self) -> Line:
        random = self.random
        written = random.randrange(200, 6_000) if self.cached else random.randrange(9_000, 30_000)
        hour = written if self.is_hour_cache else 0
        usage: Line = {
            "input_tokens": random.randrange(2, 40),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
            "output_tokens": random.randrange(20, 2_500),
        }
        self.cached += written
        return usage | self.tier


def write_claude(sitting: Sitting, random: Random) -> Files:
    """Return the transcripts of a sitting: its own, those of sub-agents, and perhaps a resumed session's."""
    transcript = Transcript.begin(sitting, random)
    if random.random() < _SYNTHETIC:
        transcript.fail()
    files = _work(transcript, sitting.turns)
    if random.random() < _RESUMED:
        files |= _work(transcript.resumed(), min(3, sitting.turns))
    return files


def _work(transcript: Transcript, turns: int) -> Files:
    random, files = transcript.random, Files()
    path = f"{claude_folder(transcript.cwd)}/{transcript.session_id}"
    for _ in range(turns):
        transcript.ask()
        for _ in range(1 + int(random.random() ** 2 * 6)):
            transcript.respond()
            if random.random() < _SUB_AGENT:
                child = transcript.sub_agent()
                child.respond()
                child.respond()
                files[f"{path}/subagents/agent-{child.sidechain_id}.jsonl"] = to_jsonl(child.lines, random)
    summary: Line = {"type": "summary", "summary": PRIVATE_TEXT, "leafUuid": transcript.lines[-1]["uuid"]}
    return {f"{path}.jsonl": to_jsonl([summary, *transcript.lines], random)} | files


def write_codex(sitting: Sitting, random: Random) -> Files:
    """Return the session of a sitting, and perhaps its fork, which copies it and continues its counters."""
    clock, session_id, counted = _Clock(sitting.start, random), new_uuid(random), _no_tokens()
    meta = {"cwd": sitting.cwd, "originator": "codex_cli_rs", "cli_version": "0.121.0", "model_provider": "openai"}
    files, lines = Files(), [_enveloped(clock, "session_meta", {"id": session_id, "timestamp": clock.tick()} | meta)]
    lines.append(_enveloped(clock, "turn_context", {"cwd": sitting.cwd, "model": random.choice(_CODEX_MODELS)}))
    lines.append(_enveloped(clock, "event_msg", {"type": "token_count", "info": None, "rate_limits": {}}))
    for _ in range(sitting.turns):
        lines += _codex_turn(clock, counted)
    files[codex_path(session_id, sitting.start)] = to_jsonl(lines, random)
    if random.random() < _FORKED:
        began, fork_id = clock.now, new_uuid(random)
        head = _enveloped(clock, "session_meta", {"id": fork_id, "forked_from_id": session_id} | meta)
        lines = [head, *lines, *_codex_turn(clock, counted)]
        files[codex_path(fork_id, began)] = to_jsonl(lines, random)
    return files


def _codex_turn(clock: _Clock, counted: dict[str, int]) -> list[Line]:
    """Return the lines of a prompt and its responses; advance the session's counters."""
    random = clock.random
    lines = [_enveloped(clock, "event_msg", {"type": "user_message", "message": PRIVATE_TEXT})]
    for _ in range(1 + int(random.random() ** 2 * 5)):
        arguments = json.dumps({"command": ["bash", "-lc", PRIVATE_TEXT]})
        call = {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": new_uuid(random)}
        lines.append(_enveloped(clock, "response_item", call))
        came_in, output = random.randrange(4_000, 60_000), random.randrange(20, 3_000)
        used = {
            "input_tokens": came_in,
            "cached_input_tokens": int(came_in * random.random()),
            "output_tokens": output,
            "reasoning_output_tokens": int(output * random.random()),
            "total_tokens": came_in + output,
        }
        for name, tokens in used.items():
            counted[name] += tokens
        info = {"total_token_usage": dict(counted), "last_token_usage": used, "model_context_window": 272_000}
        for _ in range(2 if random.random() < _REEMITTED else 1):
            lines.append(_enveloped(clock, "event_msg", {"type": "token_count", "info": info, "rate_limits": {}}))
    text = {"type": "output_text", "text": PRIVATE_TEXT}
    lines.append(_enveloped(clock, "response_item", {"type": "message", "role": "assistant", "content": [text]}))
    return lines


def _no_tokens() -> dict[str, int]:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")
    return dict.fromkeys(names, 0)


def _enveloped(clock: _Clock, kind: str, payload: object) -> Line:
    return {"timestamp": clock.tick(), "type": kind, "payload": payload}


def write_cline(sitting: Sitting, random: Random) -> Files:
    """Return the task of a sitting: a JSON array; its last request may not have ended."""
    clock, began_ms = _Clock(sitting.start, random), round(sitting.start.timestamp() * 1000)
    provider, model = random.choice(_CLINE_MODELS)
    elements: list[Line] = []

    def say(kind: str, text: str, **more: object) -> None:
        clock.tick()
        now_ms = round(clock.now.timestamp() * 1000)
        elements.append({"ts": now_ms, "type": "say", "say": kind, "text": text} | more)

    names = {"providerId": provider, "modelId": model, "mode": "act"}
    for turn in range(sitting.turns):
        say("user_feedback" if turn else "text", PRIVATE_TEXT)
        for _ in range(1 + int(random.random() ** 2 * 4)):
            usage = {
                "request": PRIVATE_TEXT,
                "tokensIn": random.randrange(5, 3_000),
                "tokensOut": random.randrange(20, 2_000),
                "cacheWrites": random.randrange(0, 5_000),
                "cacheReads": random.randrange(0, 90_000),
                "cost": random.randrange(1, 900_000) / 10**6,
            }
            say("api_req_started", json.dumps(usage), modelInfo=names)
            say("text", PRIVATE_TEXT, partial=False)
    if random.random() < _SYNTHETIC:
        say("api_req_started", json.dumps({"request": PRIVATE_TEXT}), modelInfo=names)
    path = f".config/Code/User/globalStorage/saoudrizwan.claude-dev/tasks/{began_ms}/ui_messages.json"
    return {path: json.dumps(elements, ensure_ascii=False).encode()}


def cursor_rows(sitting: Sitting, random: Random) -> list[tuple[str, str]]:
    """Return the rows of Cursor's database for a sitting, `(key, value)`; most answers have no counts."""
    clock, conversation, model = _Clock(sitting.start, random), new_uuid(random), random.choice(_CURSOR_MODELS)
    rows: list[tuple[str, str]] = []

    def add(kind: int, text: str, **more: object) -> None:
        tokens = {"inputTokens": 0, "outputTokens": 0}
        if kind == 2 and text and random.random() < _COUNTED_BY_CURSOR:
            tokens = {"inputTokens": random.randrange(500, 40_000), "outputTokens": random.randrange(20, 2_000)}
        bubble: Line = {"_v": 3, "type": kind, "text": text, "createdAt": clock.tick(), "tokenCount": tokens}
        rows.append((f"bubbleId:{conversation}:{new_uuid(random)}", json.dumps(bubble | more, ensure_ascii=False)))

    for _ in range(sitting.turns):
        add(1, PRIVATE_TEXT)
        for _ in range(1 + int(random.random() ** 2 * 4)):
            add(2, "", toolFormerData={"name": "read_file", "params": PRIVATE_TEXT})
            add(2, PRIVATE_TEXT * random.randrange(1, 30), modelInfo={"modelName": model})
    composer = {"composerId": conversation, "createdAt": round(sitting.start.timestamp() * 1000)}
    return [(f"composerData:{conversation}", json.dumps(composer)), *rows]
