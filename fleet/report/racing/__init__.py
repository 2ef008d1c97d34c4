"""What a DeepRacer training came to, as a page and as pictures: the track, the laps, the course of it, what to do."""
