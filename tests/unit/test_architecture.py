"""The rules of the house: imports point down, and each foreign thing is known in one room."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "container"
DEPLOYMENT = ROOT / "deployment"

LAYERS: dict[str, tuple[str, ...]] = {
    "vocabulary": (
        "plumbline",
        "plumbline.loading",
        "plumbline.handlers",
        "plumbline.pipeline",
        "plumbline.settings",
        "plumbline.wire",
        "plumbline.archive",
        "plumbline.results",
        "plumbline.parity",
        "plumbline.spec",
        "plumbline.links",
        "plumbline.vision",
        "plumbline.machine",
        "plumbline.vision.arrays",
        "plumbline.errors",
        "plumbline.archive.handler_errors",
        "plumbline.hosting",
        "plumbline.hosting.errors",
        "plumbline.signature",
        "plumbline.engines.time_left",
    ),
    "core": (
        "plumbline.vision.activations",
        "plumbline.parity.agreement",
        "plumbline.vision.filter_matrices",
        "plumbline.vision.boxes",
        "plumbline.spec.checks",
        "plumbline.spec.labels",
        "plumbline.spec.fits",
        "plumbline.spec.scaling",
        "plumbline.vision.parts",
        "plumbline.vision.color",
        "plumbline.vision.crops",
        "plumbline.vision.decoders",
        "plumbline.wire.json_documents",
        "plumbline.results.drawing",
        "plumbline.results.drawing.canvas",
        "plumbline.results.drawing.lettering",
        "plumbline.results.drawing.panels",
        "plumbline.results.drawing.render",
        "plumbline.results.drawing.tags",
        "plumbline.wire.tf_examples",
        "plumbline.vision.fit",
        "plumbline.vision.geometry",
        "plumbline.handlers.return_values",
        "plumbline.handlers.toolkit_bodies",
        "plumbline.handlers.toolkit_context",
        "plumbline.handlers.import_hints",
        "plumbline.archive.handler_functions",
        "plumbline.hosting.memory_policy",
        "plumbline.vision.images",
        "plumbline.archive.keras1",
        "plumbline.archive.keras_config",
        "plumbline.links.policy",
        "plumbline.vision.masks",
        "plumbline.vision.normalize",
        "plumbline.wire.npy",
        "plumbline.wire.request_options",
        "plumbline.results.palette",
        "plumbline.parity.differences",
        "plumbline.pipeline.preprocess",
        "plumbline.vision.priors",
        "plumbline.wire.requests",
        "plumbline.vision.resize",
        "plumbline.wire.responses",
        "plumbline.results.task_results",
        "plumbline.vision.rounding",
        "plumbline.wire.tf_serving_responses",
        "plumbline.spec.model_spec",
        "plumbline.vision.synthetic_pictures",
        "plumbline.vision.filter_taps",
        "plumbline.tasks",
        "plumbline.tasks.task_table",
        "plumbline.tasks.base",
        "plumbline.tasks.output_choice",
        "plumbline.tasks.class_names",
        "plumbline.tasks.classification",
        "plumbline.tasks.detection",
        "plumbline.tasks.detection_outputs",
        "plumbline.tasks.detection_formats",
        "plumbline.tasks.raw",
        "plumbline.tasks.segmentation",
        "plumbline.wire.tf_serving_requests",
        "plumbline.wire.tensor_bodies",
        "plumbline.spec.toml_writer",
    ),
    "adapters": (
        "plumbline.archive.accelerated_files",
        "plumbline.machine.allocator",
        "plumbline.archive.contents",
        "plumbline.machine.openblas",
        "plumbline.machine.cgroups",
        "plumbline.machine.child_process",
        "plumbline.machine.shared_counts",
        "plumbline.archive.label_files",
        "plumbline.archive.diagnosis",
        "plumbline.archive.discovery",
        "plumbline.engines",
        "plumbline.engines.absent",
        "plumbline.engines.base",
        "plumbline.engines.deferred",
        "plumbline.engines.keras_export",
        "plumbline.engines.fake",
        "plumbline.archive.hdf5",
        "plumbline.engines.keras",
        "plumbline.archive.keras_files",
        "plumbline.archive.keras_precision",
        "plumbline.engines.selection",
        "plumbline.engines.serving_metadata",
        "plumbline.engines.openvino",
        "plumbline.archive.saved_model",
        "plumbline.engines.model_io",
        "plumbline.engines.session_call",
        "plumbline.engines.tensorflow",
        "plumbline.handlers.raised_errors",
        "plumbline.handlers.user_code",
        "plumbline.archive.handler_code",
        "plumbline.machine.quiet",
        "plumbline.hosting.memory_estimates",
        "plumbline.hosting.frames",
        "plumbline.hosting.fork_client",
        "plumbline.machine.process_control",
        "plumbline.links.limits",
        "plumbline.links.https",
        "plumbline.links.s3",
        "plumbline.links.fetching",
        "plumbline.archive.manifest",
        "plumbline.archive.npz_outputs",
        "plumbline.handlers.requirements",
        "plumbline.archive.file_listing",
        "plumbline.handlers.stand_ins",
        "plumbline.handlers.stand_ins.encodings",
        "plumbline.handlers.stand_ins.toolkit_classes",
        "plumbline.handlers.stand_ins.toolkit_errors",
        "plumbline.handlers.stand_ins.finder",
        "plumbline.handlers.stand_ins.modules",
        "plumbline.handlers.stand_ins.utils",
        "plumbline.archive.tarball",
        "plumbline.archive.tuning_file",
    ),
    "runtime": (
        "plumbline.pipeline.admission",
        "plumbline.loading.batching",
        "plumbline.handlers.code_timeout",
        "plumbline.loading.openvino_equivalence",
        "plumbline.pipeline.linked_pictures",
        "plumbline.loading.golden_check",
        "plumbline.handlers.replaced_stages",
        "plumbline.handlers.tf_serving_handlers",
        "plumbline.handlers.toolkit_handlers",
        "plumbline.handlers.handler_choice",
        "plumbline.hosting.hosted_models",
        "plumbline.hosting.model_launch",
        "plumbline.hosting.memory_ledger",
        "plumbline.hosting.running_model",
        "plumbline.hosting.messages",
        "plumbline.pipeline.model_inputs",
        "plumbline.loading.loader",
        "plumbline.pipeline.stages",
        "plumbline.pipeline.inference",
        "plumbline.loading.accelerated_proof",
        "plumbline.loading.model_registry",
        "plumbline.loading.served_model",
        "plumbline.machine.sizing",
        "plumbline.pipeline.stopwatch",
        "plumbline.loading.likely_causes",
        "plumbline.machine.process_health",
        "plumbline.loading.terms",
        "plumbline.settings.server_settings",
        "plumbline.settings.tf_serving_variables",
        "plumbline.settings.variable_values",
        "plumbline.loading.never_packed",
        "plumbline.loading.never_packed_process",
    ),
    "edge": (
        "plumbline.__main__",
        "plumbline.cli",
        "plumbline.client",
        "plumbline.client.base",
        "plumbline.client.bench",
        "plumbline.client.bench_command",
        "plumbline.client.commands",
        "plumbline.client.compare",
        "plumbline.client.compare_command",
        "plumbline.client.endpoint",
        "plumbline.client.files",
        "plumbline.client.in_process",
        "plumbline.client.transform_ledger",
        "plumbline.client.load_generator",
        "plumbline.client.local_server",
        "plumbline.client.throughput_meter",
        "plumbline.client.predict",
        "plumbline.client.transform",
        "plumbline.settings.environment",
        "plumbline.handlers.handler_summary",
        "plumbline.hosting.model_process",
        "plumbline.hosting.fork_server",
        "plumbline.loading.inspection",
        "plumbline.logs",
        "plumbline.packing",
        "plumbline.packing.compilation",
        "plumbline.packing.assembly",
        "plumbline.packing.commands",
        "plumbline.packing.convert",
        "plumbline.packing.convert_process",
        "plumbline.packing.custom_objects",
        "plumbline.packing.expected_outputs",
        "plumbline.packing.find_preprocess",
        "plumbline.packing.reference_libraries",
        "plumbline.packing.form_measurements",
        "plumbline.packing.preprocess_options",
        "plumbline.packing.pack",
        "plumbline.packing.picture_folder",
        "plumbline.packing.progress_bar",
        "plumbline.packing.quantize",
        "plumbline.packing.quantize_process",
        "plumbline.packing.user_reference",
        "plumbline.packing.user_reference_process",
        "plumbline.packing.preprocess_search",
        "plumbline.packing.model_sources",
        "plumbline.packing.result_tables",
        "plumbline.packing.preprocess_trials",
        "plumbline.packing.vendoring",
        "plumbline.packing.search_report",
        "plumbline.packing.library_versions",
        "plumbline.client.tuning",
        "plumbline.client.tuning.commands",
        "plumbline.client.tuning.server_trials",
        "plumbline.client.tuning.setting_combinations",
        "plumbline.web",
        "plumbline.web.access_log",
        "plumbline.web.app",
        "plumbline.web.request_bodies",
        "plumbline.web.error_answers",
        "plumbline.web.gunicorn_command",
        "plumbline.web.model_service",
        "plumbline.web.loopback_api",
        "plumbline.web.multi_model_api",
        "plumbline.web.worker_retirement",
        "plumbline.web.sagemaker_api",
        "plumbline.web.worker_succession",
        "plumbline.web.tf_serving_api",
        "plumbline.web.gunicorn_worker",
        "plumbline.web.wsgi",
    ),
}
"""From the bottom to the top; every module stands in exactly one layer."""

HEIGHT = {module: height for height, modules in enumerate(LAYERS.values()) for module in modules}

FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "openvino", "nncf"}

OUTSIDE_WORLD = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "queue",
    "random",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
"""What a pure module has no use for: the clock, the disk, the network, threads, the log."""

READS_A_FILE = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "iterdir", "glob"}

MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_FILE = 300


def module_name(file: Path) -> str:
    parts = file.relative_to(CONTAINER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in sorted((CONTAINER / "plumbline").rglob("*.py"))}
TREES = {name: ast.parse(file.read_text("utf-8")) for name, file in MODULES.items()}
DEPLOYMENT_TREES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8"))
    for file in [*sorted(DEPLOYMENT.rglob("*.py")), ROOT / "deploy.py"]
    if file.is_file()
}
ALL_TREES = {**TREES, **DEPLOYMENT_TREES}

each_module = pytest.mark.parametrize("name", MODULES)
each_file = pytest.mark.parametrize("name", ALL_TREES)


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a tree imports, anywhere in it, as precisely as it says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


def imported_at_once(tree: ast.Module) -> Iterator[str]:
    """The modules that are imported when this one is."""
    inside_functions = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in inside_functions:
            yield from imported(node)


def tops(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public functions and classes, with the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from (inner for inner in functions(node) if inner in node.body and shown(inner))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and shown(node):
            yield node


def shown(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not function.name.startswith("_")


def layer_of(name: str) -> str:
    return next(layer for layer, modules in LAYERS.items() if name in modules)


def test_every_module_has_its_layer_and_every_layer_its_modules() -> None:
    listed = [name for modules in LAYERS.values() for name in modules]
    assert sorted(listed) == sorted(MODULES)


@each_module
def test_imports_point_down(name: str) -> None:
    ours = {other for other in imported(TREES[name]) if other.partition(".")[0] == "plumbline"}
    upwards = {other for other in ours if HEIGHT.get(other, 0) > HEIGHT.get(name, len(LAYERS))}
    assert upwards == set()


@each_module
def test_flask_is_known_in_web_only(name: str) -> None:
    if not name.startswith("plumbline.web"):
        assert tops(imported(TREES[name])) & {"flask", "werkzeug", "gunicorn"} == set()


@each_module
def test_the_environment_is_read_in_one_module_only(name: str) -> None:
    touched = {
        node.attr
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "environb", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    imports = {
        alias.name
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
    }
    if name != "plumbline.settings.environment":
        assert touched | imports & {"environ", "environb", "getenv"} == set()


@each_module
def test_frameworks_are_known_in_their_engines_and_in_packing_only(name: str) -> None:
    if not name.startswith(("plumbline.engines.", "plumbline.packing")):
        assert tops(imported(TREES[name])) & FRAMEWORKS == set()
    if name.startswith("plumbline.engines.") and "openvino" not in name:
        assert "openvino" not in tops(imported(TREES[name]))


@each_module
def test_frameworks_are_imported_when_first_needed(name: str) -> None:
    assert tops(imported_at_once(TREES[name])) & FRAMEWORKS == set()


@pytest.mark.parametrize("name", [*LAYERS["vocabulary"], *LAYERS["core"]])
def test_the_core_is_pure(name: str) -> None:
    assert tops(imported(TREES[name])) & OUTSIDE_WORLD == set()
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
        if not (isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "Image.open")
    }
    assert called & READS_A_FILE == set()


@each_file
def test_deployment_and_container_do_not_know_each_other(name: str) -> None:
    stranger = "plumbline" if name in DEPLOYMENT_TREES else "deployment"
    assert stranger not in tops(imported(ALL_TREES[name]))


@each_file
def test_everything_public_says_what_it_is(name: str) -> None:
    tree = ALL_TREES[name]
    assert ast.get_docstring(tree)
    assert [node.name for node in public(tree) if not ast.get_docstring(node)] == []


@each_file
def test_functions_and_files_are_short(name: str) -> None:
    file = MODULES.get(name, ROOT / name)
    assert len(file.read_text("utf-8").splitlines()) <= MOST_LINES_OF_A_FILE
    long = {
        node.name
        for node in functions(ALL_TREES[name])
        if node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert long == set()


def written() -> list[Path]:
    """What people read, and what they install from."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "model").rglob("*.md")]
    return [*pages, *(ROOT / "requirements").glob("*")]


