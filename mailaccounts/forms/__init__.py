"""The forms of the pages: what may be typed, and what is said of what may not."""
