from collections.abc import Callable

from steps import *

predict_fn: Callable = multiplied
