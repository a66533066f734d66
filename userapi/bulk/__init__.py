"""Staff actions on many accounts. Actions on too many accounts for one request run in the background."""
