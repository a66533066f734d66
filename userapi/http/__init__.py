"""HTTP: requests, responses, headers and the OpenAPI document. Knows nothing of users."""
