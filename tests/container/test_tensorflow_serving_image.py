"""The public tests of SageMaker's TensorFlow Serving container, against our image.

Its models, its environment and its requests; nothing but the image is another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_container import Running, readable, running, wait_until

from tensorflow_serving_cases import ATTRIBUTES, CASES, INSTANCES, REFUSED, Case, save_models

pytestmark = [pytest.mark.docker, pytest.mark.tensorflow]

ENVIRONMENT = {
    "SAGEMAKER_TFS_NGINX_LOGLEVEL": "info",
    "SAGEMAKER_BIND_TO_PORT": "8080",
    "SAGEMAKER_SAFE_PORT_RANGE": "9000-9999",
}

BATCHING = {
    "SAGEMAKER_TFS_ENABLE_BATCHING": "true",
    "SAGEMAKER_TFS_MAX_BATCH_SIZE": "16",
    "SAGEMAKER_TFS_BATCH_TIMEOUT_MICROS": "500",
    "SAGEMAKER_TFS_NUM_BATCH_THREADS": "100",
    "SAGEMAKER_TFS_MAX_ENQUEUED_BATCHES": "1",
}

SEVERAL = {
    "SAGEMAKER_TFS_INSTANCE_COUNT": "8",
    "SAGEMAKER_GUNICORN_WORKERS": "36",
    "SAGEMAKER_TFS_INTER_OP_PARALLELISM": "1",
    "SAGEMAKER_TFS_INTRA_OP_PARALLELISM": "1",
}

DEFAULT = {"SAGEMAKER_TFS_DEFAULT_MODEL_NAME": "half_plus_two"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of that suite."""
    folder = save_models(tmp_path_factory.mktemp("models"))
    readable(folder)
    return folder


@pytest.fixture(scope="module")
def served(docker_client: Any, image: Any, models: Path) -> Iterator[Running]:
    """A container with all environments of that suite together, and another default model."""
    environment = {**ENVIRONMENT, **BATCHING, **SEVERAL, **DEFAULT}
    with running(docker_client, image.id, models, environment=environment) as started:
        wait_until(started.is_ready, 240.0)
        yield started


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_answered_there_is_answered_here(case: Case, served: Running) -> None:
    for _ in range(2):
        answer = served.ask("POST", "/invocations", case.body, **case.headers)
        assert (answer.status, answer.document) == (200, case.found)


@pytest.mark.parametrize(("body", "start"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_there_is_refused_here(body: str, start: str, served: Running) -> None:
    answer = served.ask("POST", "/invocations", body, **Case(body, None).headers)
    assert answer.status == 400
    assert answer.document["error"].startswith(start)


def test_the_default_model_is_the_one_that_is_set_and_another_name_is_none(
    served: Running,
) -> None:
    body = json.dumps(INSTANCES).encode()
    answer = served.invoke(body, "application/json")
    assert answer.document == {"predictions": [2.5, 3.0, 4.5]}
    status = served.ask("GET", "/v1/models/half_plus_two").document
    assert [one["state"] for one in status["model_version_status"]] == ["AVAILABLE"]
    refused = served.invoke(body, "application/json", **{ATTRIBUTES: "tfs-model-name=half"})
    assert refused.status == 404
    assert refused.document["error"].startswith("Servable not found for request: Latest(half)")


def test_what_changes_nothing_here_is_named_in_one_line(served: Running) -> None:
    said = [line for line in served.said().splitlines() if "have no meaning here" in line]
    assert len(said) == 1
    assert "SAGEMAKER_TFS_NGINX_LOGLEVEL" in said[0]
    assert "SAGEMAKER_TFS_MAX_BATCH_SIZE" not in said[0]
