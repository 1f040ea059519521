"""What billing reaches outside its own tables: files of rate decks, a process for heavy work."""
