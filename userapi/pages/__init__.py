"""The HTML door: pages over the same rules as the API, for people with a browser and a cookie session."""
