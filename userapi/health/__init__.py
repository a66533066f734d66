"""Whether the service can do its work: one set of checks for staff pages, `/readyz`, `/metrics` and `flask doctor`."""
