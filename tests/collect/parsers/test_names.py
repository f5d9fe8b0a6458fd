"""A model's name leaves the machine as it is read, without what could name an account, a place or a person."""

import re

import pytest
from hypothesis import given, strategies as st

from millrace.collect.parsers.fields import read_id, read_model, read_name
from millrace.collect.parsers.naming import hashed, id_name, model_name

HASH = re.compile(r"h-[0-9a-f]{16}")
_ACCOUNT = "123456789012"
_BEDROCK = f"arn:aws:bedrock:us-east-1:{_ACCOUNT}"


@pytest.mark.parametrize(
    "name",
    [
        *("claude-sonnet-4-5-20250929", "claude-opus-4-6[1m]", "claude-haiku-4-5@20251001", "claude-opus-5-5@default"),
        *("us.anthropic.claude-opus-4-6-v1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "text-bison@002"),
        *("anthropic/claude-sonnet-4.5", "anthropic/claude-3.7-sonnet:thinking", "openrouter/anthropic/claude-opus-5"),
        *("bedrock/us-east-1/anthropic.claude-v2:1", "vertex_ai/claude-opus-4@20250514", "z-ai/glm-4.6:free"),
        *("@cf/meta/llama-3.1-8b-instruct", "@hf/thebloke/zephyr-7b-beta-awq", "cloudflare/@cf/meta/llama-2-7b"),
        *("@azure-openai/gpt-5.4", "~anthropic/claude-opus-latest", "~openai/gpt-latest", "qwen3-coder:480b-cloud"),
        *(
            "accounts/fireworks/models/kimi-k2p5",
            "fireworks_ai/accounts/fireworks/models/glm-4p6",
            "models/gemini-3-pro",
        ),
        *(
            "Claude Sonnet 4.5",
            "Claude Opus 4.6 (Thinking)",
            "gpt-5 (high)",
            "GPT-5.4 Mini",
            "Kimi K2 Instruct",
            "glm-5.1",
        ),
        *("Gemini 3 Pro (preview)", "MiniMax-M2.5", "Qwen/Qwen3-Coder-480B-A35B-Instruct", "grok-code-fast-1", "o3"),
    ],
)
def test_a_models_name_is_sent_as_it_is(name: str) -> None:
    assert read_model({"model": name}, "model") == name


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (f"{_BEDROCK}:inference-profile/us.anthropic.claude-opus-4-6-v1", "us.anthropic.claude-opus-4-6-v1"),
        (f"bedrock/converse/{_BEDROCK}:inference-profile/eu.amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("arn:aws-us-gov:bedrock:x:1:prompt-router/anthropic.claude:1", "anthropic.claude:1"),
        (
            "projects/acme-7/locations/us/publishers/anthropic/models/claude-opus-4-6@20260101",
            "claude-opus-4-6@20260101",
        ),
        ("vertex_ai/projects/acme-7/locations/us/publishers/google/models/gemini-3-pro", "gemini-3-pro"),
        ("accounts/alice-smith-12/models/kimi-k2", "kimi-k2"),
        ("https://acme.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2", "gpt-4o"),
        ("azure/deployments/gpt-5-mini", "gpt-5-mini"),
        ("  claude-opus-4-6 ", "claude-opus-4-6"),
    ],
)
def test_what_is_before_the_models_name_is_cut_off(name: str, sent: str) -> None:
    assert read_model({"model": name}, "model") == sent


@pytest.mark.parametrize(
    "name",
    [
        *(f"{_BEDROCK}:application-inference-profile/abc123def456", f"{_BEDROCK}:inference-profile/abc123def456"),
        *(
            f"{_BEDROCK}:provisioned-model/x.claude-y",
            f"{_BEDROCK}:custom-model/a.b/c",
            f"bedrock/{_BEDROCK}",
            _ACCOUNT,
        ),
        *(
            f"arn:aws:sagemaker:us-east-1:{_ACCOUNT}:endpoint/claude",
            "projects/acme/locations/us/endpoints/42",
            "arn:x",
        ),
        *(f"bedrock/{_ACCOUNT}/claude", "projects/acme/models/home/alice", "accounts/alice/deployments/x/y", "@alice"),
        *(
            "https://acme.internal/v1/claude",
            "acme.internal:8080/v1",
            "~alice/llama",
            "~/llama",
            "./llama",
            "C:\\llama",
        ),
        *(
            "alice@example.com",
            "anthropic/alice@example.com",
            "claude@acme.corp",
            "delete the invoices",
            "claude delete it",
        ),
        *(
            "Claude (for alice)",
            "gpt-5 of 2026 for ada lovelace",
            "modèle",
            "モデル",
            "\ud800",
            "a\nb",
            "a\0b",
            "<b>",
            "a=b",
        ),
        *("sk-ant-api03-AAAAAAAAAAAAAAAAAAAA", "Bearer abcdefgh", "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c", "x" * 121, "-x"),
        *("https://x.azure.com/openai/deployments/alice@example.com/y", "models/gemini/../../alice", "(", "[1m]", "''"),
    ],
)
def test_what_could_be_an_account_a_place_a_person_a_key_or_a_text_is_hashed(name: str) -> None:
    assert read_model({"model": name}, "model") == hashed(name)


@given(st.text(min_size=1))
def test_any_text_is_a_model_an_id_and_a_provider(text: str) -> None:
    record = {"name": text}
    kept = [read_model(record, "name"), read_id(record, "name"), read_name(record, "name")]
    assert all(value is None or (value.isascii() and value.isprintable() and len(value) <= 200) for value in kept)
    assert all((value is None) == (not text.strip()) for value in kept)
    assert all(value is None or value == hashed(text) or value in text for value in kept)


@given(st.text(min_size=1))
def test_a_name_that_was_read_once_stays(text: str) -> None:
    model, name = read_model({"name": text}, "name"), read_id({"name": text}, "name")
    assert model is None or model_name(model) == model
    assert name is None or id_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["resp_bGl0ZQ==", "-ZkHaYuAD9Ws1MkP", "gen/1764/abc", "m" * 201, "a b", "é", "@x", "alice@example.com", "+1"],
)
def test_an_id_of_any_form_is_hashed(name: str) -> None:
    assert read_id({"id": name}, "id") == hashed(name)


@pytest.mark.parametrize(
    "name", ["my company", "alice@example.com", "/home/alice", "sk-ant-api03-AAAAAAAAAAAAAAAAAAAA", "é"]
)
def test_a_provider_that_is_no_name_is_hashed(name: str) -> None:
    assert read_name({"provider": name}, "provider") == hashed(name)


@pytest.mark.parametrize("name", ["OpenAI", "amazon-bedrock", "packycode", "azure", "openrouter"])
def test_a_providers_name_is_sent_as_it_is(name: str) -> None:
    assert read_name({"provider": name}, "provider") == name


@pytest.mark.parametrize("name", [None, "", " "])
def test_no_name_is_unknown(name: str | None) -> None:
    assert {read(record, "x") for record in ({"x": name}, {}) for read in (read_model, read_id, read_name)} == {None}
    assert HASH.fullmatch(hashed(""))
