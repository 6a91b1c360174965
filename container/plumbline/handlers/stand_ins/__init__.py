"""What handlers import of SageMaker's own packages, where nobody brings these along."""
