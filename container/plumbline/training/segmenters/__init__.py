"""The recipe that trains segmenters; what other recipes need as well lies beside this folder."""
