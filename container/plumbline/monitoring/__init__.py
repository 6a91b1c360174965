"""Captured requests of an endpoint → how far its pictures and answers have drifted."""
