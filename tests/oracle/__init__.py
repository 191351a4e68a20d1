"""Slow, readable second implementations, written from the definitions, that the kernels are held against."""
