"""Everything that a preflight reaches: Google's APIs, the source, Snowflake, and a copy of the Terraform code."""

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from terraform import preflight
from terraform.checks import settings
from terraform.checks.findings import Finding
from tests.deploy.preflight import fake_google
from tests.deploy.preflight.projects import PROJECT

import simulator
from emulators import snowflake

KEY = "key-of-the-source"
PASSWORD = "password-of-snowflake"
CODE = Path(__file__).resolve().parents[3] / "terraform"
_READ = ("TF_VAR_", "SNOWFLAKE_", "GOOGLE_", "CLOUDSDK_", "MILLRACE_")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a preflight, and the folder of the Terraform code that it reads."""

    google: fake_google.FakeGoogle
    variables: dict[str, str]
    folder: Path

    def findings(self, *flags: str, timeout_s: float = 20.0, group: str | None = None) -> list[Finding]:
        """Return the findings with further flags, each like `region=europe-west4`; no secret is in them."""
        checks = [(name, check) for name, check in preflight.CHECKS if group in (None, name)]
        with environment(self.variables):
            read = settings.read(self.folder, "dev", flags, os.environ)
            found = preflight.check(read, timeout_s=timeout_s, checks=checks)
        self.refuse_secrets(str(found))
        return found

    def of(self, group: str, *flags: str) -> list[Finding]:
        """Return the findings of one group."""
        return self.findings(*flags, group=group)

    def refuse_secrets(self, text: str) -> None:
        """Fail if a text has a secret."""
        key = json.loads(Path(self.variables["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["private_key"]
        for secret in (KEY, base64.b64encode(f"{KEY}:".encode()).decode(), PASSWORD, fake_google.TOKEN, key[100:160]):
            assert secret not in text


@contextmanager
def surroundings(
    answers: fake_google.Answers, folder: Path, snowflake_at: str, source_at: str
) -> Iterator[Surroundings]:
    """Serve Google's answers, and yield the environment in which everything is reached and signed in."""
    shutil.copytree(CODE, folder / "terraform", ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*"))
    (folder / "terraform/backend.tf").write_text('terraform {\n  backend "gcs" {\n    bucket = "acme-state"\n  }\n}\n')
    there = dict(pair.split("=") for pair in snowflake_at.split("&"))
    with fake_google.serving(answers) as google:
        google.write_credentials(folder / "credentials.json")
        variables = google.environment() | {f"SNOWFLAKE_{name.upper()}": value for name, value in there.items()}
        variables |= {
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
            "PATH": str(folder),  # without gcloud, whose start takes a second
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "credentials.json"),
            "SNOWFLAKE_PASSWORD": PASSWORD,
            "SNOWFLAKE_ROLE": "ACCOUNTADMIN",
            "SNOWFLAKE_USER": "PAT",
            "TF_VAR_project_id": PROJECT,
            "TF_VAR_region": "europe-west4",
            "TF_VAR_snowflake_account": "acme-dev",
            "TF_VAR_source_key": KEY,
            "TF_VAR_source_url": source_at,
        }
        yield Surroundings(google, variables, folder / "terraform")


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the environment, without any variable of this machine that a preflight reads."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(_READ)]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def source() -> Iterator[str]:
    """Serve the simulator as the source; yield its address."""
    world = simulator.generate(developers=2, days=8, seed=7, end=datetime(2026, 11, 20, tzinfo=UTC))
    with simulator.serve(world, key=KEY) as running:
        yield running.url


@contextmanager
def alone(answers: fake_google.Answers) -> Iterator[Surroundings]:
    """Yield surroundings of their own, with the source and Snowflake, outside of pytest."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = stack.enter_context(snowflake.serving()), stack.enter_context(source())
        yield stack.enter_context(surroundings(answers, folder, *here))
