"""The settings of a deployment, read where Terraform reads them.

A later place overrides an earlier one, as in Terraform: the defaults of variables*.tf, TF_VAR_*, terraform.tfvars,
*.auto.tfvars, envs/<ENV>.tfvars, and the flags of the command line.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from terraform.checks import hcl

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_OPTIONAL = ("source_key",)  # without it one check is left out


class WrongSettings(Exception):
    """A setting is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of Terraform's variables for one environment; `folder` is the one of the Terraform code."""

    folder: Path
    environment: str
    values: Mapping[str, object] = field(repr=False)

    @property
    def project(self) -> str:
        """Return the id of the project."""
        return str(self.values["project_id"])

    @property
    def region(self) -> str:
        """Return the region."""
        return str(self.values["region"])

    @property
    def prefix(self) -> str:
        """Return the begin of all names; empty where the deployment has none."""
        prefix = self.text("prefix")
        return f"{prefix}-" if prefix else ""

    @property
    def builds_images(self) -> bool:
        """Return whether the apply builds the images itself."""
        return not self.values.get("images")

    def text(self, name: str) -> str | None:
        """Return a text; None for an unset variable."""
        value = self.values.get(name)
        return None if value in (None, "") else str(value)

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self.values.get(name)
        return [str(each) for each in value] if isinstance(value, list) else []

    def sources(self) -> Iterator[str]:
        """Yield the text of every Terraform file, of the root module first."""
        for path in [*sorted(self.folder.glob("*.tf")), *sorted(self.folder.glob("modules/*/*.tf"))]:
            yield path.read_text()


def read(folder: Path, environment: str, flags: Sequence[str], surroundings: Mapping[str, str]) -> Settings:
    """Return the settings of an environment; `flags` are texts like `region=europe-west4`.

    Raises WrongSettings for a file or flag that cannot be read, and for a missing required variable.
    """
    variables = hcl.declared("\n".join(path.read_text() for path in sorted(folder.glob("variables*.tf"))))
    values = {name: variable.default for name, variable in variables.items() if variable.has_default}
    for name in variables.keys() & {key.removeprefix("TF_VAR_") for key in surroundings if key.startswith("TF_VAR_")}:
        values[name] = _value(variables[name], surroundings[f"TF_VAR_{name}"], f"TF_VAR_{name}")
    own = folder / "envs" / f"{environment}.tfvars"
    if not own.is_file():
        known = ", ".join(sorted(path.stem for path in own.parent.glob("*.tfvars")))
        raise WrongSettings(f"ENV={environment}: expected one of {known}, which are the files of terraform/envs")
    for path in [*_automatic(folder), own]:
        values |= {name: value for name, value in _file(path).items() if name in variables}
    for flag in flags:
        name, is_given, text = flag.partition("=")
        if not is_given or name not in variables:
            raise WrongSettings(f"--var {name}: expected NAME=VALUE with a variable of terraform/variables*.tf")
        values[name] = _value(variables[name], text, f"--var {name}")
    _check(variables, values)
    return Settings(folder, environment, values)


def _check(variables: Mapping[str, hcl.Variable], values: Mapping[str, object]) -> None:
    missing = [name for name in variables if name not in values and name not in _OPTIONAL]
    if missing:
        raise WrongSettings(
            f"{', '.join(missing)}: expected a value, got none; set TF_VAR_{missing[0]}, or pass --var {missing[0]}=…"
        )
    if values.get("source_url") is None and not values.get("sources") and "sources" in variables:
        raise WrongSettings("source_url: expected a value, got none; set TF_VAR_source_url, or sources")
    for name, pattern, expected in (
        ("project_id", _PROJECT, "6 to 30 lower-case letters, digits and hyphens"),
        ("region", _REGION, "a region such as europe-west4"),
    ):
        if not pattern.fullmatch(str(values.get(name))):
            raise WrongSettings(f"{name}: expected {expected}, got {values.get(name)!r}")


def _automatic(folder: Path) -> list[Path]:
    first = [path for name in ("terraform.tfvars", "terraform.tfvars.json") if (path := folder / name).is_file()]
    return first + sorted([*folder.glob("*.auto.tfvars"), *folder.glob("*.auto.tfvars.json")])


def _file(path: Path) -> dict[str, object]:
    try:
        if path.suffix == ".json":
            values = json.loads(path.read_text())
            if not isinstance(values, dict):
                raise WrongSettings(f"{path.name}: expected a JSON object")
            return values
        return hcl.assignments(path.read_text())
    except (hcl.Unreadable, ValueError) as error:
        raise WrongSettings(
            f"{path.name}: {error}; this check reads literal values only: pass the variable by --var"
        ) from None


def _value(variable: hcl.Variable, text: str, where: str) -> object:
    if variable.is_text:
        return text
    try:
        return hcl.literal(text)
    except hcl.Unreadable as error:
        raise WrongSettings(f"{where}: {error}") from None
