"""The OpenAPI document is held to the code: schemathesis asks what it permits, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from logagg.serve.api import ENDPOINTS
from logagg.serve.guard import Access
from tests.units.serve.conftest import OpenClient

WITH_PARAMETERS = [f"/api/{one.path}" for one in ENDPOINTS]
WITHOUT = ["/api/status", "/api/openapi.json", "/metrics"]  # events do not end
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def schema(client_of: OpenClient) -> Any:
    client = client_of(Access(hosts=("testserver",)))
    return schemathesis.openapi.from_asgi("/api/openapi.json", client.app)


@pytest.mark.parametrize(
    ("path", "mode"),
    [*((one, mode) for one in WITH_PARAMETERS for mode in (POSITIVE, NEGATIVE)), *((one, POSITIVE) for one in WITHOUT)],
)
@pytest.mark.slow
def test_the_server_answers_as_it_says(path: str, mode: GenerationMode, schema: Any) -> None:
    operation = schema[path]["GET"]

    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        # A window that ends before it begins is refused, which a schema cannot say.
        case.validate_response(case.call(), excluded_checks=[positive_data_acceptance])

    ask()
