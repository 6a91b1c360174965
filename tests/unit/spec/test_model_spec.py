"""plumbline.toml → frozen values, or one exact sentence that says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import SpecError
from plumbline.spec.known_keys import ACTIVATIONS
from plumbline.spec.model_spec import (
    Acceleration,
    Classification,
    Golden,
    ModelChoice,
    ModelSpec,
    Preprocess,
    parse,
)
from plumbline.vision.crops import CentralCrop, ShorterSide
from plumbline.vision.decoders import DECODERS
from plumbline.vision.fit import FITS
from plumbline.vision.images import COLORS
from plumbline.vision.normalize import NORMALIZATIONS, Normalization
from plumbline.vision.resize import FILTERS
from strategies import nasty

WORDS = st.text('aä字 .-"\\', min_size=1, max_size=5).filter(lambda word: word.strip(". "))
PATHS = st.lists(WORDS, min_size=1, max_size=3).map("/".join)
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
DIVISORS = NUMBERS.filter(bool)
ONE = st.builds(
    Normalization,
    divisor=DIVISORS,
    scale=NUMBERS,
    mean=st.tuples(NUMBERS),
    std=st.tuples(DIVISORS),
)
THREE = st.builds(
    Normalization,
    mean=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    std=st.tuples(DIVISORS, DIVISORS, DIVISORS),
)
SPECS = st.builds(
    ModelSpec,
    labels=st.none() | PATHS | st.lists(WORDS, min_size=1, max_size=4).map(tuple),
    model=st.builds(ModelChoice, path=st.none() | PATHS, signature=WORDS, output=st.none() | WORDS),
    preprocess=st.builds(
        Preprocess,
        decoder=st.sampled_from(sorted(DECODERS)),
        exif=st.booleans(),
        color=st.sampled_from(["rgb", "bgr"]),
        size=st.none() | st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
        fit=st.sampled_from(sorted(FITS)),
        resize=st.sampled_from(sorted(FILTERS)),
        normalize=st.sampled_from(sorted(NORMALIZATIONS)) | ONE | THREE,
        pillow=st.none() | st.integers(1, 99),
    ),
    classification=st.builds(
        Classification, activation=st.sampled_from(ACTIVATIONS), top_k=st.integers(1, 1000)
    ),
    golden=st.builds(
        Golden, images=PATHS, tolerance=st.floats(0, 1e9, exclude_min=True, allow_subnormal=False)
    ),
)


def as_toml(values: dict[str, Any]) -> str:
    """The values as TOML: JSON's texts, numbers and lists are TOML's too."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in plain.items()
        if value is not None
    ]
    for key, table in values.items():
        if isinstance(table, dict):
            head = [] if key == "normalize" else [f"[{key}]"]
            lines += [*head, inline(table) if key == "normalize" else as_toml(table)]
    return "\n".join(lines)


def inline(normalize: dict[str, Any]) -> str:
    """Numbers of one's own; `reverse` and `per_image` are for those that have a name."""
    named = ("reverse", "per_image")
    numbers = {key: value for key, value in normalize.items() if key not in named}
    items = ", ".join(f"{key} = {json.dumps(value)}" for key, value in numbers.items())
    return f"normalize = {{{items}}}"


@nasty
@given(SPECS)
def test_what_is_written_is_what_is_read(spec: ModelSpec) -> None:
    written = dataclasses.asdict(spec)
    del written["declared"]
    if not written["model"].pop("constants"):
        assert spec.model.constants == {}
    assert parse(as_toml(written)) == spec


def test_an_empty_file_is_every_key_at_its_default() -> None:
    assert parse("") == ModelSpec(
        task="classification",
        labels=None,
        model=ModelChoice(path=None, signature="serving_default", output=None),
        preprocess=Preprocess(
            decoder="pillow",
            exif=True,
            color="rgb",
            size=None,
            fit="stretch",
            resize="pillow-bilinear",
            normalize="none",
            pillow=None,
        ),
        classification=Classification(activation="none", top_k=5),
        golden=Golden(images="golden", tolerance=1e-5),
    )


def test_a_spec_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse("").task = "detection"  # type: ignore[misc]


def test_a_folder_may_end_with_a_slash() -> None:
    assert parse('[golden]\nimages = "golden/"').golden.images == "golden"


def test_a_tolerance_may_be_a_whole_number() -> None:
    tolerance = parse("[golden]\ntolerance = 1").golden.tolerance
    assert (tolerance, type(tolerance)) == (1.0, float)


@pytest.mark.parametrize(("written", "value"), [("inf", math.inf), ("0.5", 0.5), ("1", 1.0)])
def test_a_difference_may_be_any_where_agreement_is_to_decide(written: str, value: float) -> None:
    assert parse(f"[acceleration]\nmax_difference = {written}").acceleration == Acceleration(
        max_difference=value, min_agreement=1.0
    )


