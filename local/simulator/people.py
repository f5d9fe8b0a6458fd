"""The developers, bots and outsiders of a generated organisation, and the repositories that they work in."""

from dataclasses import dataclass
from random import Random

BOT_FROM_DEVELOPERS = 5  # a smaller team has neither a bot nor an outside reviewer


@dataclass(frozen=True, slots=True)
class Person:
    """A person who commits. `pr_email` and `pr_name` are those on their pull requests: empty for clones."""

    user_id: str
    email: str
    name: str
    pr_email: str
    pr_name: str
    repos: tuple[str, ...]
    activity: float
    ai_share: float
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Organisation:
    """The people and repositories that all days have in common."""

    developers: tuple[Person, ...]
    bot: Person | None
    outsider: str | None  # reviews, but is no member of the team
    repos: tuple[str, ...]
    ai_effect: float = 0.0  # by which share pull requests with much AI take longer


def organisation(developers: int, seed: int, clone_share: float, ai_effect: float = 0.0) -> Organisation:
    """Return the organisation of this size and seed. The last developers are the clones."""
    random = Random(f"{seed}/{developers}/people")
    repos = tuple(f"acme-corp/service-{n:02d}" for n in range(1, max(2, min(40, developers // 5)) + 1))
    first_clone = developers - round(developers * clone_share)
    people = tuple(_person(n, repos, n >= first_clone, random) for n in range(developers))
    if developers < BOT_FROM_DEVELOPERS:
        return Organisation(people, None, None, repos, ai_effect)
    address, name = "dependency-bot[bot]@users.noreply.example.com", "dependency-bot[bot]"
    bot = Person("user_bot", address, name, address, name, repos, 0.0, 0.0, is_bot=True)
    return Organisation(people, bot, "contractor@partner.example.org", repos, ai_effect)


def _person(index: int, repos: tuple[str, ...], is_clone: bool, random: Random) -> Person:
    number = index + 1
    # one address with a plus: it must be percent-encoded in a query
    email = f"dev{number:03d}+git@example.com" if number % 17 == 3 else f"dev{number:03d}@example.com"
    name = f"Developer {number:03d}"
    home = repos[index % len(repos)]
    return Person(
        user_id=f"user_{number:03d}",
        email=email,
        name=name,
        pr_email="" if is_clone else email,
        pr_name="" if is_clone else name,
        repos=(home, home, home, random.choice(repos)),
        activity=0.6 + 0.8 * random.random(),
        ai_share=0.1 + 0.7 * random.random(),
    )
