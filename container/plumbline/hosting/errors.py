"""What can go wrong where many models are loaded and unloaded: a branch of the tree in errors.py.

PlumblineError
 ├── RequestError
 │    ├── ModelNotNamed        400
 │    ├── InvalidLoad          400
 │    ├── ModelNotLoadable     400
 │    ├── ModelNotLoaded       404
 │    ├── FolderNotFound       404
 │    └── ModelAlreadyLoaded   409
 ├── Unavailable
 │    └── NotEnoughMemory      507
 └── ModelError
      └── ModelProcessEnded    500

The platform unloads other models, and asks again, where the answer to a load is 507; any other
refusal is told to whoever invoked the model, with its sentence.
"""

from __future__ import annotations

from plumbline.errors import ModelError, RequestError, Unavailable


class ModelNotNamed(RequestError):
    """A request that names no model, where there are many."""

    code = "model_not_named"


class InvalidLoad(RequestError):
    """What asks for a model to be loaded, or for the list of models, and can't be read."""

    code = "invalid_load"


class ModelNotLoadable(RequestError):
    """A model that was to be loaded, and whose archive is wrong."""

    code = "model_not_loadable"


class ModelNotLoaded(RequestError):
    """A model that has not been loaded, or has been unloaded."""

    code = "model_not_loaded"
    status = 404


class FolderNotFound(RequestError):
    """A model that was to be loaded from where there is no folder."""

    code = "model_folder_not_found"
    status = 404


class ModelAlreadyLoaded(RequestError):
    """A model that was to be loaded, and is loaded or loading already."""

    code = "model_already_loaded"
    status = 409


class NotEnoughMemory(Unavailable):
    """A model that was to be loaded, and for which there is no room until others are unloaded."""

    code = "not_enough_memory"
    status = 507


class ModelProcessEnded(ModelError):
    """A model's process that ended while it computed a request."""

    code = "model_process_ended"
