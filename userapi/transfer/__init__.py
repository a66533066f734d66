"""Moving in and out: many users from a file and to one. Readers of files, the rule of the import, the export."""
