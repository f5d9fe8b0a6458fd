"""The grants of Terraform's roles, read from its own file."""

import re
from pathlib import Path

ROLES = Path(__file__).parents[3] / "terraform" / "modules" / "snowflake" / "roles.tf"
_ROLE = re.compile(r"^    (\w+) = \{\n(.*?)^    \}\n", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"(schemas|meta)\s*=\s*\{(.*?)\}", re.DOTALL)
_MAY = re.compile(r"(\(local\._turn\)|\w+)\s*=\s*\[([^\]]*)\]")
_READS = re.compile(r"reads\s*=\s*\[([^\]]*)\]")
_VIEWS = re.compile(r"views\s*=\s*\[([^\]]*)\]")
_KINDS = re.compile(r"_kinds\s*=\s*\{([^}]*)\}")
_PAIR = re.compile(r'(\w+)\s*=\s*"([^"]+)"')


def grants(database: str, warehouse: str) -> list[str]:
    """Return the statements that create the roles and grant them what Terraform grants them."""
    text = ROLES.read_text()
    kinds = dict(_PAIR.findall(_KINDS.findall(text)[0]))
    statements = []
    for role, rights in _ROLE.findall(text):
        to = f"TO ROLE MILLRACE_{role}"
        statements += [
            f"CREATE ROLE IF NOT EXISTS MILLRACE_{role}",
            f"GRANT USAGE ON DATABASE {database} {to}",
            f"GRANT USAGE ON WAREHOUSE {warehouse} {to}",
        ]
        for section, content in _SECTION.findall(rights):
            for name, may in _MAY.findall(content):
                statements.append(f"GRANT {_listed(may)} ON {_securable(section, name, kinds)} {to}")
        for schema in _listed(_READS.findall(rights)[0]).split(", "):
            if schema:
                statements += [f"GRANT SELECT ON {which} TABLES IN SCHEMA {schema} {to}" for which in ("ALL", "FUTURE")]
        for schema in _listed(_VIEWS.findall(rights)[0]).split(", "):
            if schema:
                statements.append(f"GRANT SELECT ON FUTURE VIEWS IN SCHEMA {schema} {to}")
    if len(statements) < 20:
        raise ValueError(f"found only {len(statements)} grants in {ROLES.name}: was it written in another way?")
    return statements


def _listed(quoted: str) -> str:
    return ", ".join(re.findall(r'"([^"]+)"', quoted))


def _securable(section: str, name: str, kinds: dict[str, str]) -> str:
    if section == "schemas":
        return f"SCHEMA {name}"
    name = "TURN" if name.startswith("(") else name
    return f"{kinds.get(name, 'TABLE')} META.{name}"
