predict_fn = min
