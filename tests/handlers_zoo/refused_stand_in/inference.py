from sagemaker_inference import decoder, environment

MODEL = environment.Environment().model_dir


def input_fn(data, content_type): ...
