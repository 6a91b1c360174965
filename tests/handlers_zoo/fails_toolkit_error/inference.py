class BaseInferenceToolkitError(Exception):
    """As the inference toolkit's."""

    def __init__(self, status_code, message, phrase):
        self.status_code, self.message, self.phrase = status_code, message, phrase
        super().__init__(status_code, message, phrase)


def transform_fn(model, data, content_type, accept):
    raise BaseInferenceToolkitError(415, "only cats are taken", "Unsupported")
