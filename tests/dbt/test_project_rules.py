"""The rules of dbt-project-evaluator, over the manifest of the project as it is built on Snowflake.

Each rule returns the names of what breaks it. `accepted.toml` lists what is accepted, and why.
"""

import copy
import json
import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests import warm
from tests.dbt.conftest import PROJECT

from millrace.api import definitions
from millrace.api.routes import ROUTES

PREFIXES = {"staging": "stg_", "intermediate": "int_", "marts": ""}  # a mart has the name that the business gives it
LEAVES_OF_A_MODEL = 3
PARENTS_OF_A_MODEL = 7
VIEWS_IN_A_CHAIN = 5
GRAINS = {"unique_grain"}
Node = dict[str, Any]


class Project:
    """The models, sources, exposures and data tests of a manifest, by their ids."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        nodes: dict[str, Node] = manifest["nodes"]
        self.models = {id_: node for id_, node in nodes.items() if node["resource_type"] == "model"}
        self.seeds = {id_: node for id_, node in nodes.items() if node["resource_type"] == "seed"}
        self.tests = [node for node in nodes.values() if node["resource_type"] == "test"]
        self.sources: dict[str, Node] = manifest["sources"]
        self.exposures: dict[str, Node] = manifest["exposures"]
        self.readers: dict[str, set[str]] = defaultdict(set)
        for id_, model in self.models.items():
            for parent in parents(model):
                self.readers[parent].add(id_)

    def models_of(self, *layers: str) -> list[Node]:
        return [model for model in self.models.values() if layer_of(model) in layers]

    def attached_to(self, model: str) -> list[Node]:
        return [test for test in self.tests if test.get("attached_node") == model]


def parents(node: Node) -> set[str]:
    return set(node["depends_on"].get("nodes", []))


def sources_of(node: Node) -> set[str]:
    return {parent for parent in parents(node) if parent.startswith("source.")}


def layer_of(model: Node) -> str:
    return str(model["fqn"][1])


def names(nodes: Iterable[Node]) -> set[str]:
    return {f"{node['source_name']}.{node['name']}" if "source_name" in node else node["name"] for node in nodes}


def direct_joins_to_sources(project: Project) -> set[str]:
    return names(m for m in project.models.values() if sources_of(m) and parents(m) - sources_of(m))


def sources_read_beyond_staging(project: Project) -> set[str]:
    return names(m for m in project.models_of("intermediate", "marts") if sources_of(m))


def sources_joined(project: Project) -> set[str]:
    return names(m for m in project.models.values() if len(sources_of(m)) > 1)


def sources_with_several_readers(project: Project) -> set[str]:
    return names(source for id_, source in project.sources.items() if len(project.readers[id_]) > 1)


def unused_sources(project: Project) -> set[str]:
    return names(source for id_, source in project.sources.items() if not project.readers[id_])


def sources_of_one_table(project: Project) -> set[str]:
    tables = [source["relation_name"] for source in project.sources.values()]
    return names(source for source in project.sources.values() if tables.count(source["relation_name"]) > 1)


def staging_models_that_read_models(project: Project) -> set[str]:
    return names(m for m in project.models_of("staging") if parents(m) - sources_of(m))


def models_with_many_leaves(project: Project) -> set[str]:
    def leaves(id_: str) -> int:
        return sum(not project.readers[reader] for reader in project.readers[id_])

    return names(m for id_, m in project.models.items() if leaves(id_) >= LEAVES_OF_A_MODEL)


def models_rejoined_with_their_parent(project: Project) -> set[str]:
    """A model that one other reads, and that other reads a parent of it too."""
    return {
        f"{model['name']} < {project.models[reader]['name']}"
        for id_, model in project.models.items()
        for reader in project.readers[id_]
        if len(project.readers[id_]) == 1 and parents(model) & parents(project.models[reader]) & project.models.keys()
    }


def models_without_parents(project: Project) -> set[str]:
    return names(m for m in project.models.values() if not parents(m))


def models_with_many_parents(project: Project) -> set[str]:
    return names(m for m in project.models.values() if len(parents(m)) >= PARENTS_OF_A_MODEL)


def tables_named_in_sql(project: Project) -> set[str]:
    return names(
        m
        for m in project.models.values()
        if re.search(r"\b(from|join)\s+[\w\"]+\.[\w\"]", m["raw_code"], re.IGNORECASE)
    )


def names_without_the_prefix_of_their_layer(project: Project) -> set[str]:
    others = {
        layer: tuple(each for each in PREFIXES.values() if each and each != own) for layer, own in PREFIXES.items()
    }
    return names(
        m
        for m in project.models.values()
        if not m["name"].startswith(PREFIXES[layer_of(m)]) or m["name"].startswith(others[layer_of(m)])
    )


def models_in_another_folder_than_their_layer(project: Project) -> set[str]:
    return names(
        m
        for m in project.models.values()
        if m["original_file_path"] != f"models/{layer_of(m)}/{m['name']}.sql"
        or m["patch_path"] != f"{m['package_name']}://models/{layer_of(m)}/{m['name']}.yml"
        or m["schema"].lower() != {"marts": "mart"}.get(layer_of(m), layer_of(m))
    )


def models_without_a_test_of_their_grain(project: Project) -> set[str]:
    def grain_tests(id_: str) -> set[str]:
        return {test["test_metadata"]["name"] for test in project.attached_to(id_) if test.get("test_metadata")}

    return names(m for id_, m in project.models.items() if not grain_tests(id_) & GRAINS)


def models_without_a_test(project: Project) -> set[str]:
    return names(m for id_, m in project.models.items() if not project.attached_to(id_))


def what_is_not_described(project: Project) -> set[str]:
    described = {**project.models, **project.seeds, **project.sources, **project.exposures}.values()
    lacking = names(node for node in described if not node["description"])
    lacking |= {source["source_name"] for source in project.sources.values() if not source["source_description"]}
    columns = [(node, name, column) for node in described for name, column in node.get("columns", {}).items()]
    return lacking | {f"{node['name']}.{name}" for node, name, column in columns if not column["description"]}


def chains_of_views(project: Project) -> set[str]:
    def length(id_: str) -> int:
        model = project.models.get(id_)
        if model is None or model["config"]["materialized"] != "view":
            return 0
        return 1 + max(map(length, parents(model)), default=0)

    return names(m for id_, m in project.models.items() if length(id_) >= VIEWS_IN_A_CHAIN)


def public_models_without_a_contract(project: Project) -> set[str]:
    return names(m for m in project.models.values() if m["access"] == "public" and not m["contract"]["enforced"])


def marts_that_are_not_public_and_others_that_are(project: Project) -> set[str]:
    return names(m for m in project.models.values() if (m["access"] == "public") != (layer_of(m) == "marts"))


def exposures_of_what_is_not_public(project: Project) -> set[str]:
    return names(
        each
        for each in project.exposures.values()
        if any(project.models[parent]["access"] != "public" for parent in parents(each))
    )


def exposures_of_views(project: Project) -> set[str]:
    return names(
        each
        for each in project.exposures.values()
        if any(project.models[parent]["config"]["materialized"] == "view" for parent in parents(each))
    )


RULES: tuple[Callable[[Project], set[str]], ...] = (
    *(direct_joins_to_sources, sources_read_beyond_staging, sources_joined, sources_with_several_readers),
    *(unused_sources, sources_of_one_table, staging_models_that_read_models),
    *(models_with_many_leaves, models_rejoined_with_their_parent, models_without_parents, models_with_many_parents),
    *(tables_named_in_sql, names_without_the_prefix_of_their_layer, models_in_another_folder_than_their_layer),
    *(models_without_a_test_of_their_grain, models_without_a_test, what_is_not_described, chains_of_views),
    *(public_models_without_a_contract, marts_that_are_not_public_and_others_that_are),
    *(exposures_of_what_is_not_public, exposures_of_views),
)


def accepted() -> dict[str, set[str]]:
    """Return the accepted exceptions by the rule that they break."""
    found: dict[str, set[str]] = defaultdict(set)
    for group in tomllib.loads(Path(__file__).with_name("accepted.toml").read_text())["accepted"]:
        assert group.pop("reason")
        for rule, exceptions in group.items():
            found[rule] |= set(exceptions)
    return found


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest of the project for Snowflake, which dbt parses without an account."""
    target = tmp_path_factory.mktemp("rules")
    places = {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    where = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "prod")
    parsed = warm.run("dbt", "--quiet", "parse", *where, environment=os.environ | places)
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
    made: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return made


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_only_accepted_exceptions_break_a_rule(manifest: dict[str, Any], rule: Callable[[Project], set[str]]) -> None:
    assert rule(Project(manifest)) == accepted()[rule.__name__]


