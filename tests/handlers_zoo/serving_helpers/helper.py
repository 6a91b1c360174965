def scaled(body):
    return float(body) / 100
