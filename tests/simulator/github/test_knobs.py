"""Each knob does what it says, and nothing else changes."""

import dataclasses
import json

import pytest
from tests.simulator.github.client import PULLS, REPOSITORIES, GitHubClient
from tests.simulator.github.conftest import Serve

from simulator.github import Knobs, generate

ASKED = {"owner": "acme", "name": "shop", "field": "CREATED_AT", "direction": "ASC"}
REST = "/repos/acme/shop/pulls?state=all&per_page=50"


def numbers(client: GitHubClient, order: str) -> list[int]:
    return [each["number"] for each in client.pulls(first=50, order=order)]


def test_each_knob_cites_its_source() -> None:
    assert [each.name for each in dataclasses.fields(Knobs) if not each.metadata.get("source")] == ["seed"]


def test_touching_shifts_pages_of_updated_and_not_of_created(serve: Serve) -> None:
    company = generate(repositories=1, pulls=230)
    client = serve(company, touched_between_pages=1)

    created = [each["number"] for each in client.listed(f"{REST}&sort=created&direction=asc")]
    updated = [each["number"] for each in client.listed(f"{REST}&sort=updated&direction=asc")]

    assert (len(created), len(set(created))) == (230, 230)
    assert len(updated) == 230 > len(set(updated))  # the total is right all the same


def test_touched_pull_request_has_review_and_newer_update(serve: Serve) -> None:
    client = serve(generate(repositories=1, pulls=10), touched_between_pages=1)
    before = {each["number"]: each for each in client.pulls_page()["nodes"]}
    after = {each["number"]: each for each in client.pulls_page()["nodes"]}

    (changed,) = [number for number in before if before[number] != after[number]]
    assert after[changed]["updatedAt"] > max(each["updatedAt"] for each in before.values())
    assert after[changed]["reviews"]["totalCount"] == before[changed]["reviews"]["totalCount"] + 1


def test_cursors_of_updated_miss_rows_that_move(serve: Serve) -> None:
    client = serve(generate(repositories=1, pulls=230), touched_between_pages=5)

    descending = numbers(client, "UPDATED_AT DESC")

    assert len(set(descending)) < 230


def test_opened_pull_requests_come_last(serve: Serve) -> None:
    client = serve(generate(repositories=1, pulls=100), opened_between_pages=2)

    found = numbers(client, "CREATED_AT ASC")

    assert found[:100] == list(range(1, 101))
    assert found[100:] == [101, 102, 103, 104]


def test_repository_renamed_after_first_page_is_followed(serve: Serve) -> None:
    client = serve(renamed_between_pages=(("shop", "store"),))
    first = client.pulls_page(first=20)
    rest = client.ask(PULLS, **ASKED, first=20, after=first["pageInfo"]["endCursor"])["repository"]

    assert (rest["nameWithOwner"], rest["databaseId"]) == ("acme/store", 7100001)
    assert rest["pullRequests"]["nodes"][0]["number"] == 21
    assert client.get("/repos/acme/shop/pulls").status_code == 301


def test_transferred_repository_leaves_account(serve: Serve) -> None:
    client = serve(transferred_between_pages=(("shop", "others"),))
    first = client.pulls_page(first=20)
    rest = client.ask(PULLS, **ASKED, first=20, after=first["pageInfo"]["endCursor"])["repository"]
    listed = client.ask(REPOSITORIES, owner="acme")["repositoryOwner"]["repositories"]

    assert rest["nameWithOwner"] == "others/shop"
    assert [each["nameWithOwner"] for each in listed["nodes"]] == ["acme/api", "acme/web"]


def test_replaced_repository_has_other_id_under_old_name(serve: Serve) -> None:
    client = serve(replaced_between_pages=("shop",))
    client.pulls_page(first=20)

    repository = client.ask(PULLS, **ASKED, first=20)["repository"]

    assert (repository["databaseId"], repository["pullRequests"]["totalCount"]) == (7600001, 0)


def test_repository_deleted_after_listing_is_gone(serve: Serve) -> None:
    client = serve(deleted_after_listing=("shop",))
    listed = client.ask(REPOSITORIES, owner="acme")["repositoryOwner"]["repositories"]["nodes"]

    assert "acme/shop" in [each["nameWithOwner"] for each in listed]
    assert client.errors(PULLS, **ASKED, first=1)[0]["type"] == "NOT_FOUND"
    assert client.get("/repos/acme/shop").status_code == 404


