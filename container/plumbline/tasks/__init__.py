"""What a model's output means: one module a task, found by its name in the spec."""
