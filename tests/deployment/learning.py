"""What moto's SageMaker lacks: training jobs and searches that take a while, and can be stopped."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_account import ACCOUNT, REGION
from faults import Weather

STATES = ("Starting", "Downloading", "Training", "Uploading")
"""What a job goes through before it has ended."""

TRIAL = "001-0a1b2c3d"


@dataclass
class School:
    """SageMaker's side: a job is in each state for one look, and then ends as it should."""

    states: tuple[str, ...] = STATES
    end: str = "Completed"
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=lambda: {"validation:accuracy": 0.75})
    looks: dict[str, int] = field(default_factory=dict)

    @property
    def backend(self) -> Any:
        """Moto's."""
        from moto.sagemaker.models import sagemaker_backends

        return sagemaker_backends[ACCOUNT][REGION]

    @property
    def jobs(self) -> dict[str, Any]:
        """The training jobs by their names."""
        found: dict[str, Any] = self.backend.training_jobs
        return found

    @property
    def searches(self) -> dict[str, Any]:
        """The searches by their names."""
        found: dict[str, Any] = self.backend.hyper_parameter_tuning_jobs
        return found

    def begin(self) -> None:
        """Moto's jobs have ended when they begin; a new one, if there is one, has not."""
        for name, job in self.jobs.items():
            if name not in self.looks:
                self.looks[name] = 0
                job.secondary_status_transitions = []
                job.final_metric_data_list = []
                self.advance(job)

    def look(self) -> None:
        """One more look at the jobs that are at work."""
        for job in self.jobs.values():
            if job.training_job_name in self.looks and job.training_job_status == "InProgress":
                self.looks[job.training_job_name] += 1
                self.advance(job)

    def advance(self, job: Any) -> None:
        """The state that a job is in by now."""
        place = self.looks[job.training_job_name]
        over = place >= len(self.states)
        state = self.end if over else self.states[place]
        job.training_job_status = state if over else "InProgress"
        self.enter(job, state)
        if state == "Training" or over:
            job.final_metric_data_list = [
                {"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}
                for name, value in self.metrics.items()
            ]
        if over and self.reason:
            job.failure_reason = self.reason

    def enter(self, job: Any, state: str) -> None:
        """Let a job be in a state."""
        job.secondary_status = state
        entry = {"Status": state, "StartTime": datetime.now(UTC), "StatusMessage": f"{state} it"}
        job.secondary_status_transitions.append(entry)

    def stop(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """End a job."""
        job = self.jobs[asked["TrainingJobName"]]
        job.training_job_status = "Stopped"
        self.enter(job, "Stopped")
        return {}

    def update(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Let a warm machine go."""
        job = self.jobs[asked["TrainingJobName"]]
        if asked["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 0:
            job.warm_pool_status = {"Status": "Terminated"}
        return {"TrainingJobArn": job.arn}

    def forget(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Remove the record of a job."""
        assert self.jobs.pop(asked["TrainingJobName"]).training_job_status != "InProgress"
        return {}

    # -- searches ---------------------------------------------------------------------------------

    def begin_search(self) -> None:
        """A new search, if there is one, has a job of its own, which is at work."""
        for name, found in self.searches.items():
            if name not in self.looks:
                self.looks[name] = 0
                found.hyper_parameter_tuning_job_status = "InProgress"
                found.training_job_status_counters = {"InProgress": 1, "Completed": 0}
                found.best_training_job = None
                self.enroll(f"{name}-{TRIAL}", found.training_job_definition)

    def enroll(self, name: str, told: Mapping[str, Any]) -> None:
        """A job of a search."""
        create = self.backend.create_training_job
        known = dict.fromkeys(inspect.signature(create).parameters)
        given = {
            "training_job_name": name,
            "hyper_parameters": dict(told["StaticHyperParameters"]),
            "algorithm_specification": dict(told["AlgorithmSpecification"]),
            "role_arn": told["RoleArn"],
            "input_data_config": told["InputDataConfig"],
            "output_data_config": told["OutputDataConfig"],
            "resource_config": told["ResourceConfig"],
            "stopping_condition": told["StoppingCondition"],
        }
        create(**{**known, **given})
        self.begin()

    def look_at_search(self) -> None:
        """One more look at the searches that are at work."""
        self.look()
        for name, found in self.searches.items():
            if found.hyper_parameter_tuning_job_status != "InProgress":
                continue
            job = self.jobs[f"{name}-{TRIAL}"]
            if job.training_job_status == "InProgress":
                continue
            found.hyper_parameter_tuning_job_status = self.end
            good = self.end == "Completed"
            found.training_job_status_counters = {"Completed": int(good), "InProgress": 0}
            if good:
                found.best_training_job = {
                    "TrainingJobName": job.training_job_name,
                    "TrainingJobArn": job.arn,
                    "CreationTime": job.creation_time,
                    "TrainingJobStatus": "Completed",
                    "TunedHyperParameters": {"learning_rate": '"0.01"'},
                    "FinalHyperParameterTuningJobObjectiveMetric": {
                        "MetricName": "validation:accuracy",
                        "Value": 0.75,
                    },
                }

    def stop_search(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """End a search with its jobs."""
        name = asked["HyperParameterTuningJobName"]
        self.searches[name].hyper_parameter_tuning_job_status = "Stopped"
        self.stop({"TrainingJobName": f"{name}-{TRIAL}"})
        return {}

    def weather(self, **after: Any) -> Weather:
        """Moto with this."""
        hooks = {
            "CreateTrainingJob": self.begin,
            "DescribeTrainingJob": self.look,
            "CreateHyperParameterTuningJob": self.begin_search,
            "DescribeHyperParameterTuningJob": self.look_at_search,
        }
        stubs = {
            "StopTrainingJob": self.stop,
            "UpdateTrainingJob": self.update,
            "DeleteTrainingJob": self.forget,
            "StopHyperParameterTuningJob": self.stop_search,
        }
        return Weather(after={**hooks, **after}, stubs=stubs)
