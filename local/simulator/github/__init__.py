"""A simulated GitHub: seeded companies over GraphQL and REST, with its limits, its awkwardness, and their truth."""

from simulator.github.clock import Clock
from simulator.github.credentials import DEFAULT_TOKEN, App
from simulator.github.generating import generate
from simulator.github.knobs import Knobs
from simulator.github.model import Company
from simulator.github.serving import Served, served

__all__ = ["DEFAULT_TOKEN", "App", "Clock", "Company", "Knobs", "Served", "generate", "served"]