def test_exceptions_are_of_rules_that_exist() -> None:
    assert accepted().keys() <= {rule.__name__ for rule in RULES}


def reading(model: str, *parents: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that lets a model, or an exposure, read more."""

    def change(manifest: dict[str, Any]) -> None:
        node_of(manifest, model)["depends_on"]["nodes"] += [node_of(manifest, name)["unique_id"] for name in parents]

    return change


def having(model: str, **fields: object) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        node_of(manifest, model).update(fields)

    return change


def as_views(*models: str) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        for model in models:
            node_of(manifest, model)["config"]["materialized"] = "view"

    return change


def untested(manifest: dict[str, Any]) -> None:
    tests = [id_ for id_, node in manifest["nodes"].items() if node.get("attached_node") == "model.millrace.velocity"]
    for test in tests:
        del manifest["nodes"][test]


def node_of(manifest: dict[str, Any], name: str) -> Node:
    everything = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    found: Node = next(node for id_, node in everything.items() if id_.endswith(f".{name}"))
    return found


BROKEN: dict[Callable[[Project], set[str]], Callable[[dict[str, Any]], None]] = {
    direct_joins_to_sources: reading("velocity", "raw.repos"),
    sources_read_beyond_staging: reading("velocity", "raw.repos"),
    sources_joined: reading("stg_repos", "raw.commits"),
    sources_with_several_readers: reading("stg_repos", "raw.commits"),
    unused_sources: having("stg_repos", depends_on={"nodes": []}),
    sources_of_one_table: having("raw.repos", relation_name="MILLRACE.raw.commits"),
    staging_models_that_read_models: reading("stg_repos", "stg_commits"),
    models_with_many_leaves: reading("quality", "int_usage_attributed"),
    models_rejoined_with_their_parent: reading("ai_spend_by_repo_week", "merged_pull_requests"),
    models_without_parents: having("stg_repos", depends_on={"nodes": []}),
    models_with_many_parents: reading(
        "velocity",
        *(f"stg_{name}" for name in ("repos", "commits", "loads", "reviews", "pull_requests", "usage_events")),
    ),
    tables_named_in_sql: having("velocity", raw_code="select * from mart.quality"),
    names_without_the_prefix_of_their_layer: having("stg_repos", name="int_repos"),
    models_in_another_folder_than_their_layer: having("velocity", original_file_path="models/velocity.sql"),
    models_without_a_test_of_their_grain: untested,
    models_without_a_test: untested,
    what_is_not_described: having("velocity", description=""),
    chains_of_views: as_views("int_authors_resolved", "int_reviews_attributed"),
    public_models_without_a_contract: having("velocity", contract={"enforced": False}),
    marts_that_are_not_public_and_others_that_are: having("velocity", access="protected"),
    exposures_of_what_is_not_public: reading("page", "stg_repos"),
    exposures_of_views: reading("page", "stg_repos"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_finds_what_breaks_it(manifest: dict[str, Any], rule: Callable[[Project], set[str]]) -> None:
    broken = copy.deepcopy(manifest)
    BROKEN[rule](broken)
    assert rule(Project(broken)) > accepted()[rule.__name__]


def test_each_route_of_the_read_api_and_the_page_are_exposures(manifest: dict[str, Any]) -> None:
    routes = {f"api_{route.path.replace('/', '_').replace('-', '_')}" for route in ROUTES}
    assert names(manifest["exposures"].values()) == {*routes, "page"}
    read = set().union(*map(parents, manifest["exposures"].values()))
    computed = {f"model.millrace.{name}" for name in definitions.load().models if not name.startswith("int_")}
    assert read == computed
