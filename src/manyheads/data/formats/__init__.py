"""How tables are written down: files of many kinds, in many encodings."""
