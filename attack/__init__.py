"""Attacks on the program, from outside: hostile files, kills and failing disks. Not shipped."""
