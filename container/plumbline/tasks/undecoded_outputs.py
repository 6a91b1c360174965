"""Outputs of detectors that only their own library can decode, and what to do with them."""

from __future__ import annotations

OFFSETS = frozenset({"bbox_regression", "cls_logits"})
"""What KerasHub's RetinaNet gives before it is decoded: offsets, without the anchors."""

DECODED = (
    "the outputs are offsets from anchors that are not in the model, as KerasHub's detectors give "
    "them. Pack the .keras file, whose boxes are then decoded as predict() does: "
    "plumbline pack detector.keras --custom-objects objects.py, with the line import keras_hub in "
    "objects.py. Or export it with the decoder: archive = keras.export.ExportArchive(); "
    "archive.track(model); archive.add_endpoint('serving_default', lambda images: "
    "model.decode_predictions(model(images, training=False), images), "
    "[tf.TensorSpec([1, 800, 800, 3])]); archive.write_out('saved_model'). Either way, "
    "[detection] box_format is the model's bounding_box_format."
)
