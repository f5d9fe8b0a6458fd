"""The deployed functions: the file and the name of each, and the arguments that functions-framework serves it with."""

from dataclasses import dataclass
from pathlib import Path

import functions_framework
from flask import Flask

from millrace.laptop.project import PROJECT
from millrace.tables import ENDPOINTS


@dataclass(frozen=True, slots=True)
class Function:
    """One function of `functions/<folder>/main.py`, and how it is called: `cloudevent` or `http`."""

    folder: str
    target: str
    signature: str

    def arguments(self, root: Path = PROJECT) -> list[str]:
        """Return the arguments of functions-framework, as in the plan of a deployment, whose root is /app."""
        source = root / "functions" / self.folder / "main.py"
        return [f"--source={source}", f"--target={self.target}", f"--signature-type={self.signature}"]

    def application(self) -> Flask:
        """Load the function and return its application, as these arguments would serve it."""
        values = dict(argument.removeprefix("--").split("=", 1) for argument in self.arguments())
        made: Flask = functions_framework.create_app(values["target"], values["source"], values["signature-type"])
        return made


START_RUN = Function("extract", "start_run", "http")
EXTRACT = {name: Function("extract", f"extract_{name}", "cloudevent") for name in ENDPOINTS}
LOAD = Function("load", "load", "cloudevent")
SWEEP = Function("load", "sweep", "http")
FUNCTIONS = {each.target: each for each in (START_RUN, *EXTRACT.values(), LOAD, SWEEP)}
