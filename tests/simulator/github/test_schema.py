"""The served schema is a part of GitHub's: each type, field, argument and value is as there."""

import gzip
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    print_ast,
    validate_schema,
)
from tests.simulator.github.cutting import cut_schema, served
from tests.simulator.github.refresh import PINNED, SERVED

FULL_TEXT = gzip.decompress((PINNED / "schema.graphql.gz").read_bytes()).decode()
CUT_TEXT = (SERVED / "schema.graphql").read_text()


@pytest.fixture(scope="module")
def full() -> GraphQLSchema:
    """GitHub's schema."""
    return build_schema(FULL_TEXT, assume_valid=True)


@pytest.fixture(scope="module")
def cut() -> GraphQLSchema:
    """The part that is served."""
    return build_schema(CUT_TEXT)


def default_of(given: GraphQLArgument | GraphQLInputField) -> str | None:
    """Return the default of an argument as it is written, or None."""
    node = given.ast_node.default_value if given.ast_node else None
    return print_ast(node) if node else None


def parts(kind: Any) -> dict[str, Any]:
    """Return the parts of a type by name, each as what has to be equal."""
    if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
        fields = {name: (str(field.type), field.deprecation_reason) for name, field in kind.fields.items()}
        arguments = {
            f"{name}({argument})": (str(given.type), default_of(given))
            for name, field in kind.fields.items()
            for argument, given in field.args.items()
        }
        return fields | arguments | {f"implements {each.name}": True for each in kind.interfaces}
    if isinstance(kind, GraphQLInputObjectType):
        return {name: (str(field.type), default_of(field)) for name, field in kind.fields.items()}
    if isinstance(kind, GraphQLEnumType):
        return {name: value.deprecation_reason for name, value in kind.values.items()}
    return {each.name: True for each in kind.types} if isinstance(kind, GraphQLUnionType) else {}


@pytest.mark.parametrize("name", sorted(served()))
def test_served_type_is_as_in_full_schema(name: str, full: GraphQLSchema, cut: GraphQLSchema) -> None:
    there, here = full.type_map[name], cut.type_map[name]
    of_full = parts(there)

    assert type(here) is type(there)
    assert {part: value for part, value in parts(here).items() if of_full.get(part) != value} == {}


def test_schema_is_valid_and_cut_from_pinned_file(cut: GraphQLSchema) -> None:
    assert validate_schema(cut) == []
    assert cut_schema(FULL_TEXT) == CUT_TEXT


def test_required_argument_is_not_cut(full: GraphQLSchema, cut: GraphQLSchema) -> None:
    lacking = [
        f"{kind.name}.{name}({argument})"
        for kind in cut.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name, field in kind.fields.items()
        for argument, given in full.type_map[kind.name].fields[name].args.items()  # type: ignore[attr-defined]
        if str(given.type).endswith("!") and argument not in field.args
    ]
    assert lacking == []


def test_field_that_schema_has_renamed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected PullRequest with \[\('isDraft', ''\)\]"):
        cut_schema(FULL_TEXT.replace("  isDraft: Boolean!", "  draft: Boolean!"))
