"""The server's model, run twice."""


def predict_fn(data, model):
    return {"there": model.predict(data), "and back": model({"image": 1 - data["image"]})}
