"""What several test files use: clients, servers, databases and factories of users."""
