"""A listing returns exactly the rows of the source, by either plan, with few requests."""

import pytest
from tests.extract.answering import Said, answers_of, flat
from tests.extract.conftest import END
from tests.extract.reading import (
    EXTRACTED_AT,
    PLAIN,
    distinct,
    given_by,
    keys_of,
    listing_of,
    read_answers,
    read_world,
    totals_of,
    truth,
)
from tests.simulator.rows import pull

import simulator
from simulator import InjectedFaults

WORLDS = [
    pytest.param({"developers": 2, "days": 90}, id="two developers"),
    pytest.param({"developers": 5, "days": 90}, id="five developers"),
    pytest.param({"developers": 30, "days": 40}, id="thirty developers"),
    pytest.param({"developers": 20, "days": 40, "clone_share": 0.5}, id="half of them clones without e-mail"),
    pytest.param({"developers": 4, "days": 60, "clone_share": 1.0}, id="nobody with an e-mail"),
    pytest.param({"developers": 2, "days": 3}, id="one page of everything"),
    pytest.param({"developers": 5, "days": 40, "utc_offset_min": -240}, id="instants four hours behind"),
    pytest.param({"developers": 5, "days": 40, "utc_offset_min": 345}, id="instants of Kathmandu"),
    pytest.param({"developers": 8, "days": 60, "velocity": "high", "seed": 3}, id="busy people"),
]


@pytest.mark.parametrize("options", WORLDS)
def test_bulk_plan_returns_exactly_the_source_rows(options: dict[str, int]) -> None:
    world = simulator.generate(**({"seed": 7} | options), end=END)  # type: ignore[arg-type]
    reading = read_world(world)
    assert given_by(reading) == truth(world)
    assert set(reading.plans.values()) == {"bulk"}
    assert {listing.known for listing in reading.listings.values()} == {0}
    assert totals_of(reading) == {name: len(rows) for name, rows in truth(world).items()}


@pytest.mark.parametrize("options", WORLDS[:2] + WORLDS[3:8])
def test_plain_plan_returns_exactly_the_source_rows(options: dict[str, int]) -> None:
    world = simulator.generate(**({"seed": 7} | options), end=END)  # type: ignore[arg-type]
    reading = read_world(world, faults=PLAIN)
    assert given_by(reading) == truth(world)
    assert reading.plans == {"repos": "bulk", "commits": "bulk", "pull_requests": "plain", "reviews": "plain"}
    assert totals_of(reading) == {name: len(rows) for name, rows in truth(world).items()}


@pytest.mark.parametrize("faults", [InjectedFaults(), PLAIN], ids=["bulk", "plain"])
def test_empty_source_returns_no_rows(faults: InjectedFaults) -> None:
    reading = read_world(simulator.World.of(end="2026-11-01T00:00:00Z"), faults=faults)
    assert reading.rows == {"repos": [], "commits": [], "pull_requests": [], "reviews": []}
    assert reading.requests <= 6


@pytest.mark.parametrize(
    ("options", "most"),
    [
        pytest.param({"developers": 5, "days": 90}, 45, id="five developers for ninety days"),
        pytest.param({"developers": 2, "days": 3}, 7, id="one page each, and one beyond it of three"),
        pytest.param({"developers": 30, "days": 90}, 280, id="thirty developers for ninety days"),
    ],
)
def test_the_bulk_plan_asks_for_little(options: dict[str, int], most: int) -> None:
    world = simulator.generate(**options, seed=7, end=END)  # type: ignore[arg-type]
    assert read_world(world).requests <= most


def test_no_row_of_a_source_with_addresses_for_all_is_given_twice() -> None:
    reading = read_world(simulator.generate(developers=5, days=90, seed=7, end=END, clone_share=0.0))
    assert {name: len(rows) for name, rows in reading.rows.items()} == totals_of(reading)


def test_reviewers_and_authors_are_found_without_a_members_route(usual_world: simulator.World) -> None:
    missing = Said(404, b"404 page not found\n")
    answers = answers_of(usual_world, instead=lambda target: missing if target == "/teams/members" else None)
    assert given_by(read_answers(answers)) == truth(usual_world)


def test_people_who_are_no_members_are_found(usual_world: simulator.World) -> None:
    nobody = Said(200, b'{"teamMembers":[{"name":"New"},{"email":null},"x",{"email":"new@example.com"}]}')
    answers = answers_of(usual_world, instead=lambda target: nobody if target == "/teams/members" else None)
    assert given_by(read_answers(answers)) == truth(usual_world)


@pytest.mark.parametrize("plain_only", [False, True], ids=["bulk", "plain"])
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"error_rate": 0.2}, id="one answer in five an error"),
        pytest.param({"too_many_rate": 0.3}, id="one answer in three over the limit"),
        pytest.param({"truncated_rate": 0.2}, id="one body in five truncated"),
        pytest.param({"half_json_rate": 0.2}, id="half of the JSON in one of five"),
        pytest.param({"error_rate": 0.1, "truncated_rate": 0.1, "half_json_rate": 0.1, "too_many_rate": 0.1}, id="all"),
    ],
)
def test_a_source_with_faults_is_read_whole(faults: dict[str, float], plain_only: bool) -> None:
    world = simulator.generate(developers=3, days=60, seed=7, end=END)
    reading = read_world(world, faults=InjectedFaults(**faults, plain_only=plain_only, seed=11))  # type: ignore[arg-type]
    assert given_by(reading) == truth(world)
    setbacks = [(each.client.stats.retries, each.client.stats.rate_limited) for each in reading.listings.values()]
    assert sum(map(sum, setbacks)) > 0


@pytest.mark.parametrize("appearing", [3, 15, 40])
@pytest.mark.parametrize("plain_only", [False, True], ids=["bulk", "plain"])
def test_no_row_that_was_there_before_is_lost_while_others_appear(appearing: int, plain_only: bool) -> None:
    world = simulator.generate(developers=5, days=60, seed=7, end=END, clone_share=0.2)
    reading = read_world(world, faults=InjectedFaults(appearing=appearing, plain_only=plain_only))
    rows = {"commits": world.commits.rows, "pull_requests": world.pulls.rows, "reviews": world.reviews.rows}
    lost = {name: distinct(list(every)[:-appearing]) - distinct(reading.rows[name]) for name, every in rows.items()}
    invented = {name: distinct(reading.rows[name]) - distinct(every) for name, every in rows.items()}
    assert (lost, invented) == ({name: set() for name in rows}, {name: set() for name in rows})
    assert {name: len(keys_of(reading, name)) for name in rows} == {name: totals_of(reading)[name] for name in rows}


def test_pull_requests_added_after_repository_count_are_all_read() -> None:
    pulls = [pull(n, f"2026-10-{n % 28 + 1:02d}T10:00:00Z") for n in range(1, 206)]
    world = simulator.World.of(pull_requests=pulls, end=EXTRACTED_AT)
    answers = answers_of(world, instead=lambda target: Said(404) if target.startswith("/analytics/github") else None)
    listing = listing_of(
        answers, "pull_requests", parents=[{"full_name": "acme/web", "total_pull_requests_count": 200}]
    )
    assert distinct(flat(listing.rows())) == distinct(pulls)
    assert listing.source_total == 205
