"""What the repository says of itself: figures of the code, and the page of its layout."""
