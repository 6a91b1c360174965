"""What SageMaker does with an image, done on this machine: nothing here judges what comes of it.

Modules of training jobs import nothing but the standard library: scripts run them with any Python.
"""
