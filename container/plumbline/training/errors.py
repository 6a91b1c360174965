"""The branch of the error tree that only training jobs meet.

    PlumblineError
     └── TrainingError
          ├── HyperparameterError
          ├── DataError
          └── CheckpointError

No server answers with them: the message goes into the log and to /opt/ml/output/failure.
"""

from __future__ import annotations

from plumbline.errors import PlumblineError


class TrainingError(PlumblineError):
    """A training job can't begin, or can't go on; whoever started it can mend it."""

    code = "training_error"


class HyperparameterError(TrainingError):
    """A hyperparameter that is not known, out of range or of the wrong type, or lacks."""

    code = "hyperparameter_error"


class DataError(TrainingError):
    """Pictures or labels to train with can't be used; whoever made them can mend them."""

    code = "data_error"


class CheckpointError(TrainingError):
    """A checkpoint can't be written, or is another job's."""

    code = "checkpoint_error"
