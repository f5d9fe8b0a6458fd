"""Stores of agents whose logs cannot be read yet. They are named when they exist; nothing in them is opened."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from millrace.collect.stores import Environment, Platform, config_folder, configured, data_folder

NO_PARSER = "no parser for its logs yet"


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A store: `paths` below the folders that the variable names, else `defaults` below the home or a folder in it."""

    agent: str
    within: Literal["home", "data", "config"]
    defaults: tuple[str, ...]
    variable: str = ""
    paths: tuple[str, ...] = (".",)

    def places(self, home: Path, environ: Environment, platform: Platform) -> Iterator[Path]:
        """Yield where the store may be, whether or not it exists."""
        named = configured(environ, self.variable, home) if self.variable else []
        if named:
            yield from (folder / path for folder, _ in named for path in self.paths)
            return
        folder = home
        if self.within != "home":
            folder, _ = data_folder(home, environ) if self.within == "data" else config_folder(home, environ, platform)
        yield from (folder / path for path in self.defaults)


KNOWN = (
    KnownStore(
        "OpenCode", "data", ("opencode/opencode.db", "opencode/storage/message"), "OPENCODE_DATA_DIR",
        ("opencode.db", "storage/message"),
    ),
    KnownStore("pi", "home", (".pi/agent/sessions",), "PI_AGENT_DIR"),
    KnownStore("omp", "home", (".omp/agent/sessions",)),
    KnownStore("Gemini CLI", "home", (".gemini/tmp",), "GEMINI_DATA_DIR"),
    KnownStore("Qwen Code", "home", (".qwen/projects",), "QWEN_DATA_DIR", ("projects",)),
    KnownStore(
        "Copilot CLI", "home", (".copilot/session-store.db", ".copilot/session-state"), "COPILOT_HOME",
        ("session-store.db", "session-state"),
    ),
    KnownStore("Goose", "data", ("goose/sessions",), "GOOSE_PATH_ROOT", ("data/sessions",)),
    KnownStore("Goose", "config", ("Block/goose/data/sessions",)),
    KnownStore("Crush", "data", ("crush/projects.json",), "CRUSH_GLOBAL_DATA", ("projects.json",)),
    KnownStore("Droid", "home", (".factory/sessions",), "DROID_SESSIONS_DIR"),
    KnownStore("Amp", "data", ("amp/threads",), "AMP_DATA_DIR", ("threads",)),
    KnownStore("Kimi Code", "home", (".kimi-code/sessions",), "KIMI_CODE_HOME", ("sessions",)),
    KnownStore("Kimi CLI", "home", (".kimi/sessions",), "KIMI_DATA_DIR", ("sessions",)),
    KnownStore("OpenClaw", "home", (".openclaw/agents",), "OPENCLAW_DIR", ("agents",)),
    KnownStore("Codebuff", "home", (".config/manicode/projects",), "CODEBUFF_DATA_DIR", ("projects",)),
    KnownStore("Hermes", "home", (".hermes/state.db",), "HERMES_HOME", ("state.db",)),
    KnownStore("Grok", "home", (".grok/sessions",), "GROK_HOME", ("sessions",)),
    KnownStore("Mistral Vibe", "home", (".vibe/logs",), "VIBE_HOME", ("logs",)),
    KnownStore("Auggie", "home", (".augment/sessions",)),
    KnownStore("Continue", "home", (".continue/sessions",), "CONTINUE_GLOBAL_DIR", ("sessions",)),
    KnownStore("Mux", "home", (".mux/sessions",), "MUX_ROOT", ("sessions",)),
    KnownStore("Antigravity", "home", (".gemini/antigravity/conversations", ".gemini/antigravity/brain")),
    KnownStore("Cursor CLI", "home", (".cursor/chats",)),
    KnownStore("Zed", "data", ("zed/threads",)),
    KnownStore("Zed", "config", ("Zed/threads",)),
)  # fmt: skip
