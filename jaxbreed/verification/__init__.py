"""Verification: the laws of meiosis, inheritance and selection held against what this machine computes.

Each theme is a file; a check is a function that yields rows. `jaxbreed verify` runs them.
"""
