def count(data):
    raise ValueError("a library's own words")
