"""The names under which projects, models and ids leave the machine: a person or a path in them is cut off or hashed.

A value has the same hash on every machine: copies of an event keep one key.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?://[^/\\]*)?(?=[/\\]|$)|[^/\\]*@[^/\\:]*:")
_DRIVE = re.compile(r"[a-z]:?")
_HOME_FOLDER = re.compile(r"(?:[a-z]{0,4}home\d*|homes|homedirs?|users)\$?|documents and settings|profiles\$")
_TOP_LEVEL = "ad com corp de edu eu fr gov int internal intra intranet io lan loc local net nl org uk us"
_DOMAIN = re.compile(rf"[A-Z][A-Z0-9_-]+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:{_TOP_LEVEL.replace(' ', '|')})")
# Names of accounts and folders that do not identify a person.
_COMMON_NAMES = frozenset(("admin", "app", "code", "dev", "developer", "home", "root", "src", "user", "users", "work"))

_MODEL_FILE = re.compile(
    r"\.(?:bin|engine|ggml|gguf|h5|llamafile|mlmodel|mlpackage|model|npz|onnx|pkl|pt|pth|safetensors|tflite)$"
)
# A key, or a number as long as an account's.
_SECRET = re.compile(
    r"(?:^|/)(?:sk|pk|rk|xox[a-z]|ghp|gho|ghs|glpat|github_pat|akia|aiza|eyj|hf|gsk|xai)[_-]?[\w-]{16,}|\d{10}"
)
_PATH_STARTS = ("/", "\\", "~", ".", "$", "%")
_ROOT_FOLDERS = frozenset(("data", "mnt", "opt", "root", "srv", "tmp", "usr", "var", "volumes"))
_ROUTED = ("accounts/", "bedrock/", "cloudflare/", "fireworks_ai/", "models/", "publishers/", "vertex_ai/")
_MOST_SLASHES = 2
_VENDORS = "anthropic|cohere|deepseek|google|meta-llama|minimax|mistralai|moonshotai|openai|qwen|x-ai|xiaomi|z-ai"
_PART = r"[\w.:+\[\]-]"
_MODEL = re.compile(
    rf"(?:@[a-z][\w-]*/|~(?:{_VENDORS})/)?\w{_PART}*(?:/(?:@cf/)?{_PART}+)*(?:@(?:\d{{3}}|\d{{8}}|default|latest))?",
    re.ASCII,
)
_MODEL_BYTES = 120
# What a cloud's address has before the model's name: an account, a project, or a resource of a company.
_ADDRESSES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?:[\w-]+/)*arn:[\w-]+:bedrock:[\w-]*:\d*:(?:foundation-model|inference-profile|(?:default-)?prompt-router)/"
        r"([a-z][\w-]*\.[\w.:-]+)",
        r"(?:[\w-]+/)?projects/[^/]+/(?:[\w-]+/)*models/([^/]+)",
        r"(?:[\w-]+/)?accounts/(?!fireworks/)[^/]+/models/([^/]+)",
        r"(?:https://[^/]+/openai/|azure/)?deployments/([^/?#]+)(?:/[\w/-]+)?(?:\?.*)?",
    )
)
_ADDRESSED = re.compile(r"(?:^|/)(?:arn:|projects/|accounts/(?!fireworks/)|deployments/)")
_TITLE_WORDS = frozenset(
    (
        *("claude", "sonnet", "opus", "haiku", "fable", "mythos", "gpt", "codex", "gemini", "gemma", "grok", "llama"),
        *(
            "qwen",
            "qwen3",
            "kimi",
            "deepseek",
            "glm",
            "minimax",
            "mistral",
            "codestral",
            "devstral",
            "composer",
            "nova",
        ),
        *("pro", "flash", "lite", "mini", "nano", "max", "ultra", "turbo", "fast", "chat", "code", "coder", "instruct"),
        *("thinking", "reasoning", "preview", "latest", "beta", "free", "none", "low", "medium", "high", "xhigh"),
    )
)
_TITLE_NUMBER = re.compile(r"(?:(?:gpt|glm|claude|gemini|grok|kimi|qwen|llama)-|[a-z]{0,2})\d+(?:\.\d+)*[a-z]?")
_HASHED = re.compile(r"h-[0-9a-f]{16}")

_RANDOM_LENGTH = 16
_LETTERS = re.compile(r"[A-Za-z]{4,}")
_PREFIXES = frozenset(("asst", "call", "chatcmpl", "cmpl", "gen", "item", "msg", "req", "resp", "rs", "run", "toolu"))
_WORDS = _PREFIXES | frozenset(
    (
        *("acompact", "agent", "aside", "bdrk", "bubble", "chat", "compact", "conv", "conversation", "copy", "event"),
        *("file", "fork", "from", "main", "message", "prompt", "request", "response", "rollout", "sess", "session"),
        *("side", "step", "summary", "task", "thread", "tool", "turn", "unknown", "vrtx"),
    )
)
_PREFIX = rf"(?:{'|'.join(sorted(_PREFIXES))})[-_.:]"
# Nearly all ids have this form, which has no words: hexadecimal parts, or one long part with a digit, after prefixes.
_PLAIN_ID = re.compile(rf"(?:{_PREFIX})*[0-9a-fA-F_.:-]*|{_PREFIX}(?=[^-_.:]*[0-9])[^-_.:]{{{_RANDOM_LENGTH},}}")
_SEPARATOR = re.compile(r"[-_.:]")
_RANDOM = re.compile(r"[0-9a-fA-F]*|[0-7][0-9A-HJKMNP-TV-Z]{25}")  # the second is a ULID
_DIGITS = re.compile(r"\d+")
_LONG_CASE = re.compile(r"[a-z]{6}|[A-Z]{6}")


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the machine: the parts of the home's paths, and the owner's names, in lower case."""

    homes: tuple[tuple[str, ...], ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, homes: Iterable[str], names: Iterable[str | None]) -> Self:
        """Return the owner with these homes and names; common and very short names are ignored."""
        parts = dict.fromkeys(tuple(_without_drive(_lower(_parts(home)))) for home in homes)
        lower = {name.strip().casefold() for name in names if name}
        return cls(tuple(filter(None, parts)), frozenset(name for name in lower - _COMMON_NAMES if len(name) > 2))

    def below(self, path: str | None) -> str | None:
        """Return a path below the owner's home as `~/…`, in any system's notation; another path as it is."""
        if not path:
            return path
        parts = _parts(path)
        rest = self._below_own(parts)
        is_own = rest is not parts
        rest = rest if is_own else _below_a_home(parts)
        named = [place for place, part in enumerate(_lower(rest)) if part in self.names]
        rest = rest[named[-1] + 1 :] if named else rest
        return "/".join(["~", *rest]) if is_own or named else path

    def _below_own(self, parts: list[str]) -> list[str]:
        lower = _lower(parts)
        for home in self.homes:
            # A home of one part matches only at the start of the path.
            for start in range(1 if len(home) == 1 else len(parts)):
                if tuple(lower[start : start + len(home)]) == home:
                    return parts[start + len(home) :]
        return parts


