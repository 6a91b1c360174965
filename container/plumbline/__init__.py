"""Plumbline serves Keras and TensorFlow image models on Amazon SageMaker, and proves their answers."""

__version__ = "0.1.0"
