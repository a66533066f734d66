"""Import of users from files, export to files, and made-up users for tests and demonstrations."""
