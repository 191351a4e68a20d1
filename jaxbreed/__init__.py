"""jaxbreed."""
