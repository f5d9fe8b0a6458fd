"""The sources that can be read, by the names of their settings. Commands that read none import no more than this."""

from typing import Literal

Source = Literal["cursor-sim", "github"]
SOURCES: tuple[Source, ...] = ("cursor-sim", "github")
