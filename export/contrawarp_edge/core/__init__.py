"""What every other part needs: errors, files, SQLite, commands, progress."""
