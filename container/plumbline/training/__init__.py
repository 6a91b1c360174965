"""A training job: what SageMaker asks for → a model that is packed; by a recipe or a script.

Scripts import `pictures` and `save` from here.
"""

from plumbline.training.script_helpers import pictures, save

__all__ = ["pictures", "save"]
