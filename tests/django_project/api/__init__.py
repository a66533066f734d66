"""The one application of the tutorial's project."""
