"""Generates a world from a seed."""

from datetime import UTC, datetime

from simulator.happening import PULLS_PER_DEVELOPER_DAY, pulls_of_day
from simulator.instants import DAY_NS, to_ns
from simulator.people import organisation
from simulator.showing import Shower
from simulator.world import World, WorldWriter

DEFAULT_CLONE_SHARE = 0.02


def generate(
    *,
    developers: int = 5,
    days: int = 90,
    seed: int = 1,
    velocity: str = "medium",
    end: datetime | None = None,
    utc_offset_min: int = 0,
    clone_share: float = DEFAULT_CLONE_SHARE,
    ai_effect: float = 0.0,
    full_hashes: bool = False,
) -> World:
    """Return the world of these developers over the `days` days up to the instant `end` (None: now).

    The day of `end` is the last of them, even if it has just begun.

    A day's rows depend only on (seed, developers, clone_share, velocity, day). A later end yields the same
    rows, plus new ones and the changes to pull requests that were open.

    `ai_effect` changes the cycle time of pull requests with an AI share of 60 % and more: -0.3 makes it 30 % shorter,
    from the first commit on. Their reviews and reverts follow; all else is the same as without it.

    With `full_hashes` commits have the 40 characters of git's hash, as Cursor's own answers do, else the first 12.
    """
    if not 2 <= developers <= 2000:
        raise ValueError(f"developers: {developers} is not in 2..2000")
    if not 1 <= days <= 3650:
        raise ValueError(f"days: {days} is not in 1..3650")
    if velocity not in PULLS_PER_DEVELOPER_DAY:
        raise ValueError(f"velocity: {velocity!r} is none of {', '.join(PULLS_PER_DEVELOPER_DAY)}")
    if not 0 <= clone_share <= 1:
        raise ValueError(f"clone_share: {clone_share} is not in 0..1")
    if not -0.9 <= ai_effect <= 0.3:  # a longer one would merge after the look-back of two weeks
        raise ValueError(f"ai_effect: {ai_effect} is not in -0.9..0.3")
    end_ns = to_ns(end or datetime.now(UTC))
    people = organisation(developers, seed, clone_share, ai_effect)
    last_day = (end_ns - 1) // DAY_NS
    with WorldWriter() as writer:
        for name in people.repos:
            writer.add_repo(name)
        shower = Shower(writer, end_ns, utc_offset_min, full_hashes)
        for day in range(last_day - days + 1, last_day + 1):
            for pull in pulls_of_day(people, seed, velocity, day):
                shower.show(pull)
        members = [{"name": p.name, "email": p.email, "role": "member"} for p in people.developers]
        return writer.finish(members=members, end_ns=end_ns, seed=seed)
