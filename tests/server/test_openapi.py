"""The API keeps what its OpenAPI says, for requests that schemathesis makes up from it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, negative_data_rejection, positive_data_acceptance

load_all_checks()
ADDRESSES = ["/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics"]


@pytest.mark.parametrize(
    ("address", "mode"),
    [*((address, GenerationMode.POSITIVE) for address in ADDRESSES), ("/v1/predict", GenerationMode.NEGATIVE)],
)
def test_every_answer_is_one_that_was_announced(server: Any, address: str, mode: GenerationMode) -> None:
    """Its status, type and content for what fits the schema; a refusal for what does not; and never a 500."""
    schema = schemathesis.openapi.from_url(server.address + "openapi.json")
    [operation] = [found.ok() for found in schema.get_all_operations() if found.ok().path == address]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    def ask(case: Any) -> None:
        # Words of a schema make no image, so 422 is right where none of them can be read. A form sends nothing of an
        # empty list, so what does not fit in the schema may be right on the wire.
        excluded = [positive_data_acceptance]
        if case.media_type == "multipart/form-data":
            excluded.append(negative_data_rejection)
        case.call_and_validate(excluded_checks=excluded)

    ask()


def test_the_document_names_every_address_and_leads_nowhere_else(server: Any) -> None:
    said = server.get("/openapi.json")
    assert sorted(said.json()["paths"]) == sorted(ADDRESSES)
    assert "http" not in said.text.replace("http://json-schema.org", "")