@pytest.mark.parametrize("color", ["gray", "tensorflow-gray", "opencv-gray"])
@pytest.mark.parametrize("normalize", ["none", "unit", "tf", "{divisor = 256, mean = 1}"])
def test_gray_pictures_are_normalised_by_one_number(color: str, normalize: str) -> None:
    quoted = normalize if "{" in normalize else repr(normalize)
    declared = parse(f"[preprocess]\ncolor = '{color}'\nnormalize = {quoted}").preprocess
    assert declared.color == color


def test_one_number_stands_for_every_channel() -> None:
    declared = parse("[preprocess]\nnormalize = {scale = 2, mean = 1, std = [1, 2, 4.5]}")
    assert declared.preprocess.normalize == Normalization(
        scale=2.0, mean=(1.0,), std=(1.0, 2.0, 4.5)
    )


FILTER_NAMES = ", ".join(map(repr, FILTERS))
COLOR_NAMES = ", ".join(map(repr, COLORS))

TOML_HELP = (
    "Texts stand in quotes, numbers, true and false don't, and each key once below its [table]."
)

WRONG = {
    "task =": f"plumbline.toml is not valid TOML: Invalid value (at end of document). {TOML_HELP}",
    "a = 1\na = 2\n": (
        "plumbline.toml is not valid TOML: Cannot overwrite a value (at line 2, column 6). "
        f"{TOML_HELP}"
    ),
    "label = 'x'": (
        "plumbline.toml has a key 'label' that means nothing here. Did you mean 'labels'?"
    ),
    "zzz = 1": (
        "plumbline.toml has a key 'zzz' that means nothing here. "
        "Known keys: task, labels, model, preprocess, classification, detection, "
        "segmentation, image, response, acceleration, golden."
    ),
    "[preproces]": (
        "plumbline.toml has a key 'preproces' that means nothing here. Did you mean 'preprocess'?"
    ),
    "[preprocess]\nnormalise = 'unit'": (
        "[preprocess] in plumbline.toml has a key 'normalise' that means nothing here. "
        "Did you mean 'normalize'?"
    ),
    "[golden]\nzzz = 1": (
        "[golden] in plumbline.toml has a key 'zzz' that means nothing here. "
        "Known keys: images, tolerance."
    ),
    "task = 'clasification'": (
        "plumbline.toml: task = 'clasification', but it must be one of 'classification', "
        "'detection', 'segmentation', 'image', 'raw' (did you mean 'classification'?)."
    ),
    "task = 1": (
        "plumbline.toml: task = 1, but it must be one of 'classification', 'detection', "
        "'segmentation', 'image', 'raw'."
    ),
    "[preprocess]\nkeep_size = 'yes'": (
        "plumbline.toml: preprocess.keep_size = 'yes', but it must be true or false, "
        "without quotes."
    ),
    "[classification]\nthreshold = 2": (
        "plumbline.toml: classification.threshold = 2, but it must be a number from 0 to 1."
    ),
    "[classification]\nthreshold = []": (
        "plumbline.toml: classification.threshold = [], but it must be a list of numbers from "
        "0 to 1."
    ),
    "[classification]\nthreshold = [0.5, true]": (
        "plumbline.toml: classification.threshold[1] = True, but it must be a number from 0 to 1."
    ),
    "[detection]\nformat = 'rcnn'": (
        "plumbline.toml: detection.format = 'rcnn', but it must be one of 'ssd', 'boxes', "
        "'builtin', 'yolo', 'yolov5'."
    ),
    "[detection]\nnms = 'per_class'": (
        "plumbline.toml: detection.nms = 'per_class', but it must be one of 'per-class', "
        "'agnostic', 'none' (did you mean 'per-class'?)."
    ),
    "[detection]\nbackground = -1": (
        "plumbline.toml: detection.background = -1, but it must be a whole number from 0 to 100000."
    ),
    "[segmentation]\npalette = [[0, 0]]": (
        "plumbline.toml: segmentation.palette[0] = [0, 0], but it must be [red, green, blue], "
        "such as [220, 20, 60]."
    ),
    "[segmentation]\npalette = [[0, 0, 256]]": (
        "plumbline.toml: segmentation.palette[0][2] = 256, but it must be a whole number from 0 "
        "to 255."
    ),
    "[segmentation]\npalette = 'voc'": (
        "plumbline.toml: segmentation.palette = 'voc', but it must be a list of colours "
        "[red, green, blue]."
    ),
    "[response]\nformat = 'json'": (
        "plumbline.toml: response.format = 'json', but it must be one of 'typed', 'builtin'."
    ),
    "labels = []": (
        "plumbline.toml: labels = [], but it must be a file with one label a line, "
        "or a list of texts."
    ),
    "labels = ['a', 1]": (
        "plumbline.toml: labels = ['a', 1], but it must be a file with one label a line, "
        "or a list of texts."
    ),
    "labels = 3": (
        "plumbline.toml: labels = 3, but it must be a file with one label a line, "
        "or a list of texts."
    ),
    "labels = ''": "plumbline.toml: labels = '', but it must be a text in quotes.",
    "labels = '../labels.txt'": (
        "plumbline.toml: labels = '../labels.txt', but it must be a path inside the archive, "
        "relative to its top."
    ),
    "model = 'saved_model'": (
        "plumbline.toml: model = 'saved_model', but it must be a table: "
        "a line [model] with its keys below."
    ),
    "[model]\npath = '/opt/ml/model'": (
        "plumbline.toml: model.path = '/opt/ml/model', but it must be a path inside the archive, "
        "relative to its top."
    ),
    "[model]\npath = 'a/../../b'": (
        "plumbline.toml: model.path = 'a/../../b', but it must be a path inside the archive, "
        "relative to its top."
    ),
    "[model]\nsignature = 1": (
        "plumbline.toml: model.signature = 1, but it must be a text in quotes."
    ),
    "[model]\noutput = ''": "plumbline.toml: model.output = '', but it must be a text in quotes.",
    "[preprocess]\ndecoder = 'opencv'": (
        "plumbline.toml: preprocess.decoder = 'opencv', but it must be one of 'pillow', "
        "'tensorflow'."
    ),
    "[preprocess]\nexif = 'true'": (
        "plumbline.toml: preprocess.exif = 'true', but it must be true or false, without quotes."
    ),
    "[preprocess]\nexif = 1": (
        "plumbline.toml: preprocess.exif = 1, but it must be true or false, without quotes."
    ),
    "[preprocess]\ncolor = 'RGB'": (
        f"plumbline.toml: preprocess.color = 'RGB', but it must be one of {COLOR_NAMES}."
    ),
    "[preprocess]\ncolor = 'grey'": (
        f"plumbline.toml: preprocess.color = 'grey', but it must be one of {COLOR_NAMES} "
        "(did you mean 'gray'?)."
    ),
    "[preprocess]\ncolor = ['rgb']": (
        f"plumbline.toml: preprocess.color = ['rgb'], but it must be one of {COLOR_NAMES} "
        "(did you mean 'rgb'?)."
    ),
    "[preprocess]\nsize = 224": (
        "plumbline.toml: preprocess.size = 224, but it must be [height, width], such as [224, 224]."
    ),
    "[preprocess]\nsize = [224, 224, 3]": (
        "plumbline.toml: preprocess.size = [224, 224, 3], but it must be [height, width], "
        "such as [224, 224]."
    ),
    "[preprocess]\nsize = [0, 224]": (
        "plumbline.toml: preprocess.size[0] = 0, but it must be a whole number from 1 to 8192."
    ),
    "[preprocess]\nsize = [224, 8193]": (
        "plumbline.toml: preprocess.size[1] = 8193, but it must be a whole number from 1 to 8192."
    ),
    "[preprocess]\nsize = [224.0, 224]": (
        "plumbline.toml: preprocess.size[0] = 224.0, but it must be a whole number from 1 to 8192."
    ),
    "[preprocess]\nsize = [true, 1]": (
        "plumbline.toml: preprocess.size[0] = True, but it must be a whole number from 1 to 8192."
    ),
    "[preprocess]\nfit = 'squash'": (
        "plumbline.toml: preprocess.fit = 'squash', but it must be one of 'stretch', 'crop', "
        "'pad', 'letterbox', 'yolo', 'pillow-fit', 'pillow-pad', 'crop-or-pad'."
    ),
    "[preprocess]\nresize = 'pillow-bilinar'": (
        f"plumbline.toml: preprocess.resize = 'pillow-bilinar', but it must be one of "
        f"{FILTER_NAMES} (did you mean 'pillow-bilinear'?)."
    ),
    "[preprocess]\nnormalize = 'x'": (
        "plumbline.toml: preprocess.normalize = 'x', but it must be one of 'none', 'unit', 'tf', "
        "'torch', 'caffe', 'standardize'."
    ),
    "[preprocess]\nnormalize = {div = 255}": (
        "[preprocess.normalize] in plumbline.toml has a key 'div' that means nothing here. "
        "Did you mean 'divisor'?"
    ),
    "[preprocess]\nnormalize = {divisor = 0}": (
        "plumbline.toml: preprocess.normalize.divisor = 0, but it must be a number other than 0."
    ),
    "[preprocess]\nnormalize = {divisor = nan}": (
        "plumbline.toml: preprocess.normalize.divisor = nan, but it must be a number."
    ),
    "[preprocess]\nnormalize = {scale = '1/255'}": (
        "plumbline.toml: preprocess.normalize.scale = '1/255', but it must be a number."
    ),
    "[preprocess]\nnormalize = {mean = [1, 2]}": (
        "plumbline.toml: preprocess.normalize.mean = [1, 2], but it must be a number, "
        "or a list of them, one for each channel."
    ),
    "[preprocess]\nnormalize = {mean = [1, 2, true]}": (
        "plumbline.toml: preprocess.normalize.mean = True, but it must be a number."
    ),
    "[preprocess]\nnormalize = {std = [1, 0, 1]}": (
        "plumbline.toml: preprocess.normalize.std = 0, but it must be a number other than 0."
    ),
    "[preprocess]\ncolor = 'gray'\nnormalize = 'torch'": (
        "plumbline.toml: preprocess.normalize = 'torch', but it must be for one channel, "
        "as preprocess.color is 'gray'."
    ),
    "[preprocess]\ncolor = 'opencv-gray'\nnormalize = {mean = [1, 2, 3]}": (
        "plumbline.toml: preprocess.normalize = {'mean': [1, 2, 3]}, but it must be for "
        "one channel, as preprocess.color is 'opencv-gray'."
    ),
    "[preprocess]\npillow = '12.1'": (
        "plumbline.toml: preprocess.pillow = '12.1', but it must be a whole number from 1 to 99."
    ),
    "[preprocess]\npillow = 12.1": (
        "plumbline.toml: preprocess.pillow = 12.1, but it must be a whole number from 1 to 99."
    ),
    "[classification]\nactivation = 'relu'": (
        "plumbline.toml: classification.activation = 'relu', but it must be one of 'none', "
        "'softmax', 'sigmoid'."
    ),
    "[classification]\ntop_k = 0": (
        "plumbline.toml: classification.top_k = 0, but it must be a whole number from 1 to 1000."
    ),
    "[classification]\ntop_k = '5'": (
        "plumbline.toml: classification.top_k = '5', but it must be a whole number from 1 to 1000."
    ),
    "[golden]\nimages = '../golden'": (
        "plumbline.toml: golden.images = '../golden', but it must be a path inside the archive, "
        "relative to its top."
    ),
    "[golden]\ntolerance = 0": (
        "plumbline.toml: golden.tolerance = 0, but it must be a number above 0, such as 1e-5."
    ),
    "[golden]\ntolerance = -1e-5": (
        "plumbline.toml: golden.tolerance = -1e-05, but it must be a number above 0, such as 1e-5."
    ),
    "[golden]\ntolerance = inf": (
        "plumbline.toml: golden.tolerance = inf, but it must be a number above 0, such as 1e-5."
    ),
    "[golden]\ntolerance = nan": (
        "plumbline.toml: golden.tolerance = nan, but it must be a number above 0, such as 1e-5."
    ),
    "[acceleration]\nmax_difference = 0": (
        "plumbline.toml: acceleration.max_difference = 0, but it must be a number above 0, such as "
        "1e-5, or inf."
    ),
    "[acceleration]\nmax_difference = nan": (
        "plumbline.toml: acceleration.max_difference = nan, but it must be a number above 0, such "
        "as 1e-5, or inf."
    ),
    "[golden]\ntolerance = true": (
        "plumbline.toml: golden.tolerance = True, but it must be a number above 0, such as 1e-5."
    ),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.items())
def test_a_wrong_file_is_answered_with_one_exact_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert caught.value.message == sentence


@nasty
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_as_a_spec(text: str) -> None:
    sentence = "plumbline.toml is fine"
    try:
        parse(text)
    except SpecError as error:
        sentence = error.message
    assert "plumbline.toml" in sentence


def test_crops_are_declared_with_their_numbers() -> None:
    assert parse("[preprocess]\nfit = {shorter_side = 256}").preprocess.fit == ShorterSide(256)
    assert parse("[preprocess]\nfit = {central_crop = 0.875}").preprocess.fit == CentralCrop(0.875)
    unusable = ("{shorter_side = 0}", "{central_crop = 0}", "{central_crop = 2}", "{crop = 1}")
    for wrong in (*unusable, "{}", "'fit'"):
        with pytest.raises(SpecError, match=r"preprocess\.fit"):
            parse(f"[preprocess]\nfit = {wrong}")


def test_image_ops_fit_is_pillows_alone() -> None:
    for other in ("resize = 'opencv-linear'", "pillow = 12"):
        with pytest.raises(SpecError, match="one of Pillow's filters"):
            parse(f"[preprocess]\nfit = 'pillow-fit'\n{other}")
