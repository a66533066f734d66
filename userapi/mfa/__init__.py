"""Second factors: what users own or know beside their password. It has no routes; `auth` calls it."""
