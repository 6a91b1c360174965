"""Plumbline serves Keras and TensorFlow image models on SageMaker, and proves their answers."""

__version__ = "0.1.0"