def test_vanishing_pull_requests_lower_total_after_first_page(serve: Serve) -> None:
    client = serve(vanishing_pulls=3)

    totals = [client.pulls_page(first=20)["totalCount"] for _ in range(3)]

    assert totals == [40, 37, 37]


def test_data_oddities_are_each_of_one_pull_request(serve: Serve) -> None:
    client = serve(
        generate(repositories=1, pulls=9),
        ghost_author=True,
        bot_author=True,
        deleted_fork=True,
        dismissed_review=True,
        pending_review=True,
        long_reviews=31,
        long_commits=260,
        force_push=True,
    )
    ghost, bot, fork, dismissed, pending, reviews, commits, pushed, _ = client.pulls_page()["nodes"]

    assert ghost["author"] is None
    assert bot["author"] == {"__typename": "Bot", "login": "dependabot", "databaseId": 49699333}
    assert fork["isCrossRepository"] is True
    assert "DISMISSED" in [each["state"] for each in dismissed["reviews"]["nodes"]]
    assert [each["submittedAt"] for each in pending["reviews"]["nodes"] if each["state"] == "PENDING"] == [None]
    assert (len(reviews["reviews"]["nodes"]), reviews["reviews"]["totalCount"]) == (30, 31)
    assert (commits["commits"]["totalCount"], commits["commits"]["pageInfo"]["hasNextPage"]) == (260, True)
    event = pushed["timelineItems"]["nodes"][-1]
    assert event["afterCommit"]["oid"] == pushed["headRefOid"] != event["beforeCommit"]["oid"]
    rebased = pushed["commits"]["nodes"][0]["commit"]
    assert rebased["authoredDate"] < rebased["committedDate"]


def test_squash_leaves_one_commit_on_default_branch(serve: Serve) -> None:
    company = generate(repositories=1, pulls=10)
    client = serve(company, squash_merges=True)
    pull = next(
        each for each in client.pulls_page()["nodes"] if each["commits"]["totalCount"] > 1 and each["mergeCommit"]
    )

    on_branch = {each.sha for each in company.repositories[0].history}

    assert pull["mergeCommit"]["oid"] in on_branch
    assert not {each["commit"]["oid"] for each in pull["commits"]["nodes"]} & on_branch


def test_repositories_are_archived_empty_and_disabled_by_name(serve: Serve) -> None:
    client = serve(archived=("shop",), empty=("api",), pulls_disabled=("web",))
    nodes = client.ask(REPOSITORIES, owner="acme")["repositoryOwner"]["repositories"]["nodes"]
    api, shop, web = nodes

    assert shop["isArchived"] is True
    assert (api["isEmpty"], api["defaultBranchRef"], api["pushedAt"]) == (True, None, None)
    assert web["pullRequests"]["totalCount"] == 0


def test_knob_of_unknown_repository_is_refused(serve: Serve) -> None:
    with pytest.raises(ValueError, match="archived: expected some of api, shop, web, got shopp"):
        serve(archived=("shopp",))


def test_knobs_about_data_change_nothing_a_second_time(serve: Serve) -> None:
    company = generate(repositories=1, pulls=9)
    knobs = {
        "long_reviews": 31,
        "long_commits": 40,
        "force_push": True,
        "dismissed_review": True,
        "squash_merges": True,
    }
    first = serve(company, **knobs).pulls_page()

    assert serve(company, **knobs).pulls_page() == first


def test_hidden_repository_is_forbidden_in_graphql(serve: Serve) -> None:
    client = serve(sso_hidden=("shop",))

    (error,) = client.errors(PULLS, **ASKED, first=1)

    assert (error["type"], error["extensions"]) == ("FORBIDDEN", {"saml_failure": True})


def test_bad_gateways_are_of_these_requests_and_cost(serve: Serve) -> None:
    client = serve(bad_gateways=range(2, 4))

    statuses = [client.post(PULLS, **ASKED, first=50).status_code for _ in range(4)]

    assert statuses == [200, 502, 502, 200]
    assert [each.points for each in client.served.log.requests] == [3, 1, 1, 3]


