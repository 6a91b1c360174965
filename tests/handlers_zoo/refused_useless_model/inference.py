def model_fn(model_dir):
    return [1, 2, 3]
