"""The automation API against its own description: what schemathesis makes of it (schemathesis 4)."""

import os
from collections import Counter
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig

from tests.fuzz.test_http import fault_of
from tests.fuzz.wire import Got
from tests.provider import Provider
from tests.stack import API_SCOPE

pytestmark = pytest.mark.services
EXAMPLES = 200 if os.environ.get("GONGMU_SOAK") else 3


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_automation_api_withstands_schemathesis(fuzzed: Provider, mode: GenerationMode) -> None:
    address = f"{fuzzed.issuer}/api/v1/openapi.json"
    schema = schemathesis.openapi.from_url(address, config=SchemathesisConfig())
    headers = {"Authorization": f"Bearer {fuzzed.token(' '.join(API_SCOPE))}"}
    statuses: Counter[int] = Counter()

    def withstands(case: Case) -> None:
        answer = case.call(headers=headers, timeout=5)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=[not_a_server_error])
        assert not fault_of(Got(answer.status_code, str(answer.headers), answer.text, 0))

    for found in schema.get_all_operations():
        operation = found.ok()
        if mode.is_negative and not (operation.body or operation.query):
            continue  # a part of a path may be any text
        cases = operation.as_strategy(generation_mode=mode)
        quick = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        with suppress(Unsatisfiable):  # an operation with nothing in it that can be wrong
            seed(20260701)(quick(given(cases)(withstands)))()
    assert sum(statuses.values()) >= 6 * EXAMPLES, statuses
