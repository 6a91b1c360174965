"""The recipe that trains detectors; what other recipes need as well lies beside this folder."""
