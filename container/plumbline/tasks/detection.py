"""Boxes with scores → what is seen where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.parity import agreement
from plumbline.parity.agreement import Pairs
from plumbline.results.task_results import Detections, Result
from plumbline.signature import Signature
from plumbline.tasks.base import Task
from plumbline.tasks.class_names import class_names
from plumbline.tasks.detection_formats import Proposals, Reader
from plumbline.tasks.detection_outputs import API_NAMES, Outputs, by_own_names, by_shapes
from plumbline.tasks.output_choice import check_input
from plumbline.vision.arrays import Tensor, Tensors
from plumbline.vision.boxes import Candidates, Indices, extent, suppress
from plumbline.vision.geometry import Geometry


class DetectionTask(Task):
    """Boxes that a model proposes, the surest of those that mean the same thing."""

    reader: Reader
    names: Mapping[int, str]

    def fit(self, signature: Signature) -> None:
        """Find the outputs, and check them against each other and against the labels."""
        check_input("detection", signature)
        labels = self.labels or ()
        outputs = Outputs(self.spec, labels, signature)
        self.reader = outputs.reader()
        shapes = ", ".join(map(str, self.reader.outputs))
        first = self.spec.detection.first_class
        self.names = class_names(labels, self.reader.numbering, first, shapes) if labels else {}

    @classmethod
    def suits(cls, signature: Signature) -> bool:
        """Whether the outputs say all that there is to know: only the Object Detection API's do."""
        return {output.name for output in signature.outputs} >= API_NAMES

    @classmethod
    def resembles(cls, signature: Signature) -> bool:
        """Whether one of the outputs could hold boxes: `[batch, n, 4]`, or more than 5 columns."""
        return by_own_names(signature) or by_shapes(signature)

    def values(self, outputs: Tensors) -> Tensors:
        """The outputs that are read, as they are."""
        return {output.name: outputs[output.name] for output in self.reader.outputs}

    def readings(self, outputs: Tensors, geometry: Geometry) -> tuple[Tensors, ...]:
        """The outputs that are read, or all, or what is seen.

        That is rows `[n, 6]` of class, score, xmin, ymin, xmax, ymax, 0..1 of the picture.
        """
        [found] = self.results(outputs, [geometry], {})
        numbers = {name: values for name, values in outputs.items() if values.dtype != object}
        return self.values(outputs), numbers, found.builtin()

    def gist(self, outputs: Tensors, geometry: Geometry) -> Tensor:
        """The boxes that are answered, rows `[n, 6]` of class, score, left, top, right, bottom."""
        [found] = self.results(outputs, [geometry], {})
        return found.array()

    def unlabelled(self, gist: Tensor) -> Sequence[int]:
        """See `Task.unlabelled`; only few of these models say how many classes they have."""
        found = {int(row[0]) for row in gist} if self.names else set()
        return sorted(found - self.names.keys())

    def agreement(self, pairs: Pairs) -> float:
        """The mAP at an IoU of 0.5, over all pictures."""
        return agreement.of_boxes(pairs)

    def results(
        self, outputs: Tensors, geometries: Sequence[Geometry], options: Mapping[str, Any]
    ) -> list[Result]:
        """What is seen in each picture, the surest first."""
        with np.errstate(all="ignore"):  # a model may give anything; what is no number is no box
            return [
                self.found(self.reader.read(outputs, number), geometry, options)
                for number, geometry in enumerate(geometries)
            ]

    def found(
        self, proposals: Proposals, geometry: Geometry, options: Mapping[str, Any]
    ) -> Detections:
        """The proposals that are above the threshold, in the picture, and not suppressed."""
        declared = self.spec.detection
        nms = declared.nms or self.reader.nms
        if nms == "agnostic":
            proposals = proposals.best_of_each()
        scale = extent(self.reader.box_format, geometry.canvas)
        threshold = options.get("score_threshold", declared.score_threshold)
        candidates = self.candidates(proposals, threshold, picture_area(geometry) / scale)
        kept = self.keep(candidates, nms, options.get("max_detections", declared.max_detections))
        class_ids = candidates.groups_of(kept)
        return Detections(
            boxes=candidates.boxes_of(kept) * scale,
            scores=candidates.scores_of(kept),
            class_ids=class_ids,
            labels=tuple(self.names.get(each, str(each)) for each in class_ids.tolist()),
            geometry=geometry,
        )

    def candidates(
        self, proposals: Proposals, threshold: float, area: NDArray[np.float64]
    ) -> Candidates:
        """Every box with every class that it has a score above the threshold for.

        Boxes that lie wholly outside the `area` of the picture are none, and neither are those
        whose corners or scores are not numbers.
        """
        boxes, scores, class_ids = proposals.boxes, proposals.scores, proposals.class_ids
        inside = np.all((boxes[:, 2:] >= area[:2]) & (boxes[:, :2] <= area[2:]), axis=1)
        meant = (class_ids >= 0) & (class_ids != self.reader.numbering.background)
        sure = (scores > np.float32(threshold)) & (scores < np.inf)
        wanted = sure & meant & inside[:, np.newaxis]
        return Candidates(boxes, np.where(wanted, scores, np.float32(-np.inf)), class_ids)

    def keep(self, candidates: Candidates, nms: str, most: int) -> Indices:
        """At most so many candidates, the surest first."""
        if nms == "none":
            return candidates.best(most)
        if nms == "agnostic":
            candidates = replace(candidates, groups=np.zeros(1, np.intp))
        declared = self.spec.detection
        return suppress(
            candidates,
            iou_threshold=declared.nms_iou,
            max_candidates=declared.max_candidates,
            max_kept=most,
        )


def picture_area(geometry: Geometry) -> NDArray[np.float64]:
    """The corners of the whole picture in pixels of the model's input."""
    (height, width), window, inner = geometry.upright, geometry.window, geometry.inner
    points = np.array([[0, 0], [width, height]], np.float64) - window[:2]
    scaled = points * inner[2:] / window[2:] + inner[:2]
    return np.asarray(scaled.reshape(4))
