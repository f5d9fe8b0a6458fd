"""An embedded simulator of the source API: seeded worlds, with the quirks of the original and with their truth."""

from simulator.faults import InjectedFaults
from simulator.generating import generate
from simulator.recording import world_from_recording
from simulator.server import RunningSimulator, serve
from simulator.world import World

__all__ = ["InjectedFaults", "RunningSimulator", "World", "generate", "serve", "world_from_recording"]
