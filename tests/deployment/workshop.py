"""SageMaker's side where jobs really train, and where endpoints answer by what was learnt."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from aws_account import REGION
from faults import Weather
from learning import School

from plumbline.archive import tarball
from plumbline.loading.loader import load_models
from plumbline.loading.terms import Terms
from plumbline.pipeline.stages import Pipeline
from plumbline.pipeline.stopwatch import Stopwatch
from plumbline.training import recipes
from plumbline.training.job import read_job
from plumbline.training.recipe_process import RECIPES
from plumbline.training.stopping import Stop
from plumbline.wire.requests import Request
from training_emulator import Job

BEGINNINGS = ("CreateTrainingJob", "CreateHyperParameterTuningJob")


def of(url: str) -> tuple[str, str]:
    """The bucket and the key of s3://…."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


@dataclass
class Workshop(School):
    """Jobs are run by the emulator of training, in this process; `folder` is for their files."""

    folder: Path = Path()
    seen: Weather = field(default_factory=Weather)
    """All calls; set when they prevail."""
    learnt: dict[str, Mapping[str, float]] = field(default_factory=dict)
    """The metrics of each job, by the definitions that it was given."""
    tried: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """What each job of a search was given."""
    served: dict[str, Pipeline] = field(default_factory=dict)

    @property
    def s3(self) -> Any:
        """Moto's."""
        return boto3.client("s3", region_name=REGION)

    # -- training ---------------------------------------------------------------------------------

    def advance(self, job: Any) -> None:
        """A job has learnt before it is said to."""
        name = job.training_job_name
        if name not in self.learnt:
            self.learnt[name] = self.learn(job)
        self.metrics = self.learnt[name]
        super().advance(job)

    def learn(self, job: Any) -> dict[str, float]:
        """Run a job; its model goes where SageMaker would put it."""
        request = {
            "TrainingJobName": job.training_job_name,
            "HyperParameters": job.hyper_parameters,
            "InputDataConfig": [self.copied(each) for each in job.input_data_config],
        }
        emulated = Job(request, self.folder / job.training_job_name)
        emulated.prepare()
        found = read_job(emulated.root, emulated.environment)
        with redirect_stdout(io.StringIO()) as log:
            recipes.choose(found, RECIPES).train(found, Stop())
        outcome = emulated.outcome(0, log.getvalue())
        assert outcome.model is not None
        self.s3.upload_file(str(outcome.model), *of(job.model_artifacts["S3ModelArtifacts"]))
        said = ((name, re.findall(regex, outcome.log)) for name, regex in self.definitions())
        return {name: float(values[-1]) for name, values in said if values}

    def copied(self, channel: Mapping[str, Any]) -> dict[str, Any]:
        """A channel whose data lies on this machine."""
        place = channel["DataSource"]["S3DataSource"]
        bucket, prefix = of(place["S3Uri"])
        folder = self.folder / "s3" / bucket / prefix
        for each in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            file = folder / each["Key"].removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            self.s3.download_file(bucket, each["Key"], str(file))
        source = {"S3DataSource": {**place, "S3Uri": f"file://{folder}"}}
        return {**channel, "DataSource": source}

    def definitions(self) -> Iterator[tuple[str, str]]:
        """The MetricDefinitions of the newest request."""
        made = next(call for call in reversed(self.seen.calls) if call.operation in BEGINNINGS)
        told = made.parameters.get("TrainingJobDefinition", made.parameters)
        for each in told["AlgorithmSpecification"]["MetricDefinitions"]:
            yield each["Name"], each["Regex"]

    # -- searches ---------------------------------------------------------------------------------

    def begin_search(self) -> None:
        """Two jobs, one at each end of what is searched."""
        for name, found in self.searches.items():
            if name in self.looks:
                continue
            self.looks[name] = 0
            found.hyper_parameter_tuning_job_status = "InProgress"
            found.training_job_status_counters = {"InProgress": 2, "Completed": 0}
            found.best_training_job = None
            told, config = found.training_job_definition, found.hyper_parameter_tuning_job_config
            for number, values in enumerate(ends(config["ParameterRanges"]), 1):
                trial = f"{name}-{number:03}-0a1b2c3d"
                self.tried[trial] = values
                objective = config["HyperParameterTuningJobObjective"]["MetricName"]
                added = {**values, "_tuning_objective_metric": objective}
                given = {**told["StaticHyperParameters"], **added}
                self.enroll(trial, {**told, "StaticHyperParameters": given})

    def look_at_search(self) -> None:
        """It is over when its jobs are; the best one has the most of the objective."""
        self.look()
        for name, found in self.searches.items():
            trials = [job for job in self.jobs.values() if job.training_job_name.startswith(name)]
            if any(job.training_job_status == "InProgress" for job in trials):
                continue
            config = found.hyper_parameter_tuning_job_config
            objective = config["HyperParameterTuningJobObjective"]["MetricName"]
            best = max(trials, key=lambda job: self.learnt[job.training_job_name][objective])
            found.hyper_parameter_tuning_job_status = "Completed"
            found.training_job_status_counters = {"InProgress": 0, "Completed": len(trials)}
            found.best_training_job = {
                "TrainingJobName": best.training_job_name,
                "TrainingJobArn": best.arn,
                "CreationTime": best.creation_time,
                "TrainingJobStatus": "Completed",
                "TunedHyperParameters": dict(self.tried[best.training_job_name]),
                "FinalHyperParameterTuningJobObjectiveMetric": {
                    "MetricName": objective,
                    "Value": self.learnt[best.training_job_name][objective],
                },
            }

    # -- endpoints --------------------------------------------------------------------------------

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What the container of a variant answers, by the code that serves."""
        pairs = (each.split("=") for each in asked.get("CustomAttributes", "").split(",") if each)
        request = Request(
            asked["Body"], asked.get("ContentType", ""), asked.get("Accept", ""), dict(pairs)
        )
        pipeline = self.pipeline(asked["EndpointName"], asked.get("TargetVariant"))
        found = pipeline(request, lambda: 60.0, Stopwatch())
        return {"Body": io.BytesIO(found.body), "ContentType": found.content_type}

    def pipeline(self, endpoint: str, variant: str | None) -> Pipeline:
        """The model of a variant, by default of the first, loaded as a server loads it."""
        client = boto3.client("sagemaker", region_name=REGION)
        config = client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        told = client.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        names = [each["ModelName"] for each in told if variant in (None, each["VariantName"])]
        url = client.describe_model(ModelName=names[0])["PrimaryContainer"]["ModelDataUrl"]
        if url not in self.served:
            place = self.folder / f"served-{len(self.served)}"
            self.s3.download_file(*of(url), str(place.with_suffix(".tar.gz")))
            tarball.unpack(place.with_suffix(".tar.gz"), place)
            self.served[url] = load_models(place, Terms(cores=1), lambda _: None).default.pipeline
        return self.served[url]


def ends(ranges: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The first and the last of all that may be tried."""
    numbers = [*ranges["ContinuousParameterRanges"], *ranges["IntegerParameterRanges"]]
    for bound, place in (("MinValue", 0), ("MaxValue", -1)):
        yield {
            **{each["Name"]: each[bound] for each in numbers},
            **{
                each["Name"]: each["Values"][place] for each in ranges["CategoricalParameterRanges"]
            },
        }