def test_heavy_query_is_502_and_costs_twice(serve: Serve) -> None:
    client = serve(too_heavy_above_nodes=3000)

    heavy = client.post(PULLS, **ASKED, first=50)
    light = client.post(PULLS, **ASKED, first=20)

    assert (heavy.status_code, light.status_code) == (502, 200)
    assert [each.points for each in client.served.log.requests] == [6, 1]


def test_slow_query_is_502_above_ten_seconds(serve: Serve) -> None:
    client = serve(node_s=0.003)

    assert client.post(PULLS, **ASKED, first=50).status_code == 502
    assert client.post(PULLS, **ASKED, first=20).status_code == 200


def test_partial_answer_has_half_of_rows_and_error_at_200(serve: Serve) -> None:
    client = serve(partial_at=(1,))
    response = client.post(PULLS, **ASKED, first=20)
    body = response.json()

    assert response.status_code == 200
    assert body["errors"][0]["message"] == "Resource limits for this query exceeded."
    assert len(body["data"]["repository"]["pullRequests"]["nodes"]) == 10
    assert len(client.pulls_page(first=20)["nodes"]) == 20


def test_partial_answer_follows_from_nodes(serve: Serve) -> None:
    client = serve(partial_above_nodes=3000)

    assert "errors" in client.post(PULLS, **ASKED, first=50).json()
    assert "errors" not in client.post(PULLS, **ASKED, first=20).json()


def test_rate_limited_query_is_200_with_type(serve: Serve) -> None:
    client = serve(rate_limited_at=(1,))

    (error,) = client.errors(PULLS, **ASKED, first=1)

    assert error["type"] == "RATE_LIMITED"
    assert client.served.log.limited == 1


def test_rate_limit_lasts_until_reset(serve: Serve) -> None:
    client = serve(rate_limited_at=(1,))
    refused = client.post(PULLS, **ASKED, first=1)

    again = client.errors(PULLS, **ASKED, first=1)[0]["type"]
    client.served.clock.advance(int(refused.headers["X-RateLimit-Reset"]) - client.served.clock.now_s())

    assert (refused.headers["X-RateLimit-Remaining"], again) == ("0", "RATE_LIMITED")
    assert client.pulls_page(first=1)["nodes"]


def test_secondary_limit_has_retry_after_or_only_its_text(serve: Serve) -> None:
    client = serve(secondary_at=(1,), secondary_without_headers_at=(2,))
    first = client.post(PULLS, **ASKED, first=1)
    client.served.clock.advance(60)
    second = client.post(PULLS, **ASKED, first=1)
    client.served.clock.advance(60)
    third = client.post(PULLS, **ASKED, first=1)

    assert (first.status_code, first.headers["Retry-After"]) == (403, "60")
    assert (second.status_code, "Retry-After" in second.headers) == (403, False)
    assert "secondary rate limit" in second.json()["message"]
    assert second.headers["X-RateLimit-Remaining"] != "0"
    assert third.status_code == 200


@pytest.mark.parametrize("knob", ["secondary_at", "secondary_without_headers_at", "secondary_at_200"])
def test_secondary_limit_lasts_a_minute(serve: Serve, knob: str) -> None:
    client = serve(**{knob: (1,)})
    refused = client.post(PULLS, **ASKED, first=1)

    client.served.clock.advance(59)
    again = client.post(PULLS, **ASKED, first=1)
    client.served.clock.advance(1)

    assert (again.status_code, again.json()) == (refused.status_code, refused.json())
    assert "errors" not in client.post(PULLS, **ASKED, first=1).json()
    assert client.served.log.while_limited == 1


def test_token_that_expires_is_refused_from_then_on(serve: Serve) -> None:
    client = serve(token_expires_at=2)

    statuses = [client.post(PULLS, **ASKED, first=1).status_code for _ in range(3)]

    assert statuses == [200, 401, 401]


def test_server_without_graphql_is_404_there(serve: Serve) -> None:
    client = serve(has_graphql=False)

    assert client.post(PULLS, **ASKED, first=1).status_code == 404
    assert client.get("/user").status_code == 200


