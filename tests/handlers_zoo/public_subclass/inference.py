"""After src/inference_handler.py and src/service_handler.py of mlorthiois/sagemaker-byoc: a class of
defaults with two models, and the service that a model server asks. The functions call the class.
"""

import numpy as np
from sagemaker_inference import decoder
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer


class InferenceHandler(DefaultInferenceHandler):
    def default_model_fn(self, model_dir, context=None):
        return (lambda x: x * 2, lambda x: x**2)

    def default_input_fn(self, input_data, content_type, context=None):
        return decoder.decode(input_data, content_type)

    def default_predict_fn(self, data, model, context=None):
        first = super().default_predict_fn(data, model[0])
        return np.concatenate([first, super().default_predict_fn(data, model[1], context)])


class HandlerService(DefaultHandlerService):
    def __init__(self):
        super().__init__(transformer=Transformer(default_inference_handler=InferenceHandler()))


_service = HandlerService()
_handler = InferenceHandler()

model_fn = _handler.default_model_fn
input_fn = _handler.default_input_fn
predict_fn = _handler.default_predict_fn
output_fn = _handler.default_output_fn
