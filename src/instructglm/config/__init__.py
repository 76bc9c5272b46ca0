"""The experiment file as frozen types, one module a section."""
