"""Whether an image, any image, keeps SageMaker's container contract: docs/conform.md."""
