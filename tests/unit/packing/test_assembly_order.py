"""What packing and searching are given is checked before the work begins."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from plumbline.archive.discovery import ModelFile
from plumbline.archive.npz_outputs import save
from plumbline.errors import ArchiveError, ModelError, PackingError, SpecError
from plumbline.packing import expected_outputs, pack, picture_folder
from plumbline.packing import model_sources as sources
from plumbline.packing.progress_bar import Reporter
from plumbline.vision.images import Limits

QUIET = Reporter(Console(quiet=True))


def order(tmp_path: Path, spec: str | None = None) -> pack.Order:
    file = tmp_path / "plumbline.toml"
    if spec is not None:
        file.write_text(spec)
    return pack.Order(ModelFile("keras", tmp_path / "m.keras"), spec=file if spec else None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.new("RGB", (9, 7), "red").save(folder / name)
    return folder


def test_labels_beside_the_spec_go_into_the_archive(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    found = pack.declare(order(tmp_path, 'labels = "names.txt"\n'))
    assert found.files == {"names.txt": "cat\ndog\n"}


def test_given_labels_are_declared_where_the_spec_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "classes").write_text("cat\ndog\n")
    given = replace(order(tmp_path, "[preprocess]\ncolor = 'gray'\n"), labels=tmp_path / "classes")
    found = pack.declare(given)
    assert found.files == {"labels.txt": "cat\ndog\n"}
    assert (found.spec.labels, found.spec.preprocess.color) == ("labels.txt", "gray")
    assert found.text == "labels = \"labels.txt\"\n[preprocess]\ncolor = 'gray'\n"


def test_given_labels_go_where_the_spec_says(tmp_path: Path) -> None:
    (tmp_path / "classes").write_text("cat\n")
    given = replace(order(tmp_path, 'labels = "names.txt"\n'), labels=tmp_path / "classes")
    assert pack.declare(given).files == {"names.txt": "cat\n"}


def test_no_spec_means_every_default(tmp_path: Path) -> None:
    assert pack.declare(order(tmp_path)).text == ""


MISTAKES: dict[str, tuple[str, str | None, type[ModelError], str]] = {
    "labels twice": ('labels = ["a", "b"]', "classes", PackingError, "keep one of the two"),
    "labels missing": ('labels = "no.txt"', None, PackingError, "name it with --labels"),
    "given labels missing": ("", "nowhere.txt", PackingError, "there is no file"),
    "no TOML": ("[preprocess", None, SpecError, "is not valid TOML"),
    "no such key": ("[preprocess]\nresizes = 1", None, SpecError, "Did you mean 'resize'?"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_spec_and_the_labels(tmp_path: Path, mistake: str) -> None:
    spec, labels, error, said = MISTAKES[mistake]
    (tmp_path / "classes").write_text("a\nb\n")
    given = replace(order(tmp_path, spec or "\n"), labels=tmp_path / labels if labels else None)
    with pytest.raises(error, match=re.escape(said)):
        pack.declare(given)


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PackingError, match="There is no file"):
        pack.declare(replace(order(tmp_path), spec=tmp_path / "other.toml"))


def test_the_archive_may_go_where_there_is_no_folder_yet(tmp_path: Path) -> None:
    pack.check_target(tmp_path / "deep" / "down" / "model.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_the_archive_can_not_be_a_folder_or_lie_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PackingError, match="is a folder; name a file"):
        pack.check_target(tmp_path)
    with pytest.raises(PackingError, match="is no folder, or not writable"):
        pack.check_target(tmp_path / "file" / "model.tar.gz")


def test_outputs_beside_the_pictures_are_the_golden_ones(photos: Path) -> None:
    found = picture_folder.find(photos, Limits())
    for picture in found:
        save(photos / f"{picture.name}.npz", {"scores": np.ones(2)})
    assert picture_folder.find(photos, Limits()) == found
    assert sorted(pack.given_outputs(found)) == ["a.png", "b.jpg"]


def test_outputs_beside_some_pictures_are_a_mistake(photos: Path) -> None:
    save(photos / "a.png.npz", {"scores": np.ones(2)})
    with pytest.raises(PackingError, match=r"1 of 2 pictures .* but b\.jpg has no b\.jpg\.npz"):
        pack.given_outputs(picture_folder.find(photos, Limits()))


def test_pictures_come_in_the_order_of_their_names_without_hidden_files(photos: Path) -> None:
    (photos / ".DS_Store").write_bytes(b"x")
    (photos / "folder").mkdir()
    assert [picture.name for picture in picture_folder.find(photos, Limits())] == ["a.png", "b.jpg"]


def test_calibration_takes_files_and_folders_and_some_from_all_over(
    tmp_path: Path, photos: Path
) -> None:
    single = tmp_path / "single.png"
    Image.new("RGB", (9, 7)).save(single)
    sources = (photos, single)

    names = [
        [picture.name for picture in picture_folder.find_some(sources, most, Limits())]
        for most in (-5, 0, 1, 2, 3, 300)
    ]

    everything = ["a.png", "b.jpg", "single.png"]
    assert names == [[], [], ["a.png"], ["a.png", "b.jpg"], everything, everything]


def test_what_calibration_can_not_take(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")
    mistakes = {
        "empty": "holds no pictures; put some in it.",
        "notes.txt": "can't be used as a picture",
        "nowhere": "can't be read: No such file or directory.",
    }
    for name, said in mistakes.items():
        with pytest.raises(PackingError, match=re.escape(said)):
            picture_folder.find_some((photos, tmp_path / name), 300, Limits())


def test_calibration_alone_proves_nothing(tmp_path: Path, photos: Path) -> None:
    given = replace(order(tmp_path, ""), calibration=(photos,))
    with pytest.raises(PackingError, match="--calibration needs golden pictures"):
        pack.pack(given, tmp_path / "model.tar.gz", dry_run=True, reporter=QUIET)


def test_a_folder_must_hold_pictures_that_can_be_read(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(PackingError, match="There is no folder of pictures"):
        picture_folder.find(tmp_path / "nowhere", Limits())
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackingError, match="holds no pictures"):
        picture_folder.find(tmp_path / "empty", Limits())
    (photos / "c.txt").write_text("notes")
    with pytest.raises(PackingError, match=r"c\.txt can't be used as a picture: The body is not"):
        picture_folder.find(photos, Limits())
    (photos / "c.txt").unlink()
    (photos / "b.jpg").write_bytes((photos / "b.jpg").read_bytes()[:200])
    with pytest.raises(PackingError, match=r"b\.jpg can't be used as a picture"):
        picture_folder.find(photos, Limits())


WRONG_MODELS: dict[str, tuple[Callable[[Path], tuple[Path, Path | None]], str]] = {
    "nothing there": (lambda at: (at / "m.keras", None), "There is no file or folder"),
    "weights beside .keras": (lambda at: (touch(at / "m.keras"), at), "only an architecture"),
    "no weights": (lambda at: (touch(at / "m.json", "{}"), at / "w.h5"), "no file of weights"),
    "weights that are none": (
        lambda at: (touch(at / "m.json", "{}"), touch(at / "w.h5")),
        "w.h5 holds no weights",
    ),
    "an architecture alone": (
        lambda at: (touch(at / "m.json", "{}"), None),
        "The weights of m.json are missing",
    ),
    "text": (lambda at: (touch(at / "m.txt"), None), "m.txt holds no model. It must be one of"),
}


def touch(file: Path, text: str = "x") -> Path:
    file.write_text(text)
    return file


@pytest.mark.parametrize("what", WRONG_MODELS)
def test_what_is_no_model(tmp_path: Path, what: str) -> None:
    make, said = WRONG_MODELS[what]
    with pytest.raises(PackingError, match=re.escape(said)):
        sources.find(*make(tmp_path))


def test_only_what_a_saved_model_needs_is_copied(tmp_path: Path) -> None:
    for name in (
        *("saved_model.pb", "variables/variables.index", "assets/words.txt"),
        *("fingerprint.pb", "debug/saved_model_debug_info.pb", "keras_metadata.pb"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    names = [name for _, name in sources.saved_model_files(tmp_path)]
    assert names == ["saved_model.pb", "variables/variables.index", "assets/words.txt"]


def read(tmp_path: Path, photos: Path, **arrays: np.ndarray) -> dict[str, float]:
    save(tmp_path / "outputs.npz", arrays)
    found = expected_outputs.read(str(tmp_path / "outputs.npz"), sorted(photos.iterdir()), QUIET)
    return {name: float(outputs["output"]) for name, outputs in found.items()}


def test_expected_outputs_by_name_by_stem_or_in_order(tmp_path: Path, photos: Path) -> None:
    wanted = {"a.png": 1.0, "b.jpg": 2.0}
    one, two = np.array(1.0), np.array(2.0)
    assert read(tmp_path, photos, **{"b.jpg": two, "a.png": one}) == wanted
    assert read(tmp_path, photos, a=one, b=two, other=one) == wanted
    assert read(tmp_path, photos, outputs=np.array([1.0, 2.0])) == wanted


def test_expected_outputs_that_are_not_for_these_pictures(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(PackingError, match=r"shape \[3\]; its first axis must be the 2 pictures"):
        read(tmp_path, photos, outputs=np.zeros(3))
    with pytest.raises(PackingError, match=r"has no array for b\.jpg; it has a\.png, c\.png"):
        read(tmp_path, photos, **{"a.png": np.zeros(1), "c.png": np.zeros(1)})
    with pytest.raises(PackingError, match=r"There is no file .*other\.npz"):
        expected_outputs.read(str(tmp_path / "other.npz"), [], QUIET)
    with pytest.raises(PackingError, match="it must be a file of NumPy arrays"):
        expected_outputs.read("outputs.csv", [], QUIET)
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(ArchiveError, match=r"bad\.npz is damaged"):
        expected_outputs.read(str(tmp_path / "bad.npz"), [], QUIET)
