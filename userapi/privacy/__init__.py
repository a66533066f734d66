"""What the owner of an account may demand of their data, and how long data are kept."""
