"""The recipe that trains classifiers; what other recipes need as well lies beside this folder."""
