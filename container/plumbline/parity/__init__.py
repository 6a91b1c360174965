"""How far apart two answers are, in numbers and in meaning. Nothing of where they come from."""
