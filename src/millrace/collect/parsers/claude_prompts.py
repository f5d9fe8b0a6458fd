"""Which lines of type `user` in a transcript of Claude Code are prompts of a person."""

import re

from millrace.collect.parsers.fields import Record

_FLAGS = ("isMeta", "isCompactSummary", "isSidechain", "isVisibleInTranscriptOnly")
_OF_TOOLS = ("agentId", "toolUseResult", "sourceToolUseID", "toolDenialKind")
_MEDIA = ("image", "document")
# What the agent writes before a person's text, in tags.
_CONTEXT = re.compile(r"\s*<(system-reminder|ide_[a-z_]+)>")
_NOTICE = re.compile(
    r"""\s*(?:
        \[Request\ interrupted | \[SYSTEM\ NOTIFICATION | <<autonomous-loop
        | Caveat:\ The\ messages\ below\ were\ generated\ by\ the\ user\ while\ running\ local\ commands
        | This\ session\ is\ being\ continued\ from\ a\ previous\ conversation
        | [A-Z][A-Za-z]+\ hook\ (?:feedback|blocking\ error|additional\ context)
        | <(?:local-command-[a-z]+|bash-(?:input|stdout|stderr)|user-memory-input|task-notification|scheduled-task
             |teammate-message|[a-z-]+-hook|command-name|command-args)[\s>]
    )""",
    re.VERBOSE,
)
# A command that asks a model begins with its message; one that the agent answers itself begins with its name.
_COMMAND = re.compile(r"\s*<command-message>[^<]*</command-message>\s*<command-name>/?([\w:.-]*)")
_WORD = re.compile(r"\s*\S")
_LOCAL_COMMANDS = frozenset(
    (
        *("add-dir", "agents", "bashes", "bug", "clear", "color", "compact", "config", "context", "copy", "cost"),
        *("desktop", "diff", "doctor", "effort", "exit", "export", "extra-usage", "fast", "feedback", "help", "hooks"),
        *("ide", "keybindings", "login", "logout", "mcp", "memory", "mobile", "model", "output-style", "permissions"),
        *("plugin", "privacy-settings", "quit", "release-notes", "reload-plugins", "remote-control", "remote-env"),
        *("rename", "resume", "rewind", "sandbox", "skills", "stats", "status", "tasks", "terminal-setup", "theme"),
        *("todos", "upgrade", "usage", "vim"),
    )
)


def is_typed(record: Record, message: Record) -> bool:
    """Return whether a person wrote it to a model.

    Results of tools, summaries, instructions to sub-agents, reminders, notices of tasks and hooks are no prompts, nor
    are commands that the agent answers itself, their output, and the notice that a person stopped the agent.
    """
    if any(record.get(flag) is True for flag in _FLAGS) or any(record.get(name) is not None for name in _OF_TOOLS):
        return False
    origin = record.get("origin")
    if isinstance(origin, dict) and origin.get("kind", "human") != "human":
        return False
    content = message.get("content")
    if isinstance(content, str):
        return _is_of_a_person(content)
    if not isinstance(content, list):
        return False
    parts = [part for part in content if isinstance(part, dict)]
    if any(part.get("type") == "tool_result" for part in parts):
        return False
    texts = [part.get("text") for part in parts if part.get("type") == "text"]
    has_text = any(isinstance(text, str) and _is_of_a_person(text) for text in texts)
    return has_text or any(part.get("type") in _MEDIA for part in parts)


def _is_of_a_person(text: str) -> bool:
    place = 0
    while context := _CONTEXT.match(text, place):
        end = f"</{context[1]}>"
        found = text.find(end, context.end())
        if found < 0:
            return False
        place = found + len(end)
    if _NOTICE.match(text, place):
        return False
    if command := _COMMAND.match(text, place):
        return command[1] not in _LOCAL_COMMANDS
    return _WORD.match(text, place) is not None
