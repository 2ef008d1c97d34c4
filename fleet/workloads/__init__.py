"""What a kind of training needs beyond "run this"."""