@pytest.mark.parametrize("file", written(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_page_names_a_package_index_or_the_machine_it_was_written_on(file: Path) -> None:
    text = file.read_text("utf-8")
    found = re.findall(
        r"--(?:extra-)?index-url|https?://[^\s)]*/simple\b|(?<![\w.])/(?:work|home|root)/", text
    )
    assert found == []


@pytest.mark.parametrize(
    "module",
    ["plumbline.web.app", "plumbline.pipeline.stages", "plumbline.loading.loader", "plumbline.cli"],
)
def test_importing_the_server_imports_no_framework(module: str) -> None:
    code = f"import sys, {module}; print(*{sorted(FRAMEWORKS)!r} & sys.modules.keys())"
    code = code.replace(f"*{sorted(FRAMEWORKS)!r}", f"*set({sorted(FRAMEWORKS)!r})")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(CONTAINER)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's threads")
def test_what_the_arbiter_imports_starts_no_thread() -> None:
    """Its workers are forked from it, and a thread would not come along."""
    code = """
import os
from plumbline.engines import openvino
from plumbline.web import wsgi
openvino.preload()
print(*os.listdir("/proc/self/task"), os.getpid())
"""
    environment = {**os.environ, "PYTHONPATH": str(CONTAINER), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    task, process = done.stdout.split()
    assert task == process


def test_no_two_modules_that_tests_import_have_the_same_name() -> None:
    """Pytest imports modules by their names alone, from the folders of its `pythonpath` too."""
    folders = (
        (ROOT / "tests").rglob("*.py"),
        *((ROOT / name).glob("*.py") for name in ("benchmarks", "model/examples")),
    )
    names = [file.name for files in folders for file in files]
    doubled = {name for name in names if names.count(name) > 1}
    assert doubled <= {"conftest.py", "inference.py"}
