"""A function handles its requests whatever signature type the platform states, and when it states none."""

import json
from datetime import UTC, datetime

import functions_framework
import pytest
from tests.deploy.functions.deployed import PROJECT, Deployed, requested

from millrace.tables import ENDPOINTS


@pytest.mark.parametrize("stated", ["http", None], ids=["http", "none"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_extract_function_handles_a_push_under_any_stated_type(
    functions: Deployed, endpoint: str, stated: str | None
) -> None:
    functions.monkeypatch.delenv("FUNCTION_SIGNATURE_TYPE", raising=False)
    if stated:
        functions.monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", stated)
    source = str(PROJECT / "functions" / "extract" / "main.py")
    application = functions_framework.create_app(f"extract_{endpoint}", source)
    message = requested(endpoint) | {"publishTime": datetime.now(UTC).isoformat()}
    body = {"message": message, "subscription": "projects/p/subscriptions/s"}
    answer = application.test_client().post("/", data=json.dumps(body), content_type="application/json")
    assert "has no plan" in answer.get_data(as_text=True)