UNKNOWN_OWNER = Owner()


def project_slug(cwd: str | None) -> str | None:
    """Return the project's short name: the path below a home, with a dash for all but letters and digits.

    The same folder has the same slug for every agent. The slug contains neither the home nor its owner: homes are
    recognized by their usual places, wherever a path begins.
    """
    if not cwd:
        return None
    slug = re.sub(r"[^A-Za-z0-9]+", "-", "/".join(_below_a_home(_parts(cwd)))).strip("-")
    return slug[-120:] or None


@lru_cache(4096)
def model_name(value: str) -> str:
    """Return the name of a model, without the account or project before it in a cloud's address.

    It is hashed when it is, or could be, a path, an address, an account, a key, a person or a text.
    """
    if _HASHED.fullmatch(value):
        return value
    name = value.strip()
    for address in _ADDRESSES:
        if match := address.fullmatch(name):
            name = match[1]
    return name if _is_model(name) else hashed(value)


def provider_name(value: str) -> str:
    """Return the name of a provider, which may be the user's own; hashed when it is no short name."""
    is_name = re.fullmatch(r"\w[\w.:-]{0,199}", value, re.ASCII) is not None
    return value if is_name and not _is_place(value) and not _SECRET.search(value.casefold()) else hashed(value)


def id_name(value: str) -> str:
    """Return an id; hashed when it contains words, which no agent's own ids do."""
    return value if _PLAIN_ID.fullmatch(value) or _has_no_words(value) else hashed(value)


def hashed(value: str) -> str:
    """Return the hash that replaces a value which does not leave the machine."""
    return "h-" + hashlib.sha256(b"millrace name\0" + value.encode(errors="surrogatepass")).hexdigest()[:16]


def _parts(path: str) -> list[str]:
    """Return the folders of a path: of POSIX, Windows, UNC, or a URI, whose host is dropped."""
    text = unicodedata.normalize("NFC", path.strip())
    if scheme := _SCHEME.match(text):
        text = unquote(text[scheme.end() :])
    parts: list[str] = []
    for part in map(str.strip, text.replace("\\", "/").split("/")):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _lower(parts: Sequence[str]) -> list[str]:
    return [part.casefold() for part in parts]


