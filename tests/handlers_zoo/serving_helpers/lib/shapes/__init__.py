from .sizes import SIDE
