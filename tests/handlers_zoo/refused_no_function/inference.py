handler = "def handler(data, context)"
