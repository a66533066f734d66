"""Sign-in with other services: whose identity a provider has proved, and which account it belongs to."""
