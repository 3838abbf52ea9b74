"""S4's commands: `manage.py help` lists them."""
