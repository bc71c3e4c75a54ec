"""What stands outside: mail, files and passwords, behind small functions or classes."""