def _without_drive(parts: list[str]) -> list[str]:
    """Return a home's parts without its drive, which each system writes in its own way."""
    start = 1 if parts[:1] in (["mnt"], ["cygdrive"]) else 0
    is_drive = len(parts) > start + 1 and _DRIVE.fullmatch(parts[start]) is not None
    return parts[start + 1 :] if is_drive else parts


def _below_a_home(parts: list[str]) -> list[str]:
    """Return the parts below the first home; all of them when there is none."""
    lower = _lower(parts)
    if lower[:1] in (["wsl$"], ["wsl.localhost"]):
        parts, lower = parts[2:], lower[2:]
    for roots in (["root"], ["var", "roothome"], ["var", "root"], ["private", "var", "root"]):
        if lower[: len(roots)] == roots:
            return parts[len(roots) :]
    if lower and lower[0][0] in "~$%":
        return parts[1:]
    for media in (["media"], ["run", "media"], ["u"], ["afs"]):
        if lower[: len(media)] == media and len(parts) > len(media):
            rest = parts[len(media) + 1 :]
            return _below_a_home(rest) if media == ["afs"] else rest
    for place, part in enumerate(lower[:-1]):
        if _HOME_FOLDER.fullmatch(part) or (part == "user" and len(lower[place + 1]) == 1):
            return parts[_owner_ends(parts, place) :]
    return parts


def _owner_ends(parts: list[str], place: int) -> int:
    """Return where the owner's name ends after the folder of the homes; a domain or letters may precede the name."""
    end = place + 1
    is_upper = parts[place].isupper()  # then capitals do not indicate a domain
    has_domains = parts[place].casefold().startswith("home")
    if has_domains and end + 1 < len(parts) and _DOMAIN.fullmatch(parts[end]) and not is_upper:
        end += 1
    while end + 1 < len(parts) and len(parts[end]) < 3 and parts[end + 1].casefold().startswith(parts[end].casefold()):
        end += 1
    return end + 1


def _is_model(name: str) -> bool:
    if len(name) > _MODEL_BYTES or _ADDRESSED.search(name) or _SECRET.search(name.casefold()) or _is_key(name):
        return False
    if " " in name:
        return all(_is_of_a_title(word) for word in name.casefold().split(" "))
    return _MODEL.fullmatch(name) is not None and not _is_place(name.removeprefix("~"))


def _is_of_a_title(word: str) -> bool:
    """Return whether a word is of a model's title, as in `Claude Sonnet 4.5 (Thinking)`."""
    word = word[1:-1] if word[:1] + word[-1:] == "()" else word
    return word in _TITLE_WORDS or _TITLE_NUMBER.fullmatch(word) is not None


def _is_key(name: str) -> bool:
    """Return whether a name has a part that is long and random."""
    return any(len(re.findall(r"\d+", run)) > 3 for run in re.findall(r"[0-9A-Za-z]{24,}", name))


def _is_place(value: str) -> bool:
    lower = value.casefold()
    parts = lower.split("/")
    return (
        lower.startswith(_PATH_STARTS)
        or re.match(r"[a-z]:|[a-z][a-z0-9+.-]*:/", lower) is not None
        or "\\" in lower
        or "://" in lower
        or ".." in parts
        or _MODEL_FILE.search(lower) is not None
        or (len(parts) > 1 and re.search(r":\d+$|^\d+(?:\.\d+){3}$", parts[0]) is not None)
        or (len(parts) > 1 and (parts[0] in _ROOT_FOLDERS or any(map(_HOME_FOLDER.fullmatch, parts[:-1]))))
        or (lower.count("/") > _MOST_SLASHES and not lower.startswith(_ROUTED))
    )


def _has_no_words(value: str) -> bool:
    tokens = _SEPARATOR.split(value)
    is_prefixed = tokens[0] in _PREFIXES
    return all(_is_random(token, is_prefixed) for token in tokens)


def _is_random(token: str, is_prefixed: bool) -> bool:
    """Return whether a part of an id is a number, random, or a word that agents put into ids."""
    if _RANDOM.fullmatch(token):
        return True
    if len(token) >= _RANDOM_LENGTH:
        has_digits_and_letters = len(_DIGITS.findall(token)) > 1 and not _LONG_CASE.search(token)
        has_both_cases = not (token.islower() or token.isupper())
        if has_digits_and_letters or (is_prefixed and (has_both_cases or _DIGITS.search(token))):
            return True
    return all(word.casefold() in _WORDS for word in _LETTERS.findall(token))
