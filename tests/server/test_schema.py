"""The API's document: it describes what is served, and no request of it breaks the server."""

import json
import subprocess
import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from runtime.server.app import ROUTES
from tests import bundles
from tests.server.running import ROOT, Running, server

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
FEW, MANY = 2, 60  # examples of each operation


@pytest.fixture(scope="module")
def running() -> Running:
    return server()


def tried(running: Running, examples: int) -> int:
    """Send what the document allows and check every answer; the number of operations."""
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:

        @settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck), derandomize=True,
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=running.url, checks=CHECKS, timeout=120)

        holds()
    return len(operations)


def test_no_request_of_the_document_breaks_the_server(running: Running) -> None:
    assert tried(running, FEW) == sum(len(route.methods) for route in ROUTES)


@pytest.mark.full
def test_no_request_of_many_breaks_the_server(running: Running) -> None:
    assert tried(running, MANY) == sum(len(route.methods) for route in ROUTES)


def test_a_load_is_reported(running: Running) -> None:
    command = [sys.executable, "-m", "runtime.server.load", "--url", running.url]
    done = subprocess.run(
        [*command, "--users", "4", "--requests", "8", "--beside", bundles.brief()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["statuses"] == {"200": 8}
    assert found["same_bytes"]
    assert len(found["server_mb"]) == 2
    assert found["library_first_sound_ms"]["p50"] > 0
    assert 0 < found["first_sound_ms"]["p50"] <= found["first_sound_ms"]["p99"]
