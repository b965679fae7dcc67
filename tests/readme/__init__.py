"""The commands of the README and of docs in their small form, for tests/readme_commands.py."""
