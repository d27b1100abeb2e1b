"""Images and clips, read now or when they are asked for."""
