"""Who people are: accounts, profiles, groups and permissions."""
