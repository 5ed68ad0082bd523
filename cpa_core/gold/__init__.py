"""Labels by people: reviews, draws, how good the labels are, and rates that are corrected by them."""
