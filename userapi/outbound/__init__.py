"""HTTP requests to other services: only to public IP addresses, limited in number, time and size."""
