"""The rule that a data directory has the rows of a demo or real ones, and each object of an account one source."""

import shlex
from pathlib import Path

from millrace.errors import ConfigError, Step
from millrace.laptop import places
from millrace.laptop.data_dir import DataDir
from millrace.laptop.kinds import CURSOR_SIM, Binding, Kind, Note, Objects

MIXED = (
    "holds a simulated company and usage of this machine, which an earlier version mixed; nothing is lost: "
    "docs/troubleshooting.md has the commands that take yours out"
)

_NEVER_MIXED = "holds a simulated company, which is never mixed with your own numbers"


def claim(
    data_dir: DataDir,
    kind: Kind,
    source: str | None = None,
    account: str | None = None,
    objects: Objects = CURSOR_SIM,
) -> None:
    """Note which rows are about to be written, before they are; ConfigError as in `require`.

    `source` will deliver `objects` of `account` (None: of every account). The caller holds the lock of the directory.
    """
    require(data_dir, kind, source, account, objects)
    asked = [] if source is None else [Binding(source, account, objects)]
    wanted = Note(kind, tuple(dict.fromkeys((*data_dir.sources(), *asked))))
    if data_dir.read_note() != wanted:
        written = data_dir.work / data_dir.note.name  # a full disk leaves an incomplete note there, and none in place
        data_dir.work.mkdir(parents=True, exist_ok=True)
        written.write_bytes(wanted.to_bytes())
        written.replace(data_dir.note)


def require(
    data_dir: DataDir,
    kind: Kind,
    source: str | None = None,
    account: str | None = None,
    objects: Objects = CURSOR_SIM,
) -> None:
    """Raise ConfigError when the rows there are of another kind, or those of a source that excludes this one."""
    root = data_dir.root
    if data_dir.note.exists() and data_dir.read_note() is None:
        rows = "of this machine" if source is None else f"of {source}"
        raise ConfigError(
            f"{data_dir.note} is damaged: it names no source; remove it if the rows in {root} are {rows}",
            step=Step.RUN,
        )
    if data_dir.is_mixed():
        raise ConfigError(f"{root} {MIXED}")
    held = data_dir.kind()
    if held == "demo" and kind == "real":
        raise ConfigError(f"{root} {_NEVER_MIXED}; {_beside_a_demo(root)}")
    if held == "real" and kind == "demo":
        raise ConfigError(_beside_real_rows(data_dir))
    asked = None if source is None else Binding(source, account, objects)
    for each in data_dir.sources():
        if asked is not None and each.excludes(asked) and kind == "demo":
            raise ConfigError(
                f"{root} holds another simulated company, or the one of an earlier version ({each.source}); remove the "
                f"folder, or give another: type: rm -r {shlex.quote(str(root))}, then this again"
            )
        if asked is not None and each.excludes(asked):
            raise ConfigError(
                f"{root} holds the rows of {each.source}, not of {asked.source}{_one_source(each, asked)}; "
                "give another --data-dir, or remove the folder"
            )


def require_real_lake(folder: Path) -> None:
    """Raise ConfigError when a folder is the lake of a data directory with the rows of a demo, by whatever path."""
    for path in (folder, folder.resolve()):
        for data_dir in map(DataDir, path.parents[:2]):
            if data_dir.is_lake(folder) and data_dir.kind() == "demo":
                root, own = data_dir.root.resolve(), shlex.quote(str(places.real()))
                raise ConfigError(f"{root} {_NEVER_MIXED}; name another lake, or --data-dir {own} in its place")


def _one_source(held: Binding, asked: Binding) -> str:
    """Return the rule that refuses a source, where both are not simply all that there is."""
    account = asked.account or held.account
    if account is None:
        return ""
    shared = " and ".join(each.replace("_", " ").replace("ai ", "AI ") for each in held.shared_with(asked))
    return f": the {shared} of an account ({account}) have one source"


def _beside_a_demo(root: Path) -> str:
    """Return what to do where real rows were to go to the data directory of a demo."""
    at = shlex.quote(str(root))
    if root == places.real():
        return f"move it away, then type this again: mv {at} {at}-demo"
    return f"leave out --data-dir, or give another: --data-dir {shlex.quote(str(places.real()))}"


def _beside_real_rows(data_dir: DataDir) -> str:
    """Return why a demo is refused in a directory of real rows, with the next command."""
    at = shlex.quote(str(data_dir.root))
    elsewhere = f"millrace demo --data-dir {at}-demo" if data_dir.root == places.demo() else "millrace demo"
    named = next(iter(data_dir.sources()), None)
    rows, own = "real rows", ""
    if named is not None:
        rows, own = f"the rows of {named.source}", f"millrace run {_options_of(named)} --data-dir {at}, or: "
    return f"{data_dir.root} holds {rows}, which are never mixed with a simulated company; type: {own}{elsewhere}"


def _options_of(binding: Binding) -> str:
    if binding.is_github:
        return f"--source github --account {shlex.quote(binding.account or '')}"
    account = f"--account {shlex.quote(binding.account)} " if binding.account else ""
    return f"{account}--source-url {shlex.quote(binding.source)}"
