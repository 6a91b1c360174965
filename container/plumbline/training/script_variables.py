"""What a script reads of its job, under the names and in the forms of AWS's training toolkit."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from plumbline.training.job import PLATFORM, TUNING, Job
from plumbline.training.script_program import PROGRAM, Script, source_of

OWN = (TUNING, "default_user_module_name")
"""Hyperparameters of the platform that don't begin with `PLATFORM`."""

NOT_FRAMEWORK = {
    PROGRAM,
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "sagemaker_s3_output",
}
"""What the toolkit reads itself; the platform's others are parameters of the framework."""

DISTRIBUTED = (
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
)


def hyperparameters(job: Job) -> dict[str, Any]:
    """Those of the script itself."""
    given = {
        name: value
        for name, value in job.decoded.items()
        if not name.startswith(PLATFORM) and name not in OWN
    }
    folder = given.get("model_dir")
    if job.tuned and isinstance(folder, str) and not folder.startswith("/opt/ml"):
        given["model_dir"] = f"{folder}/{job.name}/model"
    return given


def arguments(job: Job) -> list[str]:
    """The hyperparameters as arguments: `--name value` sorted by name, `-n value` for a letter."""
    found: list[str] = []
    for name, value in sorted(hyperparameters(job).items()):
        found += [f"--{name}" if len(name) > 1 else f"-{name}", argument(value)]
    return found


def argument(value: Any) -> str:
    """A value as the toolkit writes it: a=1,b=2 for an object, nothing for null."""
    if isinstance(value, dict):
        return ",".join(f"{key}={inner}" for key, inner in sorted(value.items()))
    return "" if value is None else str(value)


def variables(job: Job, script: Script) -> dict[str, str]:
    """All of SM_*, and what else the toolkit sets."""
    known = training_environment(job, script)
    framework = known.pop("additional_framework_parameters")
    chosen = {
        **{name: known[name] for name in SHOWN},
        "hps": known["hyperparameters"],
        "framework_params": framework,
        "channels": sorted(job.channels),
        "training_env": {**known, "additional_framework_parameters": framework},
        "user_args": arguments(job),
        **{f"channel_{name}": str(channel.path) for name, channel in job.channels.items()},
        **{f"hp_{name}": value for name, value in hyperparameters(job).items()},
    }
    return {
        **{f"SM_{name.upper()}": text(value) for name, value in chosen.items()},
        "CURRENT_HOST": job.cluster.current,
        "SAGEMAKER_REGION": str(job.decoded.get("sagemaker_region") or region(job)),
        "SAGEMAKER_JOB_NAME": str(job.decoded.get("sagemaker_job_name") or ""),
    }


SHOWN = (
    "hosts",
    "network_interface_name",
    "user_entry_point",
    "resource_config",
    "input_data_config",
    "output_data_dir",
    "current_host",
    "current_instance_type",
    "current_instance_group",
    "current_instance_group_hosts",
    "instance_groups",
    "instance_groups_dict",
    "distribution_instance_groups",
    "is_hetero",
    "module_name",
    "log_level",
    "framework_module",
    "input_dir",
    "input_config_dir",
    "output_dir",
    "num_cpus",
    "num_gpus",
    "num_neurons",
    "model_dir",
    "module_dir",
    "output_intermediate_dir",
)
"""Of the toolkit's properties those that are variables of their own under the same name."""


def training_environment(job: Job, script: Script) -> dict[str, Any]:
    """The properties of the toolkit's `Environment`, in alphabetical order in SM_TRAINING_ENV."""
    return {**of_the_script(job, script), **of_the_machines(job), **of_the_folders(job)}


def of_the_script(job: Job, script: Script) -> dict[str, Any]:
    """What is run, and with what."""
    own = {name: value for name, value in job.decoded.items() if name.startswith(PLATFORM)}
    return {
        "additional_framework_parameters": {
            name: value for name, value in own.items() if name not in NOT_FRAMEWORK
        },
        "framework_module": job.environment.get("SAGEMAKER_TRAINING_MODULE"),
        "hyperparameters": hyperparameters(job),
        "job_name": job.name or None,
        "log_level": own.get("sagemaker_container_log_level", logging.INFO),
        "module_dir": source_of(job),
        "module_name": script.program.removesuffix(".py"),
        "user_entry_point": script.program,
        "is_modelparallel_enabled": None,
    }


def of_the_machines(job: Job) -> dict[str, Any]:
    """The hosts and what this one has."""
    cluster = job.cluster
    groups = {str(group["instance_group_name"]): group for group in cluster.groups}
    own_hosts = groups.get(cluster.group, {}).get("hosts", [])
    default = [cluster.group] if any(job.decoded.get(name) for name in DISTRIBUTED) else []
    chosen = job.decoded.get("sagemaker_distribution_instance_groups", default)
    hosts = [host for name in groups if name in chosen for host in groups[name]["hosts"]]
    distribution_hosts = hosts if groups else list(cluster.hosts)
    master = (distribution_hosts or cluster.hosts)[0]
    return {
        "current_host": cluster.current,
        "current_instance_group": cluster.group,
        "current_instance_group_hosts": own_hosts,
        "current_instance_type": cluster.instance_type,
        "distribution_hosts": distribution_hosts,
        "distribution_instance_groups": chosen,
        "hosts": list(cluster.hosts),
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "is_hetero": len(groups) > 1,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "topology": cluster.document.get("topology", []),
        "is_master": cluster.current == master,
        "master_hostname": master,
        "network_interface_name": cluster.interface,
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": gpus(),
        "num_neurons": 0,
        "resource_config": dict(cluster.document),
    }


def of_the_folders(job: Job) -> dict[str, Any]:
    """Where things are."""
    return {
        "channel_input_dirs": {name: str(one.path) for name, one in job.channels.items()},
        "input_config_dir": str(job.config),
        "input_data_config": dict(job.input_config),
        "input_dir": str(job.root / "input"),
        "model_dir": str(job.model),
        "output_data_dir": str(job.output),
        "output_dir": str(job.root / "output"),
        "output_intermediate_dir": str(job.root / "output/intermediate"),
    }


def region(job: Job) -> str:
    """The region, as boto3 would find it without a file."""
    return job.environment.get("AWS_REGION") or job.environment.get("AWS_DEFAULT_REGION") or ""


def text(value: Any) -> str:
    """A variable's text: JSON in its shortest form, sorted; texts as they are; empty for null."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def gpus() -> int:
    """How many graphics cards NVIDIA's tool lists; none where it is not installed."""
    return sum(line.startswith("GPU ") for line in listed_gpus())


def listed_gpus() -> Iterator[str]:
    """The lines of `nvidia-smi --list-gpus`."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60, check=True
        )
        yield from done.stdout.splitlines()


def tf_config(job: Job) -> Mapping[str, str]:
    """TF_CONFIG for a job on several hosts, unless the job has set it."""
    several = len(job.cluster.hosts) > 1
    asked = job.decoded.get("sagemaker_multi_worker_mirrored_strategy_enabled")
    if "TF_CONFIG" in job.environment or not (several or asked):
        return {}
    return {"TF_CONFIG": job.cluster.tf_config()}
