"""The screens: the main one in its layouts, and help."""
