"""Checks whether each part of the service works, for staff pages, `/readyz`, `/metrics` and `flask doctor`."""