def test_same_knobs_and_requests_give_same_bytes(serve: Serve) -> None:
    knobs = {"touched_between_pages": 2, "opened_between_pages": 1, "vanishing_pulls": 1}
    one, other = (serve(generate(), **knobs) for _ in range(2))

    read = [json.dumps(list(client.pulls(first=10))) for client in (one, other)]

    assert read[0] == read[1]


def test_forbidden_repository_is_listed_and_not_read(serve: Serve) -> None:
    client = serve(forbidden=("shop",))
    listed = client.get("/orgs/acme/repos").json()

    assert "shop" in [each["name"] for each in listed]
    assert client.errors(PULLS, **ASKED, first=1)[0]["type"] == "FORBIDDEN"
    assert client.get("/repos/acme/shop").status_code == 200
    refused = client.get("/repos/acme/shop/pulls")
    assert (refused.status_code, refused.headers["X-Accepted-GitHub-Permissions"]) == (403, "pull_requests=read")
    assert client.get("/repos/acme/shop/commits").status_code == 403


def test_collaborations_are_listed_unless_owners_are_asked_for(serve: Serve) -> None:
    client = serve(collaborations=("shop",))
    own = REPOSITORIES.replace("first: 100,", "first: 100, ownerAffiliations: [OWNER],")

    everything = client.ask(REPOSITORIES, owner="acme")["repositoryOwner"]["repositories"]["nodes"]
    owned = client.ask(own, owner="acme")["repositoryOwner"]["repositories"]["nodes"]

    assert [each["nameWithOwner"] for each in everything] == ["acme/api", "friends/shop", "acme/web"]
    assert [each["nameWithOwner"] for each in owned] == ["acme/api", "acme/web"]


def test_pushed_commits_shift_pages_of_branch_and_not_of_its_old_head(serve: Serve) -> None:
    company = generate(repositories=1, pulls=100)
    client = serve(company, pushed_between_pages=3)
    repository = company.repositories[0]
    head, before = repository.history[0].sha, {each.sha for each in repository.history}
    pinned = """query($head: GitObjectID!, $after: String) { repository(owner: "acme", name: "shop") {
      object(oid: $head) { ... on Commit { history(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor } nodes { oid } } } } } }"""

    first = client.ask(pinned, head=head)["repository"]["object"]["history"]
    found = [each["oid"] for each in first["nodes"]]
    after = first["pageInfo"]["endCursor"]
    while after:
        page = client.ask(pinned, head=head, after=after)["repository"]["object"]["history"]
        found += [each["oid"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
    drifted = [each["sha"] for each in client.listed("/repos/acme/shop/commits?per_page=100")]

    assert (len(found), set(found)) == (len(before), before)
    assert len(drifted) > len(set(drifted))


def test_limit_may_be_429_and_spelt_otherwise(serve: Serve) -> None:
    client = serve(limit_status=429, is_limit_spelt_short=True, secondary_at=(1,), rate_limited_at=(2,))

    assert client.post(PULLS, **ASKED, first=1).status_code == 429
    client.served.clock.advance(60)
    assert client.errors(PULLS, **ASKED, first=1)[0]["type"] == "RATE_LIMIT"


def test_secondary_limit_of_graphql_may_be_an_error_at_200(serve: Serve) -> None:
    client = serve(secondary_at_200=(1,))

    (error,) = client.errors(PULLS, **ASKED, first=1)

    assert "secondary rate limit" in error["message"]


def test_older_server_lacks_fields_and_says_so(serve: Serve) -> None:
    client = serve(generate(has_long_ids=False), lacks=("PullRequest.isDraft", "PullRequest.fullDatabaseId"))
    known = client.ask('{ __type(name: "PullRequest") { fields(includeDeprecated: true) { name } } }')["__type"][
        "fields"
    ]
    numbered = '{ repository(owner: "acme", name: "shop") { pullRequest(number: 1) { databaseId } } }'

    assert not {"isDraft", "fullDatabaseId"} & {each["name"] for each in known}
    assert "isDraft" in " ".join(each["message"] for each in client.errors(PULLS, **ASKED, first=1))
    assert client.ask(numbered)["repository"]["pullRequest"] == {"databaseId": 1}


def test_field_that_server_never_had_is_refused(serve: Serve) -> None:
    with pytest.raises(ValueError, match=r"lacks: expected fields such as PullRequest\.isDraft, got 'draft'"):
        serve(lacks=("PullRequest.draft",))
