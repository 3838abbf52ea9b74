"""Backups: whole copies of a data directory, made beside a running server onto another disk.

A target holds one directory for each backup, which is a data directory as it stands. What has not
changed since an earlier one is that one's file under a second name (a hard link), and no file is
ever changed once it has its name in a whole backup: so one that is cut off harms none before it.
"""
