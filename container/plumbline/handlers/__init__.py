"""The user's code/inference.py: run, checked, and put in the place of stages of the pipeline."""
