TABLE = {}
BEST = TABLE['best']


def handler(data, context): ...
