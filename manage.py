#!/usr/bin/env python3
"""S4's command line in a checkout: `manage.py serve` runs the store, `manage.py help` lists all."""

from __future__ import annotations

from s4project.command_line import main

if __name__ == "__main__":
    main()
