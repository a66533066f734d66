"""What several test files use: clients, servers, databases and makers of users."""
