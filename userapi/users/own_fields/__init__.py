"""Own fields: profile fields that the deployer declares in a TOML file. Their values are in `user_profiles.extra`."""
