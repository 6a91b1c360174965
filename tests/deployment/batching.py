"""What moto's SageMaker lacks: batch jobs that are at work for a while, and answer one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_account import ACCOUNT, REGION
from faults import Weather

IN, OUT = "s3://pictures/photos/", "s3://pictures/answers/"
"""Where the pictures of the tests lie, and where their answers go."""


def filled(s3: Any) -> Any:
    """The same client, once the bucket with the pictures is there."""
    s3.create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("photos/", "photos/a.jpg", "photos/b.jpg", "photos/more/c.jpg", "photos2/d.jpg"):
        s3.put_object(Bucket="pictures", Key=key, Body=b"a picture")
    return s3


class Batch:
    """SageMaker's side: the answers come after some looks, but for some; then the job ends."""

    def __init__(self, s3: Any, *missing: str, looks: int = 3, body: bytes = b"{}") -> None:
        self.s3, self.missing, self.looks, self.body = s3, missing, looks, body
        self.count = 0
        self.asked: dict[str, Any] = {}

    @property
    def backend(self) -> Any:
        """Moto's."""
        from moto.sagemaker.models import sagemaker_backends

        return sagemaker_backends[ACCOUNT][REGION]

    def begin(self) -> None:
        """Moto's jobs have ended when they begin; this one has not."""
        [*_, job] = self.backend.transform_jobs.values()
        job.transform_job_status = "InProgress"
        job.failure_reason = None

    def look(self) -> None:
        """One more look at the job, if there is one."""
        if not self.backend.transform_jobs:
            return
        self.count += 1
        [*_, job] = self.backend.transform_jobs.values()
        listed = self.s3.list_objects_v2(Bucket="pictures", Prefix="photos/")["Contents"]
        outs = [each["Key"].removeprefix("photos/") for each in listed][1:]
        if self.count <= len(outs) and outs[self.count - 1] not in self.missing:
            key = f"answers/{outs[self.count - 1]}.out"
            self.s3.put_object(Bucket="pictures", Key=key, Body=self.body)
        if self.count > self.looks:
            job.transform_job_status = "Failed" if self.missing else "Completed"
            job.failure_reason = "ClientError: see the log" if self.missing else None

    def stop(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """End it."""
        job = self.backend.transform_jobs[asked["TransformJobName"]]
        job.transform_job_status = "Stopped"
        return {}

    def weather(self, **after: Any) -> Weather:
        """Moto with this."""
        return Weather(
            after={"CreateTransformJob": self.begin, "DescribeTransformJob": self.look, **after},
            stubs={"StopTransformJob": self.stop},
        )
