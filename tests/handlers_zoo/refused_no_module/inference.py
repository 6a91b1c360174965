import io

import a_library_that_nobody_has


def handler(data, context): ...
