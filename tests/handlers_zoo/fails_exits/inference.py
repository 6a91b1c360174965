import sys


def handler(data, context):
    sys.exit(1)
