"""The sources that can be read, and the objects of cursor-sim, by the names of their settings.

Commands that read none import no more than this.
"""

from typing import Literal

Source = Literal["cursor-sim", "github"]
SOURCES: tuple[Source, ...] = ("cursor-sim", "github")
OBJECTS = ("commits", "pull_requests")
"""What can be read of cursor-sim by itself: the commits of an AI tool, and pull requests with their reviews."""
